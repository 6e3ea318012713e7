"""Noise of the camera and the codec taken out: each pixel as the mean of when it looked alike."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import UInt8

_APART = (1, 2, 4, 7, 11, 16)  # frames before and after; codecs repeat their noise in the next
_SHRUNK = 2  # pixels, in each direction, that are compared at once
_NOISE = 8.0  # levels of 255 by which a codec changes them; paint changes them by more


def denoised(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames whose pixels are means over time, of frames that show the same there.

    A frame counts by exp(-(d / 8)²), where d is the root mean square of the difference in levels
    of 255. So a stroke stays as sharp as it was, and appears when it did.

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front, without occluders.
    """
    return np.asarray(_denoised(frames_THWC))


@jax.jit
def _denoised(frames_THWC: jax.Array) -> jax.Array:
    count, height, width, _ = frames_THWC.shape
    apart_N = jnp.array([sign * by for by in _APART for sign in (-1, 1)])

    def compared(one_HWC: jax.Array, other_HWC: jax.Array) -> jax.Array:
        """How much one frame tells of the other: float[H, W]."""
        square_HW = jnp.square(one_HWC - other_HWC).mean(-1)
        edges = ((0, -height % _SHRUNK), (0, -width % _SHRUNK))
        blocks = jnp.pad(square_HW, edges, mode="edge").reshape(
            (height + edges[0][1]) // _SHRUNK, _SHRUNK, -1, _SHRUNK
        )
        weight = jnp.exp(-blocks.mean((1, 3)) / _NOISE**2)
        return weight.repeat(_SHRUNK, 0).repeat(_SHRUNK, 1)[:height, :width]

    def each(t: jax.Array) -> jax.Array:
        now_HWC = frames_THWC[t].astype(jnp.float32)

        def add(total: tuple[jax.Array, jax.Array], by: jax.Array):
            sum_HWC, weight_HW = total
            at = t + by
            other_HWC = frames_THWC[jnp.clip(at, 0, count - 1)].astype(jnp.float32)
            is_there = (at >= 0) & (at < count)
            tells_HW = jnp.where(is_there, compared(now_HWC, other_HWC), 0)
            return (sum_HWC + tells_HW[..., None] * other_HWC, weight_HW + tells_HW), None

        start = now_HWC, jnp.ones((height, width))
        (sum_HWC, weight_HW), _ = lax.scan(add, start, apart_N)
        return jnp.round(sum_HWC / weight_HW[..., None]).astype(jnp.uint8)

    return lax.map(each, jnp.arange(count))
