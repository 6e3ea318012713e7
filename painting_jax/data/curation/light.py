"""Changes of the light, taken out of a recording."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, UInt8

# Side of the blocks whose colours are compared, in pixels, and a level of 255 that damps dark ones.
_BLOCK, _DARK = 8, 8.0


def gains(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t 3"]:
    """By what each channel of each frame is to be multiplied for an even light; 1 on average.

    From one frame to the next most of a picture stays as it is: what most of its blocks change by
    is the light. So neither a hand nor a stroke matters, as long as it covers less than half.

    Args:
      frames_THWC: uint8 RGB.
    """
    block = min(_BLOCK, *frames_THWC.shape[1:3])
    return np.asarray(_gains(frames_THWC, block))


@functools.partial(jax.jit, static_argnames="block")
def _gains(frames_THWC: jax.Array, block: int) -> jax.Array:
    _, height, width, _ = frames_THWC.shape
    rows, columns = height // block, width // block

    def blocks(frame_HWC: jax.Array) -> jax.Array:
        cut_HWC = frame_HWC[: rows * block, : columns * block].astype(jnp.float32)
        blocks_RSC = cut_HWC.reshape(rows, block, columns, block, 3).mean((1, 3))
        return blocks_RSC.reshape(rows * columns, 3) + _DARK

    # One frame after the other, so that a film is never in memory as floats.
    blocks_TBC = lax.map(blocks, frames_THWC)
    steps_T3 = jnp.median(blocks_TBC[:-1] / blocks_TBC[1:], axis=1)
    gains_T3 = jnp.concatenate([jnp.ones((1, 3)), jnp.cumprod(steps_T3, axis=0)])
    return gains_T3 / gains_T3.mean(0)


@jax.jit
def evened(
    frames_THWC: UInt8[jax.Array, "t h w 3"], gains_T3: Float[jax.Array, "t 3"]
) -> UInt8[jax.Array, "t h w 3"]:
    """The frames multiplied by `gains`."""

    def one(frame_and_gain: tuple[jax.Array, jax.Array]) -> jax.Array:
        frame_HWC, gain_3 = frame_and_gain
        return jnp.clip(frame_HWC * gain_3 + 0.5, 0, 255).astype(jnp.uint8)

    return lax.map(one, (frames_THWC, gains_T3))
