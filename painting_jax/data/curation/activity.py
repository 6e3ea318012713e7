"""When somebody paints: the beginning and the end of a painting, and the pauses in it."""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data.curation import medians
from painting_jax.data.curation.averages import averaged

_SHRUNK = 4  # pixels, in each direction, that are averaged before frames are compared
_CHANGED = 10.0  # levels of 255 by which paint changes a pixel
_AROUND = 2  # frames before and after a moment; their medians hold no noise
_LEAST = 1e-3  # share of the canvas that changes while somebody paints
_PLAIN = 5e-3  # and that changes in any case
_LEAST_IN_ALL = 4e-3  # and in a longer time, in which the light and the codec change more
_HIDDEN = 2e-3  # share of the canvas that a hand hides
_PAUSE = 0.02  # share of the frames from which on nothing is a pause,
_FEWEST = 2 * _AROUND  # and frames


@dataclasses.dataclass(frozen=True)
class Activity:
    """What happens in a cleaned recording of T frames.

    Attributes:
      first: Index of the last frame before anything is painted.
      last: Index of the first frame that shows the finished canvas.
      pauses_T: Whether a frame between these lies in a pause.
      changed_T: Share of the canvas that a frame changes.
    """

    first: int
    last: int
    pauses_T: np.ndarray
    changed_T: np.ndarray

    @property
    def kept_T(self) -> np.ndarray:
        """Whether a frame shows the painting, without its pauses: bool[T]."""
        index_T = np.arange(len(self.pauses_T))
        return (index_T >= self.first) & (index_T <= self.last) & ~self.pauses_T


def activity(frames_THWC: np.ndarray, occluded_THW: np.ndarray) -> Activity:
    """When a cleaned recording shows somebody who paints.

    Args:
      frames_THWC: uint8 RGB frames of the canvas alone.
      occluded_THW: Where hands and tools were, bool[T, H, W].
    """
    count = len(frames_THWC)
    small_THWC = averaged(frames_THWC, max(frames_THWC.shape[1:3]) // _SHRUNK)
    changed_T = np.array([_changed(small_THWC, t, t) for t in range(count)])
    busy_T = changed_T > _LEAST
    hand_T = occluded_THW.mean((1, 2)) > _HIDDEN
    seen_T = busy_T | hand_T
    pauses_T = np.zeros(count, bool)
    if not busy_T.any():
        return Activity(0, count - 1, pauses_T, changed_T)
    # A single frame that changes little, and shows no hand, is one in which the codec began anew.
    steady_T = ndimage.binary_opening(busy_T, np.ones(2)) | (changed_T > _PLAIN) | (busy_T & hand_T)
    first = max(0, int(np.flatnonzero(seen_T)[0]) - 1)
    last = max(int(np.flatnonzero(steady_T if steady_T.any() else busy_T)[-1]), first + 1)
    if last >= count - _AROUND:
        # It was painted until the recording ends, of whose last frames no median is taken.
        last = count - 1
    idle_L, _ = ndimage.label(~seen_T)
    for [run] in ndimage.find_objects(idle_L):
        # Slow work adds up, even if no frame shows it.
        lasts = run.stop - run.start >= max(_FEWEST, round(_PAUSE * count))
        begin, end = run.start + _AROUND, max(run.start, run.stop - _AROUND)
        if lasts and _changed(small_THWC, begin, end) <= _LEAST_IN_ALL:
            pauses_T[run] = True
    return Activity(first, last, pauses_T, changed_T)


def _changed(small_THWC: np.ndarray, begin: int, end: int) -> float:
    """Share of the canvas that has changed from the frames before one to those from another on."""
    if begin == 0 or end + _AROUND > len(small_THWC):
        return 0.0
    before_HWC = medians.median(small_THWC[max(0, begin - _AROUND) : begin])
    after_HWC = medians.median(small_THWC[end : end + _AROUND])
    apart_HW = np.abs(after_HWC - before_HWC).max(-1) > _CHANGED
    # Single pixels are noise.
    return float(ndimage.binary_opening(apart_HW, np.ones((2, 2))).mean())
