"""Hands, tools and their shadows, found without a network: paint stays, a hand does not.

A pixel that shows the canvas has the colour that it had shortly before, or the one that it keeps
from then on, if it has just been painted. What has neither lies before the canvas.
"""

import itertools

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from painting_jax.data.curation import medians

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
_AT_ONCE = 1 << 22  # sums of pixels that are compared together, for the sake of memory


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
    strange_THW, longer_THW, same_THW, ends_THW, returns_THW = _strange(frames_THWC, reach)
    certain_THW = _large(strange_THW, _SMALLEST)
    shares_T = certain_THW.mean((1, 2))
    # In a short recording nearly every frame is at an end, and no others tell what is usual.
    if count >= _LONG * reach and (shares_T > 0).mean() > _USUAL:
        # A hand in the first frame or the last one is about as large as in the others.
        certain_THW |= _large(ends_THW, _LIKE_OTHERS * float(np.median(shares_T[shares_T > 0])))
    # Where the canvas is seen again as it was, something lay before it, however long it rested.
    certain_THW |= _large(returns_THW, _SMALLEST)
    # What rests in one place for long counts if it belongs to something that moves.
    labels_THW = _components(certain_THW | longer_THW)
    # Of what has a label alone: NumPy counts in copies that are twice as large.
    sizes_L = np.bincount(labels_THW[labels_THW > 0], minlength=1)
    certain_L = np.bincount(labels_THW[certain_THW], minlength=len(sizes_L))
    held_L = certain_L >= _HELD * sizes_L
    held_L[0] = False
    mask_THW = _grown(certain_THW | _resting(held_L[labels_THW], certain_THW, same_THW))
    if from_outside:
        mask_THW = _reaching_in(mask_THW)
    mask_THW = mask_THW.repeat(_SHRUNK, 1).repeat(_SHRUNK, 2)
    edges = ((0, 0), (0, height - mask_THW.shape[1]), (0, width - mask_THW.shape[2]))
    return np.pad(mask_THW, edges, mode="edge")


def _large(mask_THW: np.ndarray, least: float) -> np.ndarray:
    """The components of the mask that cover at least such a share of the frame."""
    labels_THW = _components(mask_THW)
    sizes_L = np.bincount(labels_THW[mask_THW], minlength=1)
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


def _strange(frames_THWC: np.ndarray, reach: int) -> tuple[np.ndarray, ...]:
    """Pixels that are neither as before nor as afterwards, without specks: bool[T, H/2, W/2] each.

    First of some frames around each, then of as many that lie further apart. Then where frames are
    as the ones before them, and what is strange near both ends, where one side alone tells.
    """
    # Sums of whole levels, and of two of them, hold means and medians without rounding.
    sums_TCHW = np.stack([_sums(frame_HWC) for frame_HWC in frames_THWC])
    # Most differences between frames are noise: a normal one of 1 has a median of 0.67.
    noise = _usual_step(sums_TCHW) / np.float32(_SHRUNK**2) / np.float32(0.67)
    seen = float(np.maximum(np.float32(_LEAST), np.float32(_NOISE) * noise))
    count, channels, height, width = sums_TCHW.shape
    found_NTHW = np.empty((5, count, height, width), bool)
    step = max(1, _AT_ONCE // (count * channels * width))
    for top in range(0, height, step):
        rows = slice(top, top + step)
        part_TCHW = np.ascontiguousarray(sums_TCHW[:, :, rows])
        found_NTHW[:, :, rows] = _compared(part_TCHW, reach, seen * _SHRUNK**2)
    strange_THW, longer_THW, ends_THW, returns_THW = (
        _morphed(found_NTHW[i], cv2.MORPH_OPEN, 1) for i in (0, 1, 3, 4)
    )
    return strange_THW, longer_THW, found_NTHW[2], ends_THW, returns_THW


def _sums(frame_HWC: np.ndarray) -> np.ndarray:
    """Sums of the squares of pixels that one of the mask stands for: uint16[3, H/2, W/2]."""
    height, width = (side // _SHRUNK * _SHRUNK for side in frame_HWC.shape[:2])
    window = (_SHRUNK, _SHRUNK)
    sums_HWC = cv2.boxFilter(frame_HWC, cv2.CV_16U, window, anchor=(0, 0), normalize=False)
    # A copy, since a view would hold the sums around every pixel.
    return sums_HWC[:height:_SHRUNK, :width:_SHRUNK].transpose(2, 0, 1).copy()


def _usual_step(sums_TCHW: np.ndarray) -> np.float32:
    """The median difference between a frame and the next."""
    counts_D = np.zeros(255 * _SHRUNK**2 + 1, np.int64)
    for one_CHW, other_CHW in itertools.pairwise(sums_TCHW):
        counts_D += np.bincount(_apart(one_CHW, other_CHW).ravel(), minlength=len(counts_D))
    upto_D = np.cumsum(counts_D)
    low, high = np.searchsorted(upto_D, [(upto_D[-1] - 1) // 2 + 1, upto_D[-1] // 2 + 1])
    return np.float32(low + high) / 2


def _apart(one_CX: np.ndarray, other_CX: np.ndarray) -> np.ndarray:
    """How far colours lie apart, as the channel that differs most: uint16[...]."""
    return (np.maximum(one_CX, other_CX) - np.minimum(one_CX, other_CX)).max(0)


def _compared(sums_TCHW: np.ndarray, reach: int, seen: float) -> tuple[np.ndarray, ...]:
    """As `_strange`, but with specks.

    Args:
      sums_TCHW: See `_sums`.
      reach: Frames before and after that a pixel is compared with.
      seen: Difference of sums that shows.
    """
    count, around = len(sums_TCHW), reach * _STRIDE
    # The first frame and the last one are believed, or not: beyond them is what is within.
    believed_N, mirrored_N = (
        np.pad(np.arange(count), around, mode=mode) for mode in ("edge", "reflect")
    )

    def usual(at_N: np.ndarray, first: int, frames: int, stride: int = 1) -> np.ndarray:
        """Twice the median of so many frames from one on."""
        at = at_N[first : first + frames * stride : stride]
        low_CHW, high_CHW = medians.middle([sums_TCHW[t] for t in at])
        return low_CHW + high_CHW

    def differ(one_CHW: np.ndarray, other_CHW: np.ndarray) -> np.ndarray:
        return _apart(one_CHW, other_CHW) > int(2 * seen)

    def strange(now_CHW, before_CHW, after_CHW, soon_CHW) -> np.ndarray:
        neither_HW = differ(now_CHW, before_CHW) & differ(now_CHW, after_CHW)
        # What is painted over at once stays for a few frames only, and the canvas is another then.
        return neither_HW & ~(differ(before_CHW, after_CHW) & ~differ(now_CHW, soon_CHW))

    soon = min(_SOON, reach)
    # What is usual before one frame was usual after an earlier one.
    near = [usual(believed_N, n, reach) for n in range(around - reach, count + around + 1)]
    far = [usual(believed_N, n, reach, _STRIDE) for n in range(count + around + _STRIDE)]
    found_NTHW = np.zeros((5, count, *sums_TCHW.shape[2:]), bool)
    strange_THW, longer_THW, same_THW, ends_THW, returns_THW = found_NTHW
    for t, sums_CHW in enumerate(sums_TCHW):
        now_CHW, after = 2 * sums_CHW, t + around + 1
        soon_CHW = usual(believed_N, after, soon)
        strange_THW[t] = strange(now_CHW, near[t], near[t + reach + 1], soon_CHW)
        early_CHW, late_CHW = far[t], far[t + around + _STRIDE]
        longer_THW[t] = differ(now_CHW, early_CHW) & differ(now_CHW, late_CHW)
        returns_THW[t] = longer_THW[t] & ~differ(early_CHW, late_CHW)
        same_THW[t] = ~differ(now_CHW, 2 * sums_TCHW[max(0, t - 1)])
        if t < reach or t >= count - reach:
            ends_THW[t] = strange(
                now_CHW,
                usual(mirrored_N, after - 1 - reach, reach),
                usual(mirrored_N, after, reach),
                usual(mirrored_N, after, soon),
            )
    return tuple(found_NTHW)


def _resting(mask_THW: np.ndarray, certain_THW: np.ndarray, same_THW: np.ndarray) -> np.ndarray:
    """The mask without what looks the same in a frame in which it is in no mask: that is paint."""
    left_THW = mask_THW.copy()
    for order, same in (
        (range(len(mask_THW)), same_THW),
        (range(len(mask_THW) - 1, -1, -1), np.roll(same_THW, -1, axis=0)),
    ):
        paint_HW = np.zeros_like(mask_THW[0])
        for t in order:
            paint_HW = ~mask_THW[t] | (paint_HW & same[t] & ~certain_THW[t])
            left_THW[t] &= ~paint_HW
    return left_THW


def _grown(mask_THW: np.ndarray) -> np.ndarray:
    """The mask with its gaps closed, and grown over soft borders."""
    closed_THW = _morphed(mask_THW, cv2.MORPH_CLOSE, _CLOSED)
    return _morphed(closed_THW, cv2.MORPH_DILATE, _GROWN)


def _morphed(mask_THW: np.ndarray, operation: int, by: int) -> np.ndarray:
    """Each frame after an operation of OpenCV that reaches so far; what lies outside has no say."""
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    changed = [cv2.morphologyEx(one_HW, operation, kernel) for one_HW in mask_THW.view(np.uint8)]
    return np.stack(changed).view(bool)
