"""Planes: a picture in facets of one colour with straight borders, as sculptors see light."""

import numpy as np
from skimage import draw, measure

from painting_jax.data.keeping import kept
from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, unit_of
from painting_jax.data.region_borders import resized

_SIDE = 160  # longer side at which planes are found, in pixels
_SMALL = 80  # longer side up to which nobody could tell that a border is straight, in pixels
_VALUES = 5  # steps from dark to light
_SOFT = 1.1  # blur within which forms are not seen, as pixels of a picture of 64
_BENT = 1.3  # distance of a plane's straight border from the form, as pixels of a picture of 64
_LEAST = 12.0  # area of a plane, as pixels of a picture of 64


def in_planes(target_HWC: np.ndarray, labels_HW: np.ndarray) -> np.ndarray:
    """The picture in planes, float32[H, W, 3], 0..1: each has the mean colour of what it covers.

    Within a region, planes are steps of value, whose borders are drawn straight.

    Args:
      target_HWC: Picture, 0..1.
      labels_HW: uint8 labels of the regions.
    """
    facets_HW = _steps(target_HWC) * 256 + labels_HW
    place_HW = np.unique(facets_HW, return_inverse=True)[1].reshape(labels_HW.shape)
    area_F = np.bincount(place_HW.ravel())
    mean_FC = np.stack(
        [np.bincount(place_HW.ravel(), target_HWC[..., c].ravel()) / area_F for c in range(3)], -1
    )
    return mean_FC.astype(np.float32)[place_HW]


@kept
def _steps(target_HWC: np.ndarray) -> np.ndarray:
    """Steps of value from 0 to `_VALUES` - 1, in polygons if they can be seen, int[H, W]."""
    height, width = target_HWC.shape[:2]
    zoom = min(1.0, _SIDE / max(height, width))
    shape = (max(2, round(height * zoom)), max(2, round(width * zoom)))
    unit = unit_of(*shape)
    luma_YX = blur(resized(target_HWC @ LUMA, shape), _SOFT * unit)
    levels = np.unique(np.quantile(luma_YX, np.linspace(0, 1, _VALUES + 1)[1:-1]))
    if max(shape) <= _SMALL:
        return np.digitize(luma_YX, levels)
    # Darkness around the picture closes every polygon.
    closed_YX = np.pad(np.pad(luma_YX, 1, mode="edge"), 1, constant_values=-1.0)
    to_photo_2 = np.array([height, width]) / shape
    steps_HW = np.zeros((height, width), int)
    for level in levels:
        lighter_HW = np.zeros((height, width), bool)
        for curve_P2 in measure.find_contours(closed_YX, level):
            if _area(curve_P2) > _LEAST * unit**2:
                corners_P2 = measure.approximate_polygon(curve_P2, _BENT * unit)
                y_P, x_P = ((corners_P2 - 1.5) * to_photo_2 - 0.5).T
                # What lies within a second outline is a hole.
                lighter_HW[draw.polygon(y_P, x_P, (height, width))] ^= True
        steps_HW += lighter_HW
    return steps_HW


def _area(corners_P2: np.ndarray) -> float:
    """Area of a closed polygon."""
    y_P, x_P = corners_P2.T
    return 0.5 * abs(np.dot(y_P[:-1], x_P[1:]) - np.dot(y_P[1:], x_P[:-1]))
