"""A hand with its tool in a single picture, told from colour and shape, without a network.

The hue of skin is redder than that of wood and paper. An arm comes from beyond the picture. A tool
is a strip between two parallel edges that leads into the hand.
"""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation import grab_cut, still_tool

_SIDE = 640  # longer side in pixels at which pictures are looked at
_FEWEST = 64  # pixels of the shorter side in which a hand can be told
# Skin in CIELAB: degrees of hue, chroma, lightness. Wood begins at about 70 degrees.
_HUE, _CHROMA, _LIGHTNESS, _RED = (20, 66), (9, 48), (10, 92), 5
_OPENED = 9  # pixels; what is narrower is no finger
_SMALLEST, _LARGEST = 0.015, 0.6  # area of a hand with its arm, as a share of the picture
_MEETS = (0.005, 0.3)  # share of the picture's border that an arm crosses
_UNSURE = 5  # pixels within the outline and around it, whose colours decide
_THICK = 0.035  # of the longer side; a red handle has a colour of skin, and is thinner
_ROUNDS = 3  # of GrabCut
_HOLE = 3e-3  # area of a ring or a shadow between fingers, as a share of the picture
_GROWN = 2  # pixels, over soft borders


def hand_with_tool(picture_HWC: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Where a hand, its arm and the tool in it lie; nowhere if there is no hand.

    A sleeve is not found, and neither are gloves. A painted figure that is cut off by the edge of
    the picture looks the same: `step_hands` tells it by other pictures.

    Args:
      picture_HWC: uint8 RGB.
    """
    height, width = picture_HWC.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    if min(inner) < _FEWEST:
        return np.zeros((height, width), bool)
    small_HWC = cv2.resize(picture_HWC, inner, None, 0, 0, cv2.INTER_AREA)
    lab_HWC = cv2.cvtColor(small_HWC.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    skin_HW = _opened(_skin(lab_HWC), _OPENED)
    arm_HW = _arms(skin_HW)
    if not arm_HW.any():
        return np.zeros((height, width), bool)
    hand_HW = _without_holes(_refined(small_HWC, arm_HW))
    tool_HW = still_tool.tool(lab_HWC, _opened(hand_HW, _THICK * max(inner)))
    mask_HW = hand_HW | tool_HW | _beside(skin_HW, tool_HW)
    mask_HW = cv2.dilate(mask_HW.astype(np.uint8), _disk(2 * _GROWN + 1))
    return cv2.resize(mask_HW * 255, (width, height), None, 0, 0, cv2.INTER_LINEAR) > 127


def _skin(lab_HWC: np.ndarray) -> np.ndarray:
    """Pixels with a colour of skin."""
    lightness_HW, a_HW, b_HW = cv2.split(cv2.GaussianBlur(lab_HWC, (0, 0), 1.5))
    hue_HW, chroma_HW = np.degrees(np.arctan2(b_HW, a_HW)), np.hypot(a_HW, b_HW)
    is_skin_HW = a_HW > _RED
    for values_HW, (least, most) in (
        (hue_HW, _HUE),
        (chroma_HW, _CHROMA),
        (lightness_HW, _LIGHTNESS),
    ):
        is_skin_HW &= (values_HW > least) & (values_HW < most)
    return is_skin_HW


def _arms(skin_HW: np.ndarray) -> np.ndarray:
    """Components of skin that come from beyond the picture, and are not all around it."""
    count, labels_HW, stats_L5, _ = cv2.connectedComponentsWithStats(skin_HW.astype(np.uint8))
    shares_L = stats_L5[:, cv2.CC_STAT_AREA] / skin_HW.size
    border = np.concatenate([labels_HW[0], labels_HW[-1], labels_HW[1:-1, 0], labels_HW[1:-1, -1]])
    meets_L = np.bincount(border, minlength=count) / len(border)
    is_arm_L = (shares_L > _SMALLEST) & (shares_L < _LARGEST)
    is_arm_L &= (meets_L > _MEETS[0]) & (meets_L < _MEETS[1])
    is_arm_L[0] = False
    return is_arm_L[labels_HW]


def _beside(skin_HW: np.ndarray, tool_HW: np.ndarray) -> np.ndarray:
    """Fingers on the other side of a tool: components of skin that touch it."""
    count, labels_HW = cv2.connectedComponents(skin_HW.astype(np.uint8))
    touches_L = np.zeros(count, bool)
    touches_L[labels_HW[cv2.dilate(tool_HW.astype(np.uint8), _disk(_OPENED)) > 0]] = True
    touches_L[0] = False
    return touches_L[labels_HW]


def _refined(picture_HWC: np.ndarray, arm_HW: np.ndarray) -> np.ndarray:
    """The arm with the outline that its colours draw."""
    arm_HW, around = arm_HW.astype(np.uint8), _disk(2 * _UNSURE + 1)
    labels_HW = np.full(arm_HW.shape, cv2.GC_BGD, np.uint8)
    labels_HW[cv2.dilate(arm_HW, around) > 0] = cv2.GC_PR_BGD
    labels_HW[arm_HW > 0] = cv2.GC_PR_FGD
    labels_HW[cv2.erode(arm_HW, around) > 0] = cv2.GC_FGD
    if not (labels_HW == cv2.GC_FGD).any():
        return arm_HW > 0
    return grab_cut.foreground(picture_HWC, labels_HW, _ROUNDS)


def _without_holes(mask_HW: np.ndarray) -> np.ndarray:
    """The mask with its small holes filled."""
    _, labels_HW, stats_L5, _ = cv2.connectedComponentsWithStats((~mask_HW).astype(np.uint8))
    is_hole_L = stats_L5[:, cv2.CC_STAT_AREA] < _HOLE * mask_HW.size
    is_hole_L[0] = False  # the mask itself
    return mask_HW | is_hole_L[labels_HW]


def _opened(mask_HW: np.ndarray, side: float) -> np.ndarray:
    """The mask without what is narrower than so many pixels."""
    opened_HW = cv2.morphologyEx(mask_HW.astype(np.uint8), cv2.MORPH_OPEN, _disk(round(side)))
    return opened_HW > 0


def _disk(side: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
