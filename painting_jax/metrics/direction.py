"""Is a video in the order it was painted, or played backwards?

A painting begins empty: flat in colour and without edges. Two amounts are followed over the video,
the energy of edges and the variance of colour, each by whether it grows (Kendall's tau against
time) and by how much emptier the first frame is than the last. All four change sign when the video
is reversed. They are only believed as far as the video is in an order at all: as far as frames
move, in time, away from the first and towards the last one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from painting_jax.diffusion import structure_loss

# A score nearer to 0 decides nothing.
_UNSURE = 0.3


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
    frames_TBHWC = jnp.swapaxes(frames_BTHWC, 0, 1)
    last_B = jnp.sum(mask_BT, axis=1) - 1
    ends = [_float(frames_BTHWC[:, 0]), _float(frames_BTHWC[jnp.arange(len(last_B)), last_B])]

    def measure(frame_BHWC):
        frame = _float(frame_BHWC)
        from_first_B, from_last_B = (jnp.mean(jnp.abs(frame - end), axis=(1, 2, 3)) for end in ends)
        return _edges(frame), _variance(frame), from_first_B - from_last_B

    edges_BT, variance_BT, between_BT = (x.T for x in jax.lax.map(measure, frames_TBHWC))
    # The ends are nearest to themselves in any order: only the frames between them tell.
    inner_BT = mask_BT & (jnp.arange(mask_BT.shape[1]) > 0)
    inner_BT &= jnp.arange(mask_BT.shape[1]) < last_B[:, None]
    few_B = jnp.sum(inner_BT, axis=1) < 2
    ordered_B = jnp.where(few_B, 1, jnp.maximum(_growth(between_BT, inner_BT), 0))
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
    """Energy of edges, from fine to coarse: float32[B]."""
    scales = structure_loss.energies(frame_BHWC[:, None])
    return sum(jnp.mean(energy, axis=(1, 2, 3)) for energy in scales)


def _variance(frame_BHWC: jax.Array) -> jax.Array:
    """Root of the variance of colours over the canvas: float32[B]."""
    centred = frame_BHWC - jnp.mean(frame_BHWC, axis=(1, 2), keepdims=True)
    return jnp.sqrt(jnp.mean(centred**2, axis=(1, 2, 3)))


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
