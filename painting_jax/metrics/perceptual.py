"""Perceptual distances between the frames of videos, in bounded memory."""

from typing import Protocol

import jax
import numpy as np
from flax import nnx

from painting_jax.metrics.lpips import squared_distance

# Pixels of all pictures that go through a trunk at once; VGG16 holds about 1 kB for each.
_PIXELS_AT_ONCE = 2**19


class PerceptualDistance(Protocol):
    """A distance that is the squared Euclidean distance of an embedding.

    LPIPS is one (see `lpips.LPIPS`), and so is 1 - cosine of unit vectors, scaled by a half.

    Attributes:
      label: what the numbers are called wherever they are shown.
    """

    label: str

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""


@nnx.jit
def distances(
    distance: PerceptualDistance, frames_FHWC: jax.Array, pairs_P2: jax.Array
) -> jax.Array:
    """Distances between chosen pairs of frames; every frame is embedded once.

    Args:
      distance: an nnx module with `embed`.
      frames_FHWC: uint8, all frames that take part, of one video or of several.
      pairs_P2: int32, indices into the F frames.

    Returns:
      float32[P].
    """
    count, height, width, _ = frames_FHWC.shape
    # lax.map batches by vmap, which cannot see through an nnx module that holds state.
    graph, state = nnx.split(distance)
    embedded_FD = jax.lax.map(
        lambda picture_HWC: nnx.merge(graph, state).embed(picture_HWC[None])[0],
        frames_FHWC,
        batch_size=min(max(1, _PIXELS_AT_ONCE // (height * width)), count),
    )
    # Pair by pair: all embeddings of the pairs at once would be a second copy of the first.
    return jax.lax.map(
        lambda pair: squared_distance(embedded_FD[pair[0]], embedded_FD[pair[1]]), pairs_P2
    )


def nearest(progress_T: np.ndarray, wanted_N: np.ndarray) -> np.ndarray:
    """The index of the frame whose progress is nearest to each wanted one: int[N].

    Of two equally near the earlier is taken.
    """
    return np.abs(progress_T[None, :] - wanted_N[:, None]).argmin(axis=1)
