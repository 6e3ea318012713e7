"""Hands in some of a few pictures of a process, in which motion tells nothing.

A hand looks like a painted figure that the edge of the picture cuts off. But it is in one picture
alone, and the canvas beside it looks as in the pictures before and after.
"""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation.averages import averaged
from painting_jax.data.curation.still_hand import hand_with_tool

_SIDE = 320  # longer side in pixels at which pictures are compared
_CHANGED = 24  # levels of 255
_MOST = 0.6  # share of a hand that differs from each of its neighbours
_TIMES = 2.5  # by how much more it does than the canvas beside it


def in_steps(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> Bool[np.ndarray, "t h w"]:
    """Where hands and tools lie in the pictures of a process.

    The first picture and the last one have one neighbour, which cannot tell paint from a hand: what
    is painted last differs from before, too. They are left as they are.

    Args:
      frames_THWC: uint8 RGB.
    """
    small_THWC = averaged(frames_THWC, _SIDE)
    inner = small_THWC.shape[2], small_THWC.shape[1]
    masks_THW = np.zeros(frames_THWC.shape[:3], bool)
    for t in range(1, len(frames_THWC) - 1):
        mask_HW = hand_with_tool(frames_THWC[t])
        if not mask_HW.any():
            continue
        inside_HW = cv2.resize(mask_HW.astype(np.uint8), inner, None, 0, 0, cv2.INTER_NEAREST) > 0
        if all(_differs(small_THWC[t], small_THWC[other], inside_HW) for other in (t - 1, t + 1)):
            masks_THW[t] = mask_HW
    return masks_THW


def _differs(one_HWC: np.ndarray, other_HWC: np.ndarray, inside_HW: np.ndarray) -> bool:
    """Whether pictures differ in a mask, and much less beside it."""
    if inside_HW.all():
        return False
    changed_HW = cv2.absdiff(one_HWC, other_HWC).max(-1) > _CHANGED
    within, beside = changed_HW[inside_HW].mean(), changed_HW[~inside_HW].mean()
    return bool(within > _MOST and within > _TIMES * beside)
