"""Do frames in between look like recorded ones at the same progress? FID and KID by progress.

The perceptual distance profile hardly notices blurred frames; these do.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.metrics import frechet, kernel_distance
from painting_jax.metrics.frechet import Moments
from painting_jax.metrics.kernel_distance import Reservoir


class Frames(NamedTuple):
    """Features of frames seen so far, apart by progress; memory does not grow with them.

    Attributes:
      moments: of each of Q bins.
      reservoir: of each of Q bins.
    """

    moments: Moments
    reservoir: Reservoir


class Realism(NamedTuple):
    """How far generated frames are from recorded ones, bin by bin; NaN where either has too few.

    Attributes:
      fid_Q: Frechet distance, of at least two frames on each side.
      kid_Q: squared discrepancy, of at least two frames on each side.
      deficient_Q: bool, where FID is too large for lack of frames.
      count_Q: of the side with fewer frames.
    """

    fid_Q: np.ndarray
    kid_Q: np.ndarray
    deficient_Q: np.ndarray
    count_Q: np.ndarray


def empty(bins: int, width: int, *, capacity: int = 512) -> Frames:
    """No frames yet.

    Args:
      bins: Q equal parts of progress.
      width: D of the features; the memory is Q D (D + capacity) floats.
      capacity: so many features of a bin are kept for KID.
    """
    return Frames(frechet.empty(width, bins), kernel_distance.empty(capacity, width, bins))


@functools.partial(jax.jit, donate_argnums=0)
def add(
    frames: Frames,
    features_ND: jax.Array,
    progress_N: jax.Array,
    priority_N: jax.Array,
    mask_N: jax.Array,
) -> Frames:
    """Takes in a batch of frames; the state given is used up.

    Args:
      frames: the state.
      features_ND: float32.
      progress_N: in [0, 1]; 1 belongs to the last bin.
      priority_N: uint32, from `kernel_distance.priorities` of the frames' names.
      mask_N: bool, True for frames, False for padding or what shall not count.
    """
    bins = frames.moments.count.shape[0]
    bin_N = jnp.clip(jnp.floor(progress_N * bins), 0, bins - 1)

    def one(frames_of_bin, q):
        mine_N = mask_N & (bin_N == q)
        return Frames(
            frechet.add(frames_of_bin.moments, features_ND, mine_N),
            kernel_distance.add(frames_of_bin.reservoir, features_ND, priority_N, mine_N),
        )

    return jax.lax.map(lambda args: one(*args), (frames, jnp.arange(bins)))


def compare(generated: Frames, recorded: Frames) -> Realism:
    """FID and KID in every bin, the roots on the host."""
    sides = (generated, recorded)
    count_Q = np.minimum(*(np.asarray(side.moments.count) for side in sides))
    kid_Q = np.asarray(
        jax.vmap(kernel_distance.discrepancy)(
            generated.reservoir.features_RD,
            recorded.reservoir.features_RD,
            generated.reservoir.mask_R,
            recorded.reservoir.mask_R,
        )
    )
    fid_Q = np.full(len(count_Q), np.nan)
    deficient_Q = np.ones(len(count_Q), bool)
    for q in np.flatnonzero(count_Q >= 2):
        of_bin = (jax.tree.map(lambda x, q=q: x[q], side.moments) for side in sides)
        fid_Q[q], deficient_Q[q] = frechet.distance(*of_bin)
    return Realism(fid_Q, np.where(count_Q >= 2, kid_Q, np.nan), deficient_Q, count_Q)


def whole(frames: Frames) -> Moments:
    """The moments over all progress."""
    first = jax.tree.map(lambda x: x[0], frames.moments)
    rest = jax.tree.map(lambda x: x[1:], frames.moments)
    return jax.lax.scan(lambda a, b: (frechet.merge(a, b), None), first, rest)[0]
