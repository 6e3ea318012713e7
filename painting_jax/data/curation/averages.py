"""Small copies of frames, in which the noise of a camera is averaged out."""

import cv2
import numpy as np


def averaged(frames_THWC: np.ndarray, longer: int) -> np.ndarray:
    """As `shrunk`, float32[T, h, w, 3], 0..255."""
    return shrunk(frames_THWC, longer).astype(np.float32)


def shrunk(frames_THWC: np.ndarray, longer: int) -> np.ndarray:
    """Frames whose longer side has so many pixels at most, uint8[T, h, w, 3].

    Args:
      frames_THWC: uint8 RGB.
      longer: Pixels of the longer side; smaller frames keep their size.
    """
    scale = min(1.0, longer / max(frames_THWC.shape[1:3]))
    height, width = (max(1, round(scale * n)) for n in frames_THWC.shape[1:3])
    return np.stack(
        [
            cv2.resize(frame_HWC, (width, height), interpolation=cv2.INTER_AREA)
            for frame_HWC in frames_THWC
        ]
    )
