"""Order of regions in depth, from what a single picture tells."""

import numpy as np
from scipy import ndimage

from painting_jax.data.region_merging import means

_REACH = 4  # radius in pixels within which a border's convexity is seen
_LOWER = 0.1  # how clearly a region that lies below another is in front, as a convexity


def back_to_front(labels_HW: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Renumbers regions 0..K-1 from back to front.

    What touches the upper or lateral border of the picture, is large, high, to the side, blurred,
    or of the common colour lies behind. Where two regions meet, the convex one lies in front
    (Kanizsa and Gerbino 1976), and the lower one; where three meet, the one whose contour runs
    straight on (T-junction).

    Args:
      labels_HW: Labels 0..K-1.
      lab_HWC: Picture in CIE Lab, of the same size.
    """
    height, width = labels_HW.shape
    area_K = np.bincount(labels_HW.ravel())
    y_HW, x_HW = np.mgrid[:height, :width]
    y_HW, x_HW = (y_HW + 0.5) / height, (x_HW + 0.5) / width
    rim_HW = np.minimum(np.minimum(y_HW * height, (1 - y_HW) * height), x_HW * width)
    # What touches the lower border is often near.
    rim_HW = (np.minimum(rim_HW, (1 - x_HW) * width) < 1) * (1 - y_HW)
    detail_HW = ndimage.gaussian_gradient_magnitude(lab_HWC[..., 0], 1)
    # The contrast to the neighbours is no detail.
    detail_HW *= ndimage.maximum_filter(labels_HW, 5) == ndimage.minimum_filter(labels_HW, 5)
    features_HWC = np.stack([rim_HW, y_HW, detail_HW, np.abs(x_HW - 0.5)], -1)
    rim_K, y_K, detail_K, aside_K = means(features_HWC, labels_HW, area_K).T
    on_border_K = rim_K * area_K / rim_HW.sum()
    colour_KC = means(lab_HWC, labels_HW, area_K)
    rare_K = np.sqrt(((colour_KC[:, None] - colour_KC) ** 2).sum(-1)) @ area_K / area_K.sum()
    back_K = (
        1.5 * on_border_K
        + area_K / area_K.sum()
        - 0.8 * y_K
        - 0.8 * detail_K / (detail_K.max() + 1e-6)
        + 1.5 * aside_K
        - 0.2 * rare_K / (rare_K.max() + 1e-6)
    )
    back_K += 0.4 * _behind(labels_HW, len(area_K))
    rank_K = np.empty(len(back_K), np.int64)
    rank_K[np.argsort(-back_K, kind="stable")] = np.arange(len(back_K))
    return rank_K[labels_HW]


def _behind(labels_HW: np.ndarray, count: int) -> np.ndarray:
    """How clearly the borders of each region say that it lies behind its neighbours, -1..1."""
    ones_KHW = (labels_HW == np.arange(count)[:, None, None]).astype(np.float32)
    size = 2 * _REACH + 1
    share_KHW = ndimage.uniform_filter(ones_KHW, (0, size, size), mode="nearest")
    lost_K, length_K = np.zeros((2, count))
    for axis in (0, 1):
        ahead_HW = np.roll(labels_HW, -1, axis)
        meet_HW = ahead_HW != labels_HW
        meet_HW[-1 if axis == 0 else slice(None), slice(None) if axis == 0 else -1] = False
        y_P, x_P = np.nonzero(meet_HW)
        one_P, other_P = labels_HW[y_P, x_P], ahead_HW[y_P, x_P]
        first_P, second_P = share_KHW[one_P, y_P, x_P], share_KHW[other_P, y_P, x_P]
        # The convex side has the smaller share of the neighbourhood.
        lost_P = first_P - second_P
        third_P = 1 - first_P - second_P > 0.15
        # At a junction, the region in front keeps its half.
        lost_P = np.where(third_P, -lost_P, lost_P)
        if axis == 0:
            lost_P = lost_P + _LOWER
        for label_P, sign in ((one_P, 1), (other_P, -1)):
            lost_K += np.bincount(label_P, sign * lost_P, minlength=count)
            length_K += np.bincount(label_P, minlength=count)
    return np.clip(5 * lost_K / np.maximum(length_K, 1), -1, 1)
