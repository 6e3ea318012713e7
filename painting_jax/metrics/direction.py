"""The direction of a video: in the order it was painted, or backwards.

A painting begins empty: flat in colour and without edges. Two quantities are followed over the
video, the energy of edges and the variance of colour. Each gives two pieces of evidence: whether it
grows (Kendall's tau against time), and how much smaller it is in the first frame than in the last.
All four change sign when the video is reversed. They are weighted by how far the frames are in any
order at all. Shuffled frames are detected from about eight frames on; three or four can be in order
by chance. A video that begins with a half-finished painting may remain undecided.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from painting_jax.models.edge_energy import edge_energies

# Scores closer to 0 leave the direction undecided.
_UNSURE = 0.2

# Pixels a side at which frames are compared with each other; averages out noise and grain.
_SMALL = 16


class Direction(NamedTuple):
    """Directions of B videos.

    Attributes:
      sign_B: int32, 1 = in painted order, -1 = reversed, 0 = undecided.
      score_B: Evidence in [-1, 1]; its sign changes when the video is reversed.
      ordered_B: How far the frames are in any order at all, in [0, 1].
    """

    sign_B: jax.Array
    score_B: jax.Array
    ordered_B: jax.Array


@jax.jit
def direction(frames_BTHWC: jax.Array, mask_BT: jax.Array) -> Direction:
    """Determines the direction of videos.

    Args:
      frames_BTHWC: RGB uint8, at least 8 x 8 pixels and two frames.
      mask_BT: bool, True for frames, False for the padding after them.
    """

    def measure(frame_BHWC):
        frame = _float(frame_BHWC)
        small = jax.image.resize(frame, (len(frame), _SMALL, _SMALL, 3), "linear", antialias=True)
        return _edges(frame), _variance(frame), small.reshape(len(frame), -1)

    edges_TB, variance_TB, small_TBD = jax.lax.map(measure, jnp.swapaxes(frames_BTHWC, 0, 1))
    edges_BT, variance_BT = edges_TB.T, variance_TB.T
    last_B = jnp.sum(mask_BT, axis=1) - 1
    ordered_B = _ordered(small_TBD, mask_BT, last_B)
    evidence = [
        evidence_B
        for amount_BT in (edges_BT, variance_BT)
        for evidence_B in (_growth(amount_BT, mask_BT), _relative_growth(amount_BT, last_B))
    ]
    score_B = ordered_B * sum(evidence) / len(evidence)
    sign_B = jnp.where(jnp.abs(score_B) < _UNSURE, 0, jnp.sign(score_B)).astype(jnp.int32)
    return Direction(sign_B, score_B, ordered_B)


def _float(frames: jax.Array) -> jax.Array:
    return frames.astype(jnp.float32) / 127.5 - 1


def _edges(frame_BHWC: jax.Array) -> jax.Array:
    """Energy of edges over all scales, less that of a uniform picture: float32[B]."""

    def energy(frames):
        return sum(jnp.mean(x, axis=(1, 2, 3)) for x in edge_energies(frames[:, None]))

    return jnp.maximum(energy(frame_BHWC) - energy(jnp.zeros((1, 8, 8, 3))), 0)


def _variance(frame_BHWC: jax.Array) -> jax.Array:
    """Standard deviation of colours over the canvas: float32[B]."""
    centred = frame_BHWC - jnp.mean(frame_BHWC, axis=(1, 2), keepdims=True)
    return jnp.sqrt(jnp.mean(centred**2, axis=(1, 2, 3)))


def _ordered(small_TBD: jax.Array, mask_BT: jax.Array, last_B: jax.Array) -> jax.Array:
    """How far frames are in order, in either direction: float32[B] in [0, 1].

    The mean of two indicators, each 0 on average for shuffled frames: among three frames the outer
    two differ most, and frames move away from the first one and towards the last.
    """
    apart_TTB = jax.lax.map(lambda x_BD: jnp.mean(jnp.abs(small_TBD - x_BD), axis=-1), small_TBD)
    apart_BTT = jnp.moveaxis(apart_TTB, -1, 0)
    place_T = jnp.arange(mask_BT.shape[1])
    rising_TT = place_T[:, None] < place_T
    three_TTT = rising_TT[:, :, None] & rising_TT[None]

    def of_three(apart_TT, mask_T):
        three = three_TTT & mask_T[:, None, None] & mask_T[:, None] & mask_T
        inner_TTT = jnp.maximum(apart_TT[:, :, None], apart_TT[None])
        outer = jnp.sum(three & (apart_TT[:, None] >= inner_TTT))
        # One in three by chance.
        return 1.5 * outer / jnp.maximum(jnp.sum(three), 1) - 0.5

    threes_B = jax.vmap(of_three)(apart_BTT, mask_BT)
    # The ends are nearest to themselves in any order: only frames between them are evidence.
    inner_BT = mask_BT & (place_T > 0) & (place_T < last_B[:, None])
    from_last_BT = apart_BTT[jnp.arange(len(last_B)), last_B]
    along_B = _growth(apart_BTT[:, 0] - from_last_BT, inner_BT)
    ordered_B = jnp.maximum((threes_B + along_B) / 2, 0)
    # With fewer than two frames between the ends there is no evidence against an order.
    return jnp.where(jnp.sum(inner_BT, axis=1) < 2, 1, ordered_B)


def _growth(amount_BT: jax.Array, mask_BT: jax.Array) -> jax.Array:
    """Kendall's tau of an amount against time: float32[B] in [-1, 1]."""
    count = amount_BT.shape[1]
    pair_BTT = mask_BT[:, :, None] & mask_BT[:, None, :] & jnp.triu(jnp.ones((count,) * 2, bool), 1)
    rises_BTT = jnp.sign(amount_BT[:, None, :] - amount_BT[:, :, None])
    pairs_B = jnp.sum(pair_BTT, axis=(1, 2))
    return jnp.sum(jnp.where(pair_BTT, rises_BTT, 0), axis=(1, 2)) / jnp.maximum(pairs_B, 1)


def _relative_growth(amount_BT: jax.Array, last_B: jax.Array) -> jax.Array:
    """Relative growth of an amount from the first to the last frame: float32[B] in [-1, 1]."""
    first_B, end_B = amount_BT[:, 0], amount_BT[jnp.arange(len(last_B)), last_B]
    return (end_B - first_B) / jnp.maximum(end_B + first_B, 1e-6)
