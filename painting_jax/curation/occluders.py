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

REACH = 6  # frames before and after that a pixel is compared with

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
    # Before the first frame and after the last one the film is mirrored.
    long_NHWC = jnp.pad(small_THWC, ((reach, reach), (0, 0), (0, 0), (0, 0)), mode="reflect")

    def apart(t: jax.Array) -> jax.Array:
        now_HWC = long_NHWC[t + reach]
        sides = (lax.dynamic_slice_in_dim(long_NHWC, at, reach) for at in (t, t + reach + 1))
        apart_2HW = [jnp.abs(now_HWC - jnp.median(side, 0)).max(-1) for side in sides]
        return jnp.minimum(*apart_2HW)

    apart_THW = lax.map(apart, jnp.arange(len(small_THWC)))
    # Most differences between frames are noise: a normal one of 1 has a median of 0.67.
    noise = jnp.median(jnp.abs(jnp.diff(small_THWC, axis=0)).max(-1)) / 0.67
    strange_THW = apart_THW > jnp.maximum(_LEAST, _NOISE * noise)
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
