"""The published recipe for cleaning recordings, painvidpro's: a baseline.

Masks grow, masked pixels show the frame before, and a median slides over time. The masks are given,
as by a perfect network; there they come from SAM 3.
"""

import cv2
import numpy as np

WINDOW = 11  # frames of the sliding median
_GROWN = 35  # side of the kernel in pixels of a film of 480 rows by which masks of hands grow


def restored(frames_THWC: np.ndarray, masks_THW: np.ndarray) -> np.ndarray:
    """Frames of the canvas without what the masks cover, uint8[T, H, W, 3].

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front.
      masks_THW: Hands and tools.
    """
    side = max(1, round(_GROWN * frames_THWC.shape[1] / 480))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    clean = []
    for frame_HWC, mask_HW in zip(frames_THWC, masks_THW, strict=True):
        grown_HW = cv2.dilate(mask_HW.astype(np.uint8), kernel)
        if clean:
            clean.append(np.where(grown_HW[..., None] > 0, clean[-1], frame_HWC))
        else:
            clean.append(cv2.inpaint(frame_HWC, grown_HW, 3, cv2.INPAINT_TELEA))
    return sliding_median(np.stack(clean))


def sliding_median(frames_THWC: np.ndarray) -> np.ndarray:
    """The median over `WINDOW` frames around each; the ends are repeated."""
    half = WINDOW // 2
    long_NHWC = np.pad(frames_THWC, ((half, half), (0, 0), (0, 0), (0, 0)), mode="edge")
    return np.stack(
        [np.median(long_NHWC[t : t + WINDOW], 0) for t in range(len(frames_THWC))]
    ).astype(np.uint8)
