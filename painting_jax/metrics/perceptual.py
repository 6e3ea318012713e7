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
    distance: PerceptualDistance, frames_BFHWC: jax.Array, pairs_BP2: jax.Array
) -> jax.Array:
    """Distances between chosen pairs of frames; every frame is embedded once.

    Args:
      distance: an nnx module with `embed`.
      frames_BFHWC: F frames for each of B comparisons, uint8.
      pairs_BP2: int32, indices into the F frames.

    Returns:
      float32[B, P].
    """
    _, _, h, w, _ = frames_BFHWC.shape
    # lax.map batches by vmap, which cannot see through an nnx module that holds state.
    graph, state = nnx.split(distance)

    def embed(picture_HWC):
        return nnx.merge(graph, state).embed(picture_HWC[None])[0]

    def one_comparison(args):
        frames_FHWC, pairs_P2 = args
        at_once = min(max(1, _PIXELS_AT_ONCE // (h * w)), len(frames_FHWC))
        embedded_FD = jax.lax.map(embed, frames_FHWC, batch_size=at_once)
        return jax.lax.map(
            lambda pair: squared_distance(embedded_FD[pair[0]], embedded_FD[pair[1]]), pairs_P2
        )

    return jax.lax.map(one_comparison, (frames_BFHWC, pairs_BP2))


def nearest(progress_T: np.ndarray, wanted_N: np.ndarray) -> np.ndarray:
    """The index of the frame whose progress is nearest to each wanted one: int[N].

    Of two equally near the earlier is taken.
    """
    return np.abs(progress_T[None, :] - wanted_N[:, None]).argmin(axis=1)
