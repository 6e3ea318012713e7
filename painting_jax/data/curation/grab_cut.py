"""GrabCut (Rother et al., 2004): what belongs together by colour, from what is known of some."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8


def foreground(
    picture_HWC: UInt8[np.ndarray, "h w 3"], known_HW: UInt8[np.ndarray, "h w"], rounds: int
) -> Bool[np.ndarray, "h w"]:
    """The foreground of a picture; the same each time.

    Args:
      picture_HWC: uint8 RGB.
      known_HW: What is known: `cv2.GC_BGD`, `GC_FGD`, or what is likely, `GC_PR_BGD`, `GC_PR_FGD`.
        There are both a foreground and a background in it.
      rounds: How often colours and borders are estimated anew.
    """
    cv2.setRNGSeed(0)  # it begins with clusters that are drawn
    labels_HW, no_box = known_HW.copy(), (0, 0, 0, 0)
    background, other = np.zeros((2, 1, 65))
    picture_HWC = np.ascontiguousarray(picture_HWC)
    cv2.grabCut(picture_HWC, labels_HW, no_box, background, other, rounds, cv2.GC_INIT_WITH_MASK)
    return (labels_HW == cv2.GC_FGD) | (labels_HW == cv2.GC_PR_FGD)
