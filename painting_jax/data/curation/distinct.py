"""Frames that differ: near-duplicates of the frame before them teach nothing."""

import numpy as np

from painting_jax.data.curation.averages import averaged

_SIDE = 128  # pixels of the longer side at which frames are compared
_CHANGED = 8.0  # levels of 255 by which a pixel differs
_LEAST = 3e-4  # share of the pixels that do, in frames that differ


def distinct(frames_THWC: np.ndarray) -> np.ndarray:
    """Indices of the frames that differ from the one kept before them, int[K].

    The first frame and the last one are among them.

    Args:
      frames_THWC: uint8 RGB.
    """
    small_THWC, kept = averaged(frames_THWC, _SIDE), [0]
    for t in range(1, len(small_THWC)):
        if _apart(small_THWC[t], small_THWC[kept[-1]]) > _LEAST:
            kept.append(t)
    last = len(frames_THWC) - 1
    if kept[-1] != last:
        # The finished picture rather than the first frame that looks like it.
        kept = [*kept[:-1], last] if len(kept) > 1 else [*kept, last]
    return np.array(kept)


def _apart(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    return float((np.abs(one_HWC - other_HWC).max(-1) > _CHANGED).mean())
