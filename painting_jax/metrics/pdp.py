"""The Perceptual Distance Profile: how far a painting is from finished, over its progress.

For a process with frames x_1..x_N at progress s_i in [0, 1], a finished picture r and a perceptual
distance d, the profile is d(x_i, r) over s_i. The paper's own formula is not available; this
implementation assumes that r is the *recorded* finished picture for the recorded and the generated
process alike, resamples profiles to K evenly spaced points by linear interpolation, and scores a
generated process by the mean absolute difference of the two, the area between the curves.

A profile measures pace, not whether the frames look real: read it next to the fidelity of the
finished picture and of the frames in between.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

POINTS = 33

# Percentiles between which a recorded set's curves form its band.
LOW, HIGH = 0.1, 0.9

# Shortest distance of bends from each other and from the ends, in grid intervals.
_SHORTEST = 2


class Band(NamedTuple):
    """The range of the profiles of a set of recorded processes, each float32[K].

    Attributes:
      mean_K: Mean of the profiles.
      low_K: 10th percentile.
      high_K: 90th percentile.
      n: Number of processes.
    """

    mean_K: jax.Array
    low_K: jax.Array
    high_K: jax.Array
    n: jax.Array


class Bends(NamedTuple):
    """The two bends of B profiles.

    Attributes:
      at_B2: Progress of the bends, in (0, 1), rising.
      gain_B: Share of the residual of one straight line that the two bends explain, in [0, 1].
        Near 0 the curve does not bend and the positions mean nothing. A straight line has gain 0
        and bends at the thirds.
    """

    at_B2: jax.Array
    gain_B: jax.Array


@functools.partial(jax.jit, static_argnames="points")
def profile(
    distance_BN: jax.Array, progress_BN: jax.Array, mask_BN: jax.Array, *, points: int = POINTS
) -> jax.Array:
    """Resamples distances at arbitrary progress to an even grid from 0 to 1.

    Outside the covered progress the first and the last distance hold.

    Args:
      distance_BN: d(x_i, r), of frames in any order.
      progress_BN: Progress in [0, 1]; frames of a row with equal progress must have equal distance.
      mask_BN: bool, True for frames, False for padding; at least one frame a row.
      points: Number of grid points K.

    Returns:
      float32[B, K].
    """
    grid_K = jnp.linspace(0.0, 1.0, points)

    def one(distance_N, progress_N, mask_N):
        # Padding moves behind the last frame and repeats its distance.
        s = jnp.where(mask_N, progress_N, 2.0)
        order = jnp.argsort(s)
        last = order[jnp.sum(mask_N) - 1]
        d = jnp.where(mask_N, distance_N, distance_N[last])
        return jnp.interp(grid_K, s[order], d[order])

    return jax.vmap(one)(distance_BN, progress_BN, mask_BN)


@jax.jit
def score(profile_BK: jax.Array, recorded_BK: jax.Array) -> jax.Array:
    """Area between two profiles, float32[B]; 0 = the same pace, lower is better."""
    return jnp.mean(jnp.abs(profile_BK - recorded_BK), axis=1)


@jax.jit
def relative(profile_BK: jax.Array) -> jax.Array:
    """Profiles divided by their largest distance, which removes the contrast of the medium.

    A profile of zeros stays one.
    """
    most_B1 = jnp.max(profile_BK, axis=1, keepdims=True)
    return jnp.where(most_B1 > 0, profile_BK / jnp.where(most_B1 > 0, most_B1, 1), 0)


@jax.jit
def band(profile_NK: jax.Array, mask_N: jax.Array) -> Band:
    """Computes the band of a set of profiles.

    Args:
      profile_NK: Profiles of recorded processes.
      mask_N: bool, True for profiles, False for padding; at least one.
    """
    n = jnp.sum(mask_N)
    mean_K = jnp.sum(jnp.where(mask_N[:, None], profile_NK, 0), axis=0) / n
    rising_NK = jnp.sort(jnp.where(mask_N[:, None], profile_NK, jnp.inf), axis=0)

    def percentile(share):
        # Linear between the two nearest ranks, as in numpy.
        at = share * (n - 1)
        below = jnp.floor(at).astype(jnp.int32)
        above = jnp.minimum(below + 1, n - 1)
        return rising_NK[below] + (at - below) * (rising_NK[above] - rising_NK[below])

    return Band(mean_K, percentile(LOW), percentile(HIGH), n)


@jax.jit
def inside(profile_BK: jax.Array, band: Band) -> jax.Array:
    """Share of each curve that lies within the band, edges included: float32[B]."""
    return jnp.mean((profile_BK >= band.low_K) & (profile_BK <= band.high_K), axis=1)


@jax.jit
def to_band(profile_BK: jax.Array, band: Band) -> jax.Array:
    """Area between each curve and the mean of the set: float32[B]."""
    return score(profile_BK, band.mean_K[None])


@jax.jit
def monotonicity(distance_BN: jax.Array, mask_BN: jax.Array) -> jax.Array:
    """Share of a curve's movement that goes towards the finished picture.

    Sum of the falls from frame to frame over the sum of falls and rises: 1 = never away from the
    picture, 0.5 = as much away as towards it, 0 = always away. Weighting by size ignores small
    flicker and does not depend on how finely a steady stretch is sampled. A constant curve gets 1.

    Args:
      distance_BN: Distances in painted order.
      mask_BN: bool, True for frames, False for the padding after them.

    Returns:
      float32[B] in [0, 1].
    """
    step = jnp.diff(distance_BN, axis=1) * mask_BN[:, 1:]
    falls = jnp.sum(jnp.maximum(-step, 0), axis=1)
    moves = jnp.sum(jnp.abs(step), axis=1)
    return jnp.where(moves > 0, falls / jnp.where(moves > 0, moves, 1), 1.0)


@jax.jit
def bends(profile_BK: jax.Array) -> Bends:
    """Finds where profiles from `profile` change their pace, K >= 8.

    The best continuous line with two bends is found exactly: for every pair of grid points it is a
    least-squares problem with four unknowns; all pairs are solved at once by products with fixed
    bases, and the best is taken.

    The bends describe the curve. They are not the stages of painting, since a painter may change
    brushes without a change of pace, and the other way round: on processes of the stroke painter,
    whose stages are known, details begin .15 of the whole from the second bend on average.
    """
    points = profile_BK.shape[1]
    line_2K, bends_P2K, bends_at_P2 = map(jnp.asarray, _bases(points))
    product = functools.partial(jnp.einsum, precision="highest")
    centred_BK = profile_BK - jnp.mean(profile_BK, axis=1, keepdims=True)
    straight_BK = product("bj,jk->bk", product("bk,jk->bj", centred_BK, line_2K), line_2K)
    rest_BK = centred_BK - straight_BK
    weight_BP2 = product("bk,pjk->bpj", rest_BK, bends_P2K)
    explained_BP = weight_BP2[..., 0] ** 2 + weight_BP2[..., 1] ** 2
    best_B = jnp.argmax(explained_BP, axis=1)
    unexplained_B = jnp.sum(rest_BK**2, axis=1)
    # A straight line leaves only rounding, about 1e-7 of the curve's size.
    size_B = jnp.max(jnp.abs(profile_BK), axis=1)
    bent_B = unexplained_B > points * (1e-6 * size_B) ** 2
    gain_B = explained_BP[jnp.arange(len(best_B)), best_B] / jnp.where(bent_B, unexplained_B, 1)
    return Bends(
        jnp.where(bent_B[:, None], bends_at_P2[best_B], jnp.array([1 / 3, 2 / 3])),
        jnp.where(bent_B, jnp.clip(gain_B, 0, 1), 0),
    )


@functools.cache
def _bases(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal bases over the grid; those of the bends are orthogonal to straight lines.

    Returns:
      float32[2, K] of the straight lines, float32[P, 2, K] of each pair of bends, and the positions
      of the bends, float32[P, 2] in (0, 1).
    """
    grid_K = np.arange(points, dtype=np.float64)
    line_K2 = np.linalg.qr(np.stack([np.ones(points), grid_K], axis=1))[0]
    last = points - 1 - _SHORTEST
    pairs = [(i, j) for i in range(_SHORTEST, last + 1) for j in range(i + _SHORTEST, last + 1)]
    knots_P2 = np.array(pairs, np.int32)
    hinge_PK2 = np.maximum(grid_K[None, :, None] - knots_P2[:, None, :], 0)
    hinge_PK2 -= line_K2 @ (line_K2.T @ hinge_PK2)
    bends_PK2 = np.linalg.qr(hinge_PK2)[0]
    return (
        line_K2.T.astype(np.float32),
        np.swapaxes(bends_PK2, 1, 2).astype(np.float32),
        (knots_P2 / (points - 1)).astype(np.float32),
    )
