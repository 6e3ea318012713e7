"""Where the light of a picture comes from, as far as its shading tells."""

import numpy as np

from painting_jax.data import pictures
from painting_jax.instruction.mixing.colours import lab_of_srgb

# Clockwise from the right, as an image's axes turn.
DIRECTIONS = (
    "right", "lower right", "below", "lower left", "left", "upper left", "above", "upper right",
)  # fmt: skip

_SIDE = 96  # longer side at which shading is measured, in pixels
_LEAST_AREA = 0.02  # of a region whose shading counts, as a share of the picture
_AGREED = 0.45  # length of the mean direction beside the mean length, from which on they agree
_STRONG = 4.0  # levels of lightness across a region that are no accident


def direction(picture_HWC: np.ndarray, labels_HW: np.ndarray) -> str | None:
    """The side that the light comes from, one of `DIRECTIONS`; None if regions disagree.

    A lit form is lighter on the side of the light. In each region a plane is fitted to the
    lightness, and the slopes are averaged by area.

    Args:
      picture_HWC: uint8 RGB.
      labels_HW: Regions of it.
    """
    small_HWC = pictures.shrunk(picture_HWC, _SIDE)
    height, width = small_HWC.shape[:2]
    lightness_HW = lab_of_srgb(small_HWC)[..., 0]
    rows = np.linspace(0, labels_HW.shape[0] - 1, height).round().astype(int)
    columns = np.linspace(0, labels_HW.shape[1] - 1, width).round().astype(int)
    labels_HW = labels_HW[np.ix_(rows, columns)]
    slopes, weights = [], []
    for label in np.unique(labels_HW):
        y_P, x_P = np.nonzero(labels_HW == label)
        if len(y_P) < _LEAST_AREA * labels_HW.size:
            continue
        span = max(np.ptp(y_P), np.ptp(x_P), 1)
        plane_P3 = np.stack(
            [(x_P - x_P.mean()) / span, (y_P - y_P.mean()) / span, np.ones(len(y_P))], 1
        )
        slope_3, *_ = np.linalg.lstsq(plane_P3, lightness_HW[y_P, x_P], rcond=None)
        slopes.append(slope_3[:2])
        weights.append(len(y_P))
    if not slopes:
        return None
    slope_R2, weight_R = np.array(slopes), np.array(weights, float)
    mean_2 = np.average(slope_R2, axis=0, weights=weight_R)
    typical = np.average(np.linalg.norm(slope_R2, axis=1), weights=weight_R)
    if typical < _STRONG or np.linalg.norm(mean_2) < _AGREED * typical:
        return None
    turn = np.arctan2(mean_2[1], mean_2[0]) / (2 * np.pi) * len(DIRECTIONS)
    return DIRECTIONS[round(float(turn)) % len(DIRECTIONS)]
