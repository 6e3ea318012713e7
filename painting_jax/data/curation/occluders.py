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

_STRIDE = 4  # frames between those of the longer comparison
_HELD = 0.2  # share of what it finds in one piece that the shorter one must have found
_SOON = 3  # frames for which paint stays that is soon painted over
_SHRUNK = 2  # pixels of a frame, in each direction, that one of the mask stands for
_LEAST, _NOISE = 8.0, 3.0  # difference that shows: levels of 255, and deviations of the noise
_CLOSED, _GROWN = 2, 3  # pixels of the mask over which gaps are closed, and by which it grows
_SMALLEST = 2e-3  # area of an occluder, as a share of the frame
_BORDER = 2  # pixels of the mask at its border; the canvas may be found a pixel too large
_USUAL = 0.1  # share of the frames that hold one, where there is a hand at all
_LONG = 4  # frames, by those that a pixel is compared with, from which on others tell of the ends
_LIKE_OTHERS = 0.5  # area, by that of others, of what only one side tells


def occluded(
    frames_THWC: UInt8[np.ndarray, "t h w 3"], reach: int = REACH, *, from_outside: bool = True
) -> Bool[np.ndarray, "t h w"]:
    """Where something lies before the canvas.

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front, in even light.
      reach: Frames before and after that a pixel is compared with. What stays in one place for
        half of them is taken for paint.
      from_outside: Whether it reaches in from beyond the canvas, as arms do.
    """
    count, height, width, _ = frames_THWC.shape
    reach = min(reach, count - 1)
    if reach < 1:
        return np.zeros((count, height, width), bool)
    strange_THW, longer_THW, same_THW, ends_THW = map(np.asarray, _strange(frames_THWC, reach))
    certain_THW = _large(strange_THW, _SMALLEST)
    shares_T = certain_THW.mean((1, 2))
    # In a short recording nearly every frame is at an end, and no others tell what is usual.
    if count >= _LONG * reach and (shares_T > 0).mean() > _USUAL:
        # A hand in the first frame or the last one is about as large as in the others.
        certain_THW |= _large(ends_THW, _LIKE_OTHERS * float(np.median(shares_T[shares_T > 0])))
    # What rests in one place for long counts if it belongs to something that moves.
    labels_THW = _components(certain_THW | longer_THW)
    sizes_L = np.bincount(labels_THW.ravel())
    certain_L = np.bincount(labels_THW.ravel(), certain_THW.ravel())
    held_L = certain_L >= _HELD * sizes_L
    held_L[0] = False
    mask_THW = np.asarray(_grown(certain_THW | _resting(held_L[labels_THW], certain_THW, same_THW)))
    if from_outside:
        mask_THW = _reaching_in(mask_THW)
    mask_THW = mask_THW.repeat(_SHRUNK, 1).repeat(_SHRUNK, 2)
    edges = ((0, 0), (0, height - mask_THW.shape[1]), (0, width - mask_THW.shape[2]))
    return np.pad(mask_THW, edges, mode="edge")


def _large(mask_THW: np.ndarray, least: float) -> np.ndarray:
    """The components of the mask that cover at least such a share of the frame."""
    labels_THW = _components(mask_THW)
    sizes_L = np.bincount(labels_THW.ravel())
    return (sizes_L >= least * mask_THW[0].size)[labels_THW] & mask_THW


def _reaching_in(mask_THW: np.ndarray) -> np.ndarray:
    """The components of the mask that touch the border."""
    labels_THW = _components(mask_THW)
    reaches_L = np.zeros(labels_THW.max() + 1, bool)
    for axis in (1, 2):
        for side in (slice(_BORDER), slice(-_BORDER, None)):
            reaches_L[np.take(labels_THW, np.arange(labels_THW.shape[axis])[side], axis)] = True
    reaches_L[0] = False
    return reaches_L[labels_THW]


def _components(mask_THW: np.ndarray) -> np.ndarray:
    """Components of each frame, numbered through: pixels of different frames do not touch."""
    within = np.zeros((3, 3, 3), bool)
    within[1] = True
    return ndimage.label(mask_THW, within)[0]


@functools.partial(jax.jit, static_argnames="reach")
def _strange(frames_THWC: jax.Array, reach: int) -> tuple[jax.Array, ...]:
    """Pixels that are neither as before nor as afterwards, without specks: bool[T, H/2, W/2] each.

    First of some frames around each, then of as many that lie further apart. Then where frames are
    as the ones before them, and what is strange near both ends, where one side alone tells.
    """
    window = (_SHRUNK, _SHRUNK, 1)

    def shrunk(frame_HWC: jax.Array) -> jax.Array:
        sums_HWC = lax.reduce_window(
            frame_HWC.astype(jnp.float32), 0.0, lax.add, window, window, "valid"
        )
        return sums_HWC / _SHRUNK**2

    small_THWC = lax.map(shrunk, frames_THWC)
    # The first frame and the last one are believed, or not: beyond them is what is within.
    around = reach * _STRIDE
    padding = ((around, around), (0, 0), (0, 0), (0, 0))
    believed_NHWC, mirrored_NHWC = (
        jnp.pad(small_THWC, padding, mode=mode) for mode in ("edge", "reflect")
    )

    # Most differences between frames are noise: a normal one of 1 has a median of 0.67.
    noise = jnp.median(jnp.abs(jnp.diff(small_THWC, axis=0)).max(-1)) / 0.67
    seen = jnp.maximum(_LEAST, _NOISE * noise)

    def apart(one_HWC: jax.Array, other_HWC: jax.Array) -> jax.Array:
        return jnp.abs(one_HWC - other_HWC).max(-1) > seen

    def views(
        long_NHWC: jax.Array, t: jax.Array, count: int, stride: int = 1
    ) -> tuple[jax.Array, jax.Array]:
        """What is usual in so many frames before one, and in as many after it."""
        at = t + around + stride * jnp.arange(1, count + 1)
        return _median(long_NHWC[2 * (t + around) - at]), _median(long_NHWC[at])

    def strange(long_NHWC: jax.Array, t: jax.Array) -> jax.Array:
        now_HWC = long_NHWC[t + around]
        before_HWC, after_HWC = views(long_NHWC, t, reach)
        _, soon_HWC = views(long_NHWC, t, min(_SOON, reach))
        neither_HW = apart(now_HWC, before_HWC) & apart(now_HWC, after_HWC)
        # What is painted over at once stays for a few frames only, and the canvas is another then.
        return neither_HW & ~(apart(before_HWC, after_HWC) & ~apart(now_HWC, soon_HWC))

    def each(t: jax.Array) -> tuple[jax.Array, ...]:
        now_HWC = small_THWC[t]
        early_HWC, late_HWC = views(believed_NHWC, t, reach, _STRIDE)
        longer_HW = apart(now_HWC, early_HWC) & apart(now_HWC, late_HWC)
        is_end = (t < reach) | (t >= len(small_THWC) - reach)
        end_HW = lax.cond(
            is_end,
            lambda: strange(mirrored_NHWC, t),
            lambda: jnp.zeros(now_HWC.shape[:2], bool),
        )
        return strange(believed_NHWC, t), longer_HW, end_HW

    strange_THW, longer_THW, ends_THW = (
        _spread(_spread(one, 1, lax.min), 1, lax.max)
        for one in lax.map(each, jnp.arange(len(small_THWC)))
    )
    before_THWC = jnp.concatenate([small_THWC[:1], small_THWC[:-1]])
    return strange_THW, longer_THW, ~apart(small_THWC, before_THWC), ends_THW


def _median(values_N: jax.Array) -> jax.Array:
    """The median over the first axis, by a sorting network: faster than sorting short columns."""
    ordered = list(values_N)
    for round_ in range(len(ordered)):
        for i in range(round_ % 2, len(ordered) - 1, 2):
            low, high = ordered[i], ordered[i + 1]
            ordered[i], ordered[i + 1] = jnp.minimum(low, high), jnp.maximum(low, high)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[(len(ordered) - 1) // 2]) / 2


@jax.jit
def _resting(mask_THW: jax.Array, certain_THW: jax.Array, same_THW: jax.Array) -> jax.Array:
    """The mask without what looks the same in a frame in which it is in no mask: that is paint."""

    def step(paint_HW: jax.Array, seen: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        in_mask_HW, is_certain_HW, is_same_HW = seen
        paint_HW = ~in_mask_HW | (paint_HW & is_same_HW & ~is_certain_HW)
        return paint_HW, paint_HW

    after_THW = jnp.concatenate([same_THW[1:], same_THW[:1]])
    none_HW = jnp.zeros_like(mask_THW[0])
    _, since_THW = lax.scan(step, none_HW, (mask_THW, certain_THW, same_THW))
    _, until_THW = lax.scan(step, none_HW, (mask_THW, certain_THW, after_THW), reverse=True)
    return mask_THW & ~since_THW & ~until_THW


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
