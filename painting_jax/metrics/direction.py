"""Is a video in the order it was painted, or played backwards?

A painting begins empty: flat in colour and without edges. Two amounts are followed over the video,
the energy of edges and the variance of colour, each by whether it grows (Kendall's tau against
time) and by how much emptier the first frame is than the last. All four change sign when the video
is reversed. They are only believed as far as the video is in an order at all. Shuffled frames are
told from ordered ones where there are about eight or more; three or four can lie in order by
chance. A video that begins with the painting well under way may leave it unsure.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from painting_jax.diffusion import losses as structure_loss

# A score nearer to 0 decides nothing.
_UNSURE = 0.2

# Pixels a side at which frames are compared with each other: noise and grain are averaged away.
_SMALL = 16


class Direction(NamedTuple):
    """Of B videos.

    Attributes:
      sign_B: int32, 1 = in painted order, -1 = reversed, 0 = unsure.
      score_B: in [-1, 1]; reversing a video changes its sign.
      ordered_B: in [0, 1], how far the frames are in any order at all.
    """

    sign_B: jax.Array
    score_B: jax.Array
    ordered_B: jax.Array


@jax.jit
def direction(frames_BTHWC: jax.Array, mask_BT: jax.Array) -> Direction:
    """Tells the direction of videos.

    Args:
      frames_BTHWC: RGB uint8, at least 8 x 8 pixels and two frames.
      mask_BT: bool, True for frames; padding comes after them.
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
        found
        for amount_BT in (edges_BT, variance_BT)
        for found in (_growth(amount_BT, mask_BT), _emptier(amount_BT, last_B))
    ]
    score_B = ordered_B * sum(evidence) / len(evidence)
    sign_B = jnp.where(jnp.abs(score_B) < _UNSURE, 0, jnp.sign(score_B)).astype(jnp.int32)
    return Direction(sign_B, score_B, ordered_B)


def _float(frames: jax.Array) -> jax.Array:
    return frames.astype(jnp.float32) / 127.5 - 1


def _edges(frame_BHWC: jax.Array) -> jax.Array:
    """Energy of edges, from fine to coarse, beyond that of one colour: float32[B]."""

    def energy(frames):
        scales = structure_loss.energies(frames[:, None])
        return sum(jnp.mean(found, axis=(1, 2, 3)) for found in scales)

    return jnp.maximum(energy(frame_BHWC) - energy(jnp.zeros((1, 8, 8, 3))), 0)


def _variance(frame_BHWC: jax.Array) -> jax.Array:
    """Root of the variance of colours over the canvas: float32[B]."""
    centred = frame_BHWC - jnp.mean(frame_BHWC, axis=(1, 2), keepdims=True)
    return jnp.sqrt(jnp.mean(centred**2, axis=(1, 2, 3)))


def _ordered(small_TBD: jax.Array, mask_BT: jax.Array, last_B: jax.Array) -> jax.Array:
    """How far frames are in an order that may be either: float32[B] in [0, 1].

    The mean of two signs of it, each 0 on average for shuffled frames. Of any three frames the
    outer two differ most; and frames move away from the first one and towards the last.
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
    # The ends are nearest to themselves in any order: only the frames between them tell.
    inner_BT = mask_BT & (place_T > 0) & (place_T < last_B[:, None])
    from_last_BT = apart_BTT[jnp.arange(len(last_B)), last_B]
    along_B = _growth(apart_BTT[:, 0] - from_last_BT, inner_BT)
    ordered_B = jnp.maximum((threes_B + along_B) / 2, 0)
    # With fewer than two frames between the ends nothing speaks against an order.
    return jnp.where(jnp.sum(inner_BT, axis=1) < 2, 1, ordered_B)


def _growth(amount_BT: jax.Array, mask_BT: jax.Array) -> jax.Array:
    """Kendall's tau of an amount against time: float32[B] in [-1, 1]."""
    count = amount_BT.shape[1]
    pair_BTT = mask_BT[:, :, None] & mask_BT[:, None, :] & jnp.triu(jnp.ones((count,) * 2, bool), 1)
    rises_BTT = jnp.sign(amount_BT[:, None, :] - amount_BT[:, :, None])
    pairs_B = jnp.sum(pair_BTT, axis=(1, 2))
    return jnp.sum(jnp.where(pair_BTT, rises_BTT, 0), axis=(1, 2)) / jnp.maximum(pairs_B, 1)


def _emptier(amount_BT: jax.Array, last_B: jax.Array) -> jax.Array:
    """How much less there is in the first frame than in the last: float32[B] in [-1, 1]."""
    first_B, end_B = amount_BT[:, 0], amount_BT[jnp.arange(len(last_B)), last_B]
    return (end_B - first_B) / jnp.maximum(end_B + first_B, 1e-6)
