"""The Perceptual Distance Profile: how far a painting is from finished, over its progress.

For a process with frames x_1..x_N at progress s_i in [0, 1], a finished picture r and a perceptual
distance d, the profile is d(x_i, r) over s_i. The paper's own formula is not at hand; this is our
reading of it: r is the *recorded* finished picture for the recorded and the generated process
alike, profiles are brought to K evenly spaced points by linear interpolation, and the score of a
generated process is the mean absolute difference of the two, the area between the curves.

A profile says how progress is paced, not whether the frames look real: read it next to the
fidelity of the finished picture and of the frames in between.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

POINTS = 33

# Of a recorded set's curves, those between lie in its band.
LOW, HIGH = 0.1, 0.9


class Band(NamedTuple):
    """How a set of recorded processes proceeds: where its profiles lie, each float32[K].

    Attributes:
      mean_K: of the set.
      low_K: its 10th percentile.
      high_K: its 90th percentile.
      n: how many processes.
    """

    mean_K: jax.Array
    low_K: jax.Array
    high_K: jax.Array
    n: jax.Array


@functools.partial(jax.jit, static_argnames="points")
def profile(
    distance_BN: jax.Array, progress_BN: jax.Array, mask_BN: jax.Array, *, points: int = POINTS
) -> jax.Array:
    """Brings distances at any progress to an even grid from 0 to 1.

    Outside the covered progress the first and the last distance hold.

    Args:
      distance_BN: d(x_i, r), of frames in any order.
      progress_BN: in [0, 1]; frames of a row that share it have to share their distance, too.
      mask_BN: bool, True for frames, False for padding; at least one frame a row.
      points: K.

    Returns:
      float32[B, K].
    """
    grid_K = jnp.linspace(0.0, 1.0, points)

    def one(distance_N, progress_N, mask_N):
        # Padding goes behind the last frame, with the last frame's distance.
        s = jnp.where(mask_N, progress_N, 2.0)
        order = jnp.argsort(s)
        last = order[jnp.sum(mask_N) - 1]
        d = jnp.where(mask_N, distance_N, distance_N[last])
        return jnp.interp(grid_K, s[order], d[order])

    return jax.vmap(one)(distance_BN, progress_BN, mask_BN)


@jax.jit
def score(profile_BK: jax.Array, recorded_BK: jax.Array) -> jax.Array:
    """The area between two profiles, float32[B]; 0 = paced alike, lower is better."""
    return jnp.mean(jnp.abs(profile_BK - recorded_BK), axis=1)


@jax.jit
def relative(profile_BK: jax.Array) -> jax.Array:
    """Profiles as shares of their largest distance, so that media of other contrast compare.

    A profile of zeros stays one.
    """
    most_B1 = jnp.max(profile_BK, axis=1, keepdims=True)
    return jnp.where(most_B1 > 0, profile_BK / jnp.where(most_B1 > 0, most_B1, 1), 0)


@jax.jit
def band(profile_NK: jax.Array, mask_N: jax.Array) -> Band:
    """The band of a set of profiles.

    Args:
      profile_NK: of recorded processes.
      mask_N: bool, True for profiles, False for padding; at least one.
    """
    n = jnp.sum(mask_N)
    mean_K = jnp.sum(jnp.where(mask_N[:, None], profile_NK, 0), axis=0) / n
    rising_NK = jnp.sort(jnp.where(mask_N[:, None], profile_NK, jnp.inf), axis=0)

    def percentile(share):
        # Linear between the two nearest ranks, as numpy has it.
        at = share * (n - 1)
        below = jnp.floor(at).astype(jnp.int32)
        above = jnp.minimum(below + 1, n - 1)
        return rising_NK[below] + (at - below) * (rising_NK[above] - rising_NK[below])

    return Band(mean_K, percentile(LOW), percentile(HIGH), n)


@jax.jit
def inside(profile_BK: jax.Array, band: Band) -> jax.Array:
    """The share of each curve that lies within the band, its edges included: float32[B]."""
    return jnp.mean((profile_BK >= band.low_K) & (profile_BK <= band.high_K), axis=1)


@jax.jit
def to_band(profile_BK: jax.Array, band: Band) -> jax.Array:
    """The area between each curve and the mean of the set, float32[B]."""
    return score(profile_BK, band.mean_K[None])


@jax.jit
def monotonicity(distance_BN: jax.Array, mask_BN: jax.Array) -> jax.Array:
    """The share of a curve's movement that goes towards the finished picture.

    The sum of the falls from frame to frame over the sum of falls and rises: 1 = never away from
    the picture, 0.5 = as much away as towards it, 0 = always away. Weighing by size keeps it from
    counting flicker, and from changing when a steady stretch is cut into more frames. A curve
    that does not move at all gets 1.

    Args:
      distance_BN: distances in painted order.
      mask_BN: bool, True for frames; padding comes after them.

    Returns:
      float32[B] in [0, 1].
    """
    step = jnp.diff(distance_BN, axis=1) * mask_BN[:, 1:]
    falls = jnp.sum(jnp.maximum(-step, 0), axis=1)
    moves = jnp.sum(jnp.abs(step), axis=1)
    return jnp.where(moves > 0, falls / jnp.where(moves > 0, moves, 1), 1.0)
