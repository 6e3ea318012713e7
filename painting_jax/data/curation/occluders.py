"""Hands, tools and their shadows, found without a network: paint stays, a hand does not.

A pixel that shows the canvas has the colour that it had shortly before, or the one that it keeps
from then on, if it has just been painted. What has neither lies before the canvas.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, UInt8
from scipy import ndimage

REACH = 8  # frames before and after that a pixel is compared with

_SOON = 3  # frames for which paint stays that is soon painted over
_SHRUNK = 2  # pixels of a frame, in each direction, that one of the mask stands for
_LEAST, _NOISE = 8.0, 3.0  # difference that shows: levels of 255, and deviations of the noise
_CLOSED, _GROWN = 2, 3  # pixels of the mask over which gaps are closed, and by which it grows
_SMALLEST = 2e-3  # area of an occluder, as a share of the frame


def occluded(
    frames_THWC: UInt8[np.ndarray, "t h w 3"], reach: int = REACH
) -> Bool[np.ndarray, "t h w"]:
    """Where something lies before the canvas.

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front, in even light.
      reach: Frames before and after that a pixel is compared with. What stays in one place for
        half of them is taken for paint.
    """
    count, height, width, _ = frames_THWC.shape
    reach = min(reach, count - 1)
    if reach < 1:
        return np.zeros((count, height, width), bool)
    strange_THW = np.asarray(_strange(frames_THWC, reach))
    # Components of each frame, all at once: pixels of different frames do not touch.
    within = np.zeros((3, 3, 3), bool)
    within[1] = True
    labels_THW, _ = ndimage.label(strange_THW, within)
    large_L = np.bincount(labels_THW.ravel()) >= _SMALLEST * strange_THW[0].size
    large_L[0] = False
    mask_THW = np.asarray(_grown(large_L[labels_THW]))
    mask_THW = mask_THW.repeat(_SHRUNK, 1).repeat(_SHRUNK, 2)
    edges = ((0, 0), (0, height - mask_THW.shape[1]), (0, width - mask_THW.shape[2]))
    return np.pad(mask_THW, edges, mode="edge")


@functools.partial(jax.jit, static_argnames="reach")
def _strange(frames_THWC: jax.Array, reach: int) -> jax.Array:
    """Pixels that are neither as before nor as afterwards, without specks: bool[T, H/2, W/2]."""
    window = (_SHRUNK, _SHRUNK, 1)

    def shrunk(frame_HWC: jax.Array) -> jax.Array:
        sums_HWC = lax.reduce_window(
            frame_HWC.astype(jnp.float32), 0.0, lax.add, window, window, "valid"
        )
        return sums_HWC / _SHRUNK**2

    small_THWC = lax.map(shrunk, frames_THWC)
    # The first frame and the last one are believed.
    long_NHWC = jnp.pad(small_THWC, ((reach, reach), (0, 0), (0, 0), (0, 0)), mode="edge")

    # Most differences between frames are noise: a normal one of 1 has a median of 0.67.
    noise = jnp.median(jnp.abs(jnp.diff(small_THWC, axis=0)).max(-1)) / 0.67
    seen = jnp.maximum(_LEAST, _NOISE * noise)

    def apart(one_HWC: jax.Array, other_HWC: jax.Array) -> jax.Array:
        return jnp.abs(one_HWC - other_HWC).max(-1) > seen

    def strange(t: jax.Array) -> jax.Array:
        now_HWC, soon = long_NHWC[t + reach], min(_SOON, reach)
        before_HWC, after_HWC, soon_HWC = (
            jnp.median(lax.dynamic_slice_in_dim(long_NHWC, at, length), 0)
            for at, length in ((t, reach), (t + reach + 1, reach), (t + reach + 1, soon))
        )
        neither_HW = apart(now_HWC, before_HWC) & apart(now_HWC, after_HWC)
        # What is painted over at once stays for a few frames only, and the canvas is another then.
        painted_HW = apart(before_HWC, after_HWC) & ~apart(now_HWC, soon_HWC)
        return neither_HW & ~painted_HW

    strange_THW = lax.map(strange, jnp.arange(len(small_THWC)))
    return _spread(_spread(strange_THW, 1, lax.min), 1, lax.max)


@jax.jit
def _grown(mask_THW: jax.Array) -> jax.Array:
    """The mask with its gaps closed, and grown over soft borders."""
    closed_THW = _spread(_spread(mask_THW, _CLOSED, lax.max), _CLOSED, lax.min)
    return _spread(closed_THW, _GROWN, lax.max)


def _spread(mask_THW: jax.Array, by: int, of) -> jax.Array:
    """Each pixel as the least or the most of those around it; what lies outside has no say."""
    side = 2 * by + 1
    start = 1.0 if of is lax.min else 0.0
    around = lax.reduce_window(
        mask_THW.astype(jnp.float32), start, of, (1, side, side), (1, 1, 1), "same"
    )
    return around > 0.5
