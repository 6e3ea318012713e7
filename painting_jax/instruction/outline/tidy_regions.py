"""Regions that a person can trace and paint: connected, large enough, with calm borders."""

import dataclasses

import cv2
import numpy as np
from scipy import ndimage
from skimage import measure

from painting_jax.instruction.outline.detail import Detail

_SHARES = (1 / 16, 1 / 4, 1, 1, 1, 1)  # of the least area, look by look
_CUT = 2  # look at which slivers go
_ARM = 0.6  # least radius of an arm of a region, as a share of that of a region


def tidied(labels_HW: np.ndarray, detail: Detail) -> tuple[np.ndarray, np.ndarray]:
    """Joins what is too small or too thin to its neighbours, and numbers what is left.

    Args:
      labels_HW: Labels, non-negative integers.
      detail: Its lengths are in pixels of this map.

    Returns:
      Islands [H, W], numbered 0..I-1, connected along the sides of pixels; the label of each.
    """
    labels_HW = _calm(labels_HW, detail.soft)
    # The smallest go first, so that those between them grow together instead of going, too. What is
    # left to the neighbours can be in pieces, which are specks of their own: hence the last looks.
    for look, share in enumerate(_SHARES):
        now = dataclasses.replace(
            detail,
            area=share * detail.area,
            radius=share**0.5 * detail.radius,
            regions=detail.regions if share == 1 else labels_HW.size,
        )
        islands_HW = _islands(labels_HW)
        speck_HW = ~_large(islands_HW, now)[islands_HW]
        if look == _CUT:
            # A corner between a border and the picture's edge is no sliver.
            arm_HW = _arms(depth(islands_HW, edge=False), _ARM * detail.radius)
            # Where all is slivers, one of them has to fill the picture.
            speck_HW = speck_HW if (speck_HW | arm_HW).all() else speck_HW | arm_HW
        labels_HW = _filled(labels_HW, speck_HW) if speck_HW.any() else labels_HW
    islands_HW = _islands(labels_HW)
    _, first_I = np.unique(islands_HW, return_index=True)
    return islands_HW, labels_HW.ravel()[first_I]


def depth(islands_HW: np.ndarray, *, edge: bool = True) -> np.ndarray:
    """Distance of each pixel to the nearest border, float32.

    Args:
      islands_HW: Islands.
      edge: Whether the picture's edge is a border.
    """
    inside_HW = np.full(np.add(islands_HW.shape, 2), int(not edge), np.uint8)
    inside_HW[1:-1, 1:-1] = 1
    down_HW = islands_HW[1:] != islands_HW[:-1]
    across_HW = islands_HW[:, 1:] != islands_HW[:, :-1]
    for place in (np.s_[1:-2, 1:-1], np.s_[2:-1, 1:-1]):
        inside_HW[place][down_HW] = 0
    for place in (np.s_[1:-1, 1:-2], np.s_[1:-1, 2:-1]):
        inside_HW[place][across_HW] = 0
    return cv2.distanceTransform(inside_HW, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _calm(labels_HW: np.ndarray, sigma: float) -> np.ndarray:
    """Each pixel takes the label that has most weight around it."""
    reach = int(np.ceil(3 * sigma)) + 1
    best_HW, most_HW = labels_HW.copy(), np.zeros(labels_HW.shape, np.float32)
    # The map counts from 0, and `find_objects` from 1.
    for label, box in enumerate(ndimage.find_objects(labels_HW + 1)):
        if box is None:
            continue
        wide = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        inside_YX = (labels_HW[wide] == label).astype(np.float32)
        weight_YX = cv2.GaussianBlur(inside_YX, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        better_YX = weight_YX > most_HW[wide]
        best_HW[wide][better_YX] = label
        most_HW[wide][better_YX] = weight_YX[better_YX]
    return best_HW


def _islands(labels_HW: np.ndarray) -> np.ndarray:
    return measure.label(labels_HW, background=-1, connectivity=1) - 1


def _arms(depth_HW: np.ndarray, radius: float) -> np.ndarray:
    """Pixels that no circle of this radius within their island covers: slivers along an edge."""
    shallow_HW = (depth_HW < radius).astype(np.uint8)
    # A pixel more, since circles of pixels are ragged.
    return cv2.distanceTransform(shallow_HW, cv2.DIST_L2, 5) > radius + 1


def _large(islands_HW: np.ndarray, detail: Detail) -> np.ndarray:
    """Whether each island is kept; the largest always is."""
    area_I = np.bincount(islands_HW.ravel())
    radius_I = np.zeros(len(area_I), np.float32)
    np.maximum.at(radius_I, islands_HW.ravel(), depth(islands_HW).ravel())
    large_I = (area_I >= detail.area) & (radius_I >= detail.radius)
    order_I = np.argsort(-area_I * large_I, kind="stable")
    large_I[order_I[detail.regions :]] = False
    large_I[np.argmax(area_I)] = True
    return large_I


def _filled(labels_HW: np.ndarray, gone_HW: np.ndarray) -> np.ndarray:
    nearest = ndimage.distance_transform_edt(gone_HW, return_distances=False, return_indices=True)
    return labels_HW[tuple(nearest)]
