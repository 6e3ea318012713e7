"""Automatic segmentation of a picture into a few regions, numbered in painting order."""

import numpy as np
from scipy import ndimage
from skimage import color, segmentation, transform

_SIDE = 96  # longer side of the picture during segmentation, in pixels
_SEEDS = 90  # number of superpixels to merge
_MOST = 8  # maximum number of regions
_ALIKE = 9.0  # Lab distance below which neighbouring regions are merged
_LEAST = 0.012  # minimum area of a region, as a share of the picture


def segment(picture_HWC: np.ndarray) -> np.ndarray:
    """Segments a picture into a few smooth regions, deterministically.

    Superpixels are merged greedily. The pair whose union adds the least colour variance is merged
    first (Ward's criterion on a region adjacency graph). The borders are smoothed afterwards.

    Args:
      picture_HWC: uint8 RGB.

    Returns:
      uint8[H, W] with labels 1..K, K at most 8, numbered in painting order from back to front.
      Regions that touch the border, lie near the top, are large or have little detail come first.
    """
    height, width = picture_HWC.shape[:2]
    zoom = min(1.0, _SIDE / max(height, width))
    small = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    picture = picture_HWC.astype(np.float32) / 255
    if zoom < 1:
        picture = _shrink(picture, small)
    # The median keeps edges sharp and removes thin lines, which are not regions.
    smooth = ndimage.median_filter(picture, (3, 3, 1), mode="nearest")
    lab_HWC = color.rgb2lab(smooth).astype(np.float32)
    seeds_HW = segmentation.slic(
        lab_HWC,
        n_segments=_SEEDS,
        compactness=0.12,
        convert2lab=False,
        max_num_iter=5,
        start_label=0,
    )
    labels_HW = _back_to_front(_merged(seeds_HW, lab_HWC), lab_HWC)
    # Smoothing can remove a thin region completely.
    labels_HW = np.unique(_at_size(labels_HW, (height, width)), return_inverse=True)[1]
    return labels_HW.reshape(height, width).astype(np.uint8) + 1


def _shrink(picture_HWC: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scales down with antialiasing. Averaging whole pixels first is cheap for large pictures."""
    whole = max(1, min(picture_HWC.shape[0] // shape[0], picture_HWC.shape[1] // shape[1]))
    if whole > 1:
        height, width = (side // whole for side in picture_HWC.shape[:2])
        picture_HWC = picture_HWC[: height * whole, : width * whole]
        picture_HWC = picture_HWC.reshape(height, whole, width, whole, -1).mean((1, 3))
    return transform.resize(picture_HWC, shape, order=1, anti_aliasing=True).astype(np.float32)


def _merged(seeds_HW: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Merges neighbouring superpixels until a few distinct regions remain, none too small."""
    seeds_HW = np.unique(seeds_HW, return_inverse=True)[1].reshape(seeds_HW.shape)
    area_K = np.bincount(seeds_HW.ravel()).astype(np.float64)
    count = len(area_K)
    mean_KC = _means(lab_HWC, seeds_HW, area_K)
    beside = [seeds_HW[1:] * count + seeds_HW[:-1], seeds_HW[:, 1:] * count + seeds_HW[:, :-1]]
    beside = np.concatenate([pairs.ravel() for pairs in beside])
    border_KK = np.bincount(beside, minlength=count**2).reshape(count, count).astype(np.float64)
    border_KK += border_KK.T
    np.fill_diagonal(border_KK, 0)
    round_K = border_KK.sum(1)

    def price(k):
        """Cost of merging regions k with each other region, and their colour distances."""
        apart_K = np.sqrt(((mean_KC[k][..., None, :] - mean_KC) ** 2).sum(-1))
        ward_K = apart_K**2 * area_K[k][..., None] * area_K / (area_K[k][..., None] + area_K)
        shared_K = border_KK[k] / np.maximum(np.minimum(round_K[k][..., None], round_K), 1)
        # A long common border lowers the cost, so that halos along an edge join their region.
        return np.where(border_KK[k] > 0, ward_K / (0.25 + shared_K), np.inf), apart_K

    cost_KK, apart_KK = price(np.arange(count))
    parent_K = np.arange(count)
    for alive in range(count, 1, -1):
        wanted_KK = cost_KK
        if alive <= _MOST:
            tiny_K = area_K < _LEAST * seeds_HW.size
            free_KK = (apart_KK < _ALIKE) | tiny_K[:, None] | tiny_K
            wanted_KK = np.where(free_KK, cost_KK, np.inf)
        keep, gone = divmod(int(wanted_KK.argmin()), count)
        if not np.isfinite(wanted_KK[keep, gone]):
            break
        area = area_K[keep] + area_K[gone]
        mean_KC[keep] = (area_K[keep] * mean_KC[keep] + area_K[gone] * mean_KC[gone]) / area
        area_K[keep] = area
        border_KK[keep] += border_KK[gone]
        border_KK[:, keep] = border_KK[keep]
        border_KK[keep, keep] = border_KK[gone] = border_KK[:, gone] = 0
        round_K[keep] = border_KK[keep].sum()
        cost_KK[keep], apart_KK[keep] = price(keep)
        cost_KK[:, keep], apart_KK[:, keep] = cost_KK[keep], apart_KK[keep]
        cost_KK[gone] = cost_KK[:, gone] = np.inf
        parent_K[parent_K == gone] = keep
    return _without_specks(np.unique(parent_K, return_inverse=True)[1][seeds_HW])


def _means(values_HWC: np.ndarray, labels_HW: np.ndarray, area_K: np.ndarray) -> np.ndarray:
    sums = [
        np.bincount(labels_HW.ravel(), channel.ravel()) for channel in np.rollaxis(values_HWC, 2)
    ]
    return np.stack(sums, -1) / area_K[:, None]


def _without_specks(labels_HW: np.ndarray) -> np.ndarray:
    """Gives every small island the label nearest to it; labels stay contiguous from 0."""
    speck_HW = np.zeros(labels_HW.shape, bool)
    for label in range(labels_HW.max() + 1):
        islands_HW, count = ndimage.label(labels_HW == label)
        if count > 1:
            area_I = np.bincount(islands_HW.ravel())
            small_I = area_I < min(_LEAST * labels_HW.size, area_I[1:].max())
            speck_HW |= small_I[islands_HW] & (islands_HW > 0)
    if not speck_HW.any():
        return labels_HW
    nearest = ndimage.distance_transform_edt(speck_HW, False, True)
    return labels_HW[tuple(nearest)]


def _at_size(labels_HW: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes labels and smooths borders: each pixel takes the label with the largest weight."""
    rows, columns = (_linear(old, new) for old, new in zip(labels_HW.shape, shape, strict=True))
    best_HW, most_HW = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    for label in range(labels_HW.max() + 1):
        weight_HW = ndimage.gaussian_filter((labels_HW == label).astype(np.float32), 1)
        weight_HW = rows @ weight_HW @ columns.T
        better_HW = weight_HW > most_HW
        best_HW[better_HW] = label
        most_HW[better_HW] = weight_HW[better_HW]
    return best_HW


def _linear(old: int, new: int) -> np.ndarray:
    """Matrix [new, old] of linear interpolation along one axis."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(old))).astype(np.float32)


def _back_to_front(labels_HW: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Renumbers labels in painting order, from back to front."""
    height, width = labels_HW.shape
    area_K = np.bincount(labels_HW.ravel())
    y_HW, x_HW = np.mgrid[:height, :width]
    y_HW, x_HW = (y_HW + 0.5) / height, (x_HW + 0.5) / width
    rim_HW = np.minimum(np.minimum(y_HW * height, (1 - y_HW) * height), x_HW * width)
    rim_HW = np.minimum(rim_HW, (1 - x_HW) * width) < 1
    detail_HW = ndimage.gaussian_gradient_magnitude(lab_HWC[..., 0], 1)
    off_centre_HW = np.hypot(y_HW - 0.5, x_HW - 0.5)
    features_HWC = np.stack([rim_HW, y_HW, detail_HW, off_centre_HW], -1)
    rim_K, y_K, detail_K, off_centre_K = _means(features_HWC, labels_HW, area_K).T
    on_border_K = rim_K * area_K / rim_HW.sum()
    back_K = (
        1.5 * on_border_K
        + area_K / area_K.sum()
        - 0.6 * y_K
        - 0.5 * detail_K / (detail_K.max() + 1e-6)
        + 1.5 * off_centre_K
    )
    rank_K = np.empty(len(back_K), np.int64)
    rank_K[np.argsort(-back_K, kind="stable")] = np.arange(len(back_K))
    return rank_K[labels_HW]
