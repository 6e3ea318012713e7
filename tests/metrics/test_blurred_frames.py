"""The hole in the profile is closed: the measure beside it sees frames that nobody paints."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy import ndimage

from painting_jax.evaluation import lpips_weights
from painting_jax.metrics import kid, pdp, perceptual


@nnx.jit
def _seen(distance, pictures_NHWC):
    """Embeddings for the profile, and features of the second block for realism."""
    features_NHWD = distance.trunk(pictures_NHWC.astype(jnp.float32) / 255)[1]
    pooled_ND = perceptual.unit(jnp.mean(features_NHWD, axis=(1, 2)))
    return distance.embed(pictures_NHWC), pooled_ND * jnp.sqrt(pooled_ND.shape[1])


def test_blurring_frames_in_between_worsens_realism_and_hardly_moves_the_profile(painted_BTHWC):
    distance = lpips_weights.load_hed()
    # Other moments of the same processes stand for recorded frames at about the same progress.
    generated, recorded = painted_BTHWC[:4, ::4], painted_BTHWC[:4, 3:12:4]
    blurred = generated.copy()
    blurred[:, 1:-1] = ndimage.gaussian_filter(generated[:, 1:-1], (0, 0, 0.8, 0.8, 0))
    frames = [x.reshape(-1, 64, 64, 3) for x in (generated, blurred, recorded)]
    embedded_ND, features_ND = (np.asarray(x) for x in _seen(distance, np.concatenate(frames)))

    of_video = embedded_ND[:40].reshape(2, 4, 5, -1)
    apart_BT = np.sum((of_video - of_video[:, :, -1:]) ** 2, axis=-1)
    progress_BT = np.broadcast_to(np.linspace(0, 1, 5, dtype=np.float32), (4, 5))
    sharp, soft = (pdp.profile(x, progress_BT, np.ones((4, 5), bool)) for x in apart_BT)
    assert np.all(pdp.score(soft, sharp) < 0.05 * sharp[:, 0])

    inner = features_ND[:40].reshape(2, 4, 5, -1)[:, :, 1:-1].reshape(2, 12, -1)
    everyone = np.ones(12, bool)
    sharp_kid, soft_kid = (
        float(kid.discrepancy(features_ND[40:], x, everyone, everyone)) for x in inner
    )
    assert sharp_kid < 0.02
    assert soft_kid > 0.1
