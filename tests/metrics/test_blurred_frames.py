"""The hole in the profile is closed: frames that nobody paints are seen by the measure beside it."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

from painting_jax.errors import UserError
from painting_jax.metrics import kernel_distance, pdp
from painting_jax.weights import hed_vgg


@nnx.jit
def _seen(distance, pictures_NHWC):
    """Embeddings for the profile, and features of the second block for realism."""
    features_NHWD = distance.trunk(pictures_NHWC.astype(jnp.float32) / 255)[1]
    return distance.embed(pictures_NHWC), jnp.mean(features_NHWD, axis=(1, 2))


def test_blurring_frames_in_between_worsens_realism_and_hardly_moves_the_profile(painted_BTHWC):
    try:
        distance = hed_vgg.load()
    except UserError as error:
        pytest.skip(str(error))
    # Faces are the recorded processes, cups the generated ones, in four media.
    faces, cups = painted_BTHWC[0:8:2, ::4], painted_BTHWC[1:8:2, ::4]
    blurred = cups.copy()
    blurred[:, 1:-1] = ndimage.gaussian_filter(cups[:, 1:-1], (0, 0, 0.8, 0.8, 0))
    frames = np.concatenate([faces, cups, blurred]).reshape(-1, 64, 64, 3)
    embedded_ND, features_ND = (np.asarray(x) for x in _seen(distance, frames))

    apart_BT = [
        np.sum((x - x[:, -1:]) ** 2, axis=-1) for x in np.split(embedded_ND.reshape(12, 5, -1), 3)
    ]
    progress_BT = np.broadcast_to(np.linspace(0, 1, 5, dtype=np.float32), (4, 5))
    mask_BT = np.ones((4, 5), bool)
    of_faces, of_cups, of_blurred = (pdp.profile(x, progress_BT, mask_BT) for x in apart_BT)
    moved_B = pdp.score(of_blurred, of_cups)
    assert np.mean(moved_B) < 0.15 * np.mean(of_cups[:, 0])

    inner = [x[:, 1:-1].reshape(12, -1) for x in np.split(features_ND.reshape(12, 5, -1), 3)]
    everyone = np.ones(12, bool)
    sharp_kid, blurred_kid = (
        kernel_distance.discrepancy(inner[0], x, everyone, everyone) for x in inner[1:]
    )
    print(moved_B, np.mean(of_cups[:, 0]), pdp.score(of_cups, of_faces), sharp_kid, blurred_kid)
    assert blurred_kid > 2 * max(sharp_kid, 0)
