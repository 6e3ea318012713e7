"""Motion of a video: how much changes from frame to frame, where, and whether it stays.

A painter works in one place and the paint stays; noise works everywhere and is undone at once.
Colours are RGB in [0, 1].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from painting_jax.metrics import pdp

# Largest change of a channel that still counts as none: compression causes as much.
STILL = 0.01
# A pixel has changed if one of its channels moves by more.
CHANGED = 0.05


class Movement(NamedTuple):
    """Movement of B videos over S = T - 1 steps; 0 for steps into padding.

    Attributes:
      change_BS: Mean absolute difference of the two frames, over pixels and channels.
      share_BS: Share of the canvas that changes by more than `CHANGED`.
      active_BS: bool, whether anything moves by more than `STILL`.
      flicker_B: Share of all movement that the next active step undoes, in [0, 1]. 0 if every
        channel of every pixel only rises or only falls. T frames of noise have 0.5 (T - 2) /
        (T - 1): of three independent values the middle one in time is the largest or the smallest
        in two of three cases, and the next step then undoes the smaller of the two movements. The
        last step has no next one.
    """

    change_BS: jax.Array
    share_BS: jax.Array
    active_BS: jax.Array
    flicker_B: jax.Array


@jax.jit
def movement(frames_BTHWC: jax.Array, mask_BT: jax.Array) -> Movement:
    """Measures movement; repeated frames do not change the flicker.

    Each channel of each pixel is followed with hysteresis: its value is held until it moves by more
    than `STILL`, so that slow fades count in full and codec rounding does not count.

    Args:
      frames_BTHWC: RGB uint8.
      mask_BT: bool, True for frames, False for the padding after them.
    """
    axes = (1, 2, 3)

    def step(carry, now):
        before, held, moved = carry
        frame_BHWC, valid_B = now
        frame = frame_BHWC.astype(jnp.float32) / 255
        apart = jnp.abs(frame - before)
        most_BHW = jnp.maximum(jnp.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])
        move = jnp.where(jnp.abs(frame - held) > STILL, frame - held, 0)
        move = jnp.where(valid_B[:, None, None, None], move, 0)
        path_B = jnp.mean(jnp.abs(move), axis=axes)
        active_B = path_B > 0
        back = jnp.where(move * moved < 0, jnp.minimum(jnp.abs(move), jnp.abs(moved)), 0)
        # Skip still frames: the next active step may undo what came before them.
        moved = jnp.where(active_B[:, None, None, None], move, moved)
        outputs = (
            jnp.where(valid_B, jnp.mean(apart, axis=axes), 0),
            jnp.where(valid_B, jnp.mean(most_BHW > CHANGED, axis=(1, 2)), 0),
            jnp.mean(back, axis=axes),
            active_B,
            path_B,
        )
        return (frame, held + move, moved), outputs

    frames_TBHWC = jnp.swapaxes(frames_BTHWC, 0, 1)
    first = frames_TBHWC[0].astype(jnp.float32) / 255
    start = (first, first, jnp.zeros_like(first))
    _, outputs = jax.lax.scan(step, start, (frames_TBHWC[1:], mask_BT.T[1:]))
    change_BS, share_BS, undone_BS, active_BS, path_BS = (x.T for x in outputs)
    path_B = jnp.sum(path_BS, axis=1)
    flicker_B = jnp.sum(undone_BS, axis=1) / jnp.where(path_B > 0, path_B, 1)
    return Movement(change_BS, share_BS, active_BS, flicker_B)


@jax.jit
def typical_share(movement: Movement) -> jax.Array:
    """Mean share of the canvas that changes in an active step: float32[B]."""
    steps_B = jnp.sum(movement.active_BS, axis=1)
    total_B = jnp.sum(movement.share_BS * movement.active_BS, axis=1)
    return total_B / jnp.maximum(steps_B, 1)


@jax.jit
def work_profile(movement: Movement, progress_BT: jax.Array, mask_BT: jax.Array) -> jax.Array:
    """Cumulative share of all change over progress: float32[B, K], from 0 to 1.

    `pdp.score` compares two of them. A video in which no step moves anything by more than `STILL`
    gets zeros.
    """
    moves_B1 = jnp.any(movement.active_BS, axis=1, keepdims=True)
    change_BS = jnp.where(moves_B1, movement.change_BS, 0)
    done_BT = jnp.pad(jnp.cumsum(change_BS, axis=1), ((0, 0), (1, 0)))
    all_B1 = done_BT[:, -1:]
    share_BT = jnp.where(all_B1 > 0, done_BT / jnp.where(all_B1 > 0, all_B1, 1), 0)
    return pdp.profile(share_BT, progress_BT, mask_BT)
