"""Maps of regions at another size, with borders that follow the contours of the picture."""

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import measure

from painting_jax.data.gaussian import gaussian

_BAND = 2.0  # pixels of the small map by which a border may move
_PULL = 0.6  # weight of the small map against the colours
_NOISE = 8.0  # Lab distance that says little
_SMALL = 128  # side up to which products with matrices are the fastest way to enlarge, in pixels


def refined(labels_YX: np.ndarray, lab_YXC: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Enlarges a map of regions and moves its borders to the contours of the large picture.

    Near a border, a pixel takes the label whose colours nearby are most like its own.

    Args:
      labels_YX: Labels 0..K-1 of the small picture.
      lab_YXC: Small picture in CIE Lab.
      lab_HWC: Large picture in CIE Lab.

    Returns:
      Labels [H, W]; a region that is thinner than a pixel may be lost.
    """
    shape = lab_HWC.shape[:2]
    zoom = shape[0] / labels_YX.shape[0]
    count = int(labels_YX.max()) + 1
    inside_YXK = (labels_YX[..., None] == np.arange(count)).astype(np.float32)
    weight_YXK = blurred(inside_YXK, 1)
    # Colours on the border itself are mixed with those of the neighbour.
    core_YXK = inside_YXK * weight_YXK**4 + 1e-4 * weight_YXK
    sum_YXKC = core_YXK[..., None] * lab_YXC[..., None, :]
    mean_YXKC = blurred(sum_YXKC.reshape(*labels_YX.shape, -1), _BAND).reshape(sum_YXKC.shape)
    mean_YXKC /= blurred(core_YXK, _BAND)[..., None] + 1e-9
    best_HW, least_HW = np.zeros(shape, np.uint8), np.full(shape, np.inf, np.float32)
    for label in range(count):
        near_HW = resized(weight_YXK[..., label], shape)
        mean_HWC = resized(mean_YXKC[..., label, :], shape)
        differ_HWC = lab_HWC - mean_HWC
        apart_HW = np.einsum("hwc,hwc->hw", differ_HWC, differ_HWC)
        cost_HW = blurred(np.minimum(apart_HW / _NOISE**2, 4), 0.5 * zoom)
        cost_HW -= _PULL * np.log(near_HW + 0.01)
        cost_HW[near_HW < 0.03] = np.inf
        better_HW = cost_HW < least_HW
        best_HW[better_HW] = label
        least_HW[better_HW] = cost_HW[better_HW]
    return best_HW


def smoothly_resized(labels_YX: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes labels 0..K-1: each pixel takes the label with the largest weight."""
    best_HW, most_HW = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    for label in range(labels_YX.max() + 1):
        weight_YX = blurred((labels_YX == label).astype(np.float32), 0.7)
        weight_HW = resized(weight_YX, shape)
        better_HW = weight_HW > most_HW
        best_HW[better_HW] = label
        most_HW[better_HW] = weight_HW[better_HW]
    return best_HW


def blurred(map_HWx: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur over the first two axes."""
    return gaussian(map_HWx, sigma, truncate=2)


def resized(map_HWx: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map [H, W] or [H, W, C] at another size, float32.

    It is interpolated linearly, and averaged where it becomes smaller.
    """
    if map_HWx.shape[:2] == shape:
        return map_HWx.astype(np.float32, copy=False)
    if min(shape) >= max(map_HWx.shape[:2]) and max(shape) <= _SMALL:
        rows, columns = (_linear(old, new) for old, new in zip(map_HWx.shape, shape, strict=False))
        taller_HxW = np.moveaxis(np.tensordot(rows, map_HWx, (1, 0)), 1, -1)
        return np.moveaxis(taller_HxW @ columns.T, -1, 1)
    if map_HWx.ndim == 3:
        return np.stack([resized(map_HW, shape) for map_HW in np.moveaxis(map_HWx, -1, 0)], -1)
    image = Image.fromarray(np.ascontiguousarray(map_HWx, np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))


def sampled(labels_HW: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A smaller label map: the label in the middle of each of its pixels."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for old, new in zip(labels_HW.shape, shape, strict=True)
    )
    return labels_HW[rows][:, columns]


def _linear(old: int, new: int) -> np.ndarray:
    """Matrix [new, old] of linear interpolation along one axis."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(old))).astype(np.float32)


def without_specks(labels_HW: np.ndarray, least: float) -> np.ndarray:
    """Gives every island the label nearest to it, if it is smaller than a share of the picture.

    The largest part of each label stays.
    """
    islands_HW = measure.label(labels_HW, background=-1, connectivity=1) - 1
    area_I = np.bincount(islands_HW.ravel())
    label_I = np.empty(len(area_I), np.int64)
    label_I[islands_HW.ravel()] = labels_HW.ravel()
    most_K = np.zeros(label_I.max() + 1, np.int64)
    np.maximum.at(most_K, label_I, area_I)
    speck_HW = (area_I < np.minimum(least * labels_HW.size, most_K[label_I]))[islands_HW]
    if not speck_HW.any():
        return labels_HW
    nearest = ndimage.distance_transform_edt(speck_HW, return_distances=False, return_indices=True)
    return labels_HW[tuple(nearest)]
