"""How a video moves: how much changes from frame to frame, where, and whether it stays.

A painter works somewhere and what is painted stays; noise works everywhere and is undone at once.
Colours are RGB in [0, 1].
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from painting_jax.metrics import pdp

# A channel that moves by no more has not moved: compression does that.
STILL = 0.01
# A pixel is changed when one of its channels moves by more.
CHANGED = 0.05


class Movement(NamedTuple):
    """Of B videos, S = T - 1 steps from frame to frame; 0 for steps into padding.

    Attributes:
      change_BS: mean absolute difference of the two frames, over pixels and channels.
      share_BS: the share of the canvas that changes by more than `CHANGED`.
      undone_BS: of the movement of the step before, how much this step takes back, mean over
        pixels and channels.
      active_BS: bool, steps in which anything moves by more than `STILL`.
      flicker_B: the share of all movement that the next active step undoes, in [0, 1]. 0 where
        every channel of every pixel only rises or only falls; about 0.6 for noise.
    """

    change_BS: jax.Array
    share_BS: jax.Array
    undone_BS: jax.Array
    active_BS: jax.Array
    flicker_B: jax.Array


@jax.jit
def movement(frames_BTHWC: jax.Array, mask_BT: jax.Array) -> Movement:
    """Measures movement; frames inserted that repeat the one before change no flicker.

    Each channel of each pixel is followed with hysteresis: its value is held until it is left by
    more than `STILL`, so that slow fades count in full and the rounding of a codec does not.

    Args:
      frames_BTHWC: RGB uint8.
      mask_BT: bool, True for frames; padding comes after them.
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
        # A still frame is passed over: what came before it is what the next one may undo.
        moved = jnp.where(active_B[:, None, None, None], move, moved)
        found = (
            jnp.where(valid_B, jnp.mean(apart, axis=axes), 0),
            jnp.where(valid_B, jnp.mean(most_BHW > CHANGED, axis=(1, 2)), 0),
            jnp.mean(back, axis=axes),
            active_B,
            path_B,
        )
        return (frame, held + move, moved), found

    frames_TBHWC = jnp.swapaxes(frames_BTHWC, 0, 1)
    first = frames_TBHWC[0].astype(jnp.float32) / 255
    start = (first, first, jnp.zeros_like(first))
    _, found = jax.lax.scan(step, start, (frames_TBHWC[1:], mask_BT.T[1:]))
    change_BS, share_BS, undone_BS, active_BS, path_BS = (x.T for x in found)
    path_B = jnp.sum(path_BS, axis=1)
    flicker_B = jnp.sum(undone_BS, axis=1) / jnp.where(path_B > 0, path_B, 1)
    return Movement(change_BS, share_BS, undone_BS, active_BS, flicker_B)


@jax.jit
def typical_share(movement: Movement) -> jax.Array:
    """The share of the canvas that changes in an active step, on average: float32[B]."""
    steps_B = jnp.sum(movement.active_BS, axis=1)
    total_B = jnp.sum(movement.share_BS * movement.active_BS, axis=1)
    return total_B / jnp.maximum(steps_B, 1)


@jax.jit
def work_profile(movement: Movement, progress_BT: jax.Array, mask_BT: jax.Array) -> jax.Array:
    """The share of all change that is done by each progress: float32[B, K], from 0 to 1.

    Two of them are compared by `pdp.score`. A video that never changes gets zeros: one in which no
    step moves anything by more than `STILL`.
    """
    moves_B1 = jnp.any(movement.active_BS, axis=1, keepdims=True)
    change_BS = jnp.where(moves_B1, movement.change_BS, 0)
    done_BT = jnp.pad(jnp.cumsum(change_BS, axis=1), ((0, 0), (1, 0)))
    all_B1 = done_BT[:, -1:]
    share_BT = jnp.where(all_B1 > 0, done_BT / jnp.where(all_B1 > 0, all_B1, 1), 0)
    return pdp.profile(share_BT, progress_BT, mask_BT)
