"""Frames that differ: near-duplicates of the frame before them teach nothing."""

import cv2
import numpy as np

_SIDE = 128  # pixels of the longer side at which frames are compared
_CHANGED = 8.0  # levels of 255 by which a pixel differs
_LEAST = 3e-4  # share of the pixels that do, in frames that differ


def distinct(frames_THWC: np.ndarray) -> np.ndarray:
    """Indices of the frames that differ from the one kept before them, int[K].

    The first frame and the last one are among them.

    Args:
      frames_THWC: uint8 RGB.
    """
    scale = min(1.0, _SIDE / max(frames_THWC.shape[1:3]))
    height, width = (max(1, round(scale * n)) for n in frames_THWC.shape[1:3])
    kept, before_HWC = [], None
    for t, frame_HWC in enumerate(frames_THWC):
        small_HWC = cv2.resize(frame_HWC, (width, height), interpolation=cv2.INTER_AREA)
        small_HWC = small_HWC.astype(np.float32)
        if before_HWC is None or _apart(small_HWC, before_HWC) > _LEAST:
            kept.append(t)
            before_HWC = small_HWC
    last = len(frames_THWC) - 1
    if kept[-1] != last:
        # The finished picture rather than the first frame that looks like it.
        kept = [*kept[:-1], last] if len(kept) > 1 else [*kept, last]
    return np.array(kept)


def _apart(one_HWC: np.ndarray, other_HWC: np.ndarray) -> float:
    return float((np.abs(one_HWC - other_HWC).max(-1) > _CHANGED).mean())
