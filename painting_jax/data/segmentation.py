"""Automatic segmentation of a picture into a few regions, numbered in painting order."""

import cv2
import numpy as np
from skimage import color, segmentation

from painting_jax.data.depth_order import back_to_front
from painting_jax.data.region_borders import (
    refined,
    resized,
    sampled,
    smoothly_resized,
    without_specks,
)
from painting_jax.data.region_merging import merged

_SIDE = 96  # longer side of the picture in which regions are found, in pixels
_FINE = 512  # longer side up to which their borders follow the picture
_SEEDS = 100  # number of superpixels to merge, at most
_SEED = 64  # least area of a superpixel, in pixels
_CHROMA = 1.5  # weight of chroma against lightness: shading changes lightness more than hue
_SPECK = 0.003  # area of an island that joins its surroundings, as a share of the picture


def segment(picture_HWC: np.ndarray) -> np.ndarray:
    """Segments a picture into a few regions, deterministically.

    Superpixels of a small picture are merged (`region_merging`) and numbered (`depth_order`). Then
    their borders are moved to the contours of the large picture (`region_borders`).

    Args:
      picture_HWC: uint8 RGB.

    Returns:
      uint8[H, W] with labels 1..K, K at most 8, numbered in painting order from back to front.
    """
    shape = picture_HWC.shape[:2]
    fine_HWC = _at_most(picture_HWC.astype(np.float32) / 255, _FINE)
    # The median keeps edges sharp and removes thin lines, which are not regions.
    small_YXC = cv2.medianBlur(_at_most(fine_HWC, _SIDE), 3)
    lab_YXC = _colours(small_YXC)
    seeds_YX = segmentation.slic(
        lab_YXC,
        n_segments=max(1, min(_SEEDS, lab_YXC[..., 0].size // _SEED)),
        compactness=0.12,
        convert2lab=False,
        max_num_iter=5,
        start_label=0,
    )
    regions_YX = without_specks(merged(seeds_YX, lab_YXC), _SPECK)
    regions_YX = back_to_front(regions_YX, lab_YXC)
    fine_lab_HWC = _colours(fine_HWC)
    labels_HW = _joined(refined(regions_YX, lab_YXC, fine_lab_HWC), fine_lab_HWC)
    labels_HW = without_specks(labels_HW, _SPECK)
    if labels_HW.shape != shape:
        labels_HW = smoothly_resized(labels_HW, shape)
    # A thin region can have been lost.
    labels_HW = np.unique(labels_HW, return_inverse=True)[1]
    return labels_HW.reshape(shape).astype(np.uint8) + 1


def in_painting_order(labels_HW: np.ndarray, picture_HWC: np.ndarray) -> np.ndarray:
    """Numbers regions that were found otherwise as `segment` numbers its own.

    Args:
      labels_HW: Labels of a few regions, at most 255, in any numbers.
      picture_HWC: uint8 RGB.

    Returns:
      uint8[H, W] with labels 1..K, numbered in painting order from back to front.
    """
    small_YXC = _at_most(picture_HWC.astype(np.float32) / 255, _SIDE)
    seen, small_YX = np.unique(sampled(labels_HW, small_YXC.shape[:2]), return_inverse=True)
    small_YX = small_YX.reshape(small_YXC.shape[:2])
    ranked_YX = back_to_front(small_YX, _colours(small_YXC))
    rank_of = dict(zip(seen[small_YX.ravel()].tolist(), ranked_YX.ravel().tolist(), strict=True))
    # What is too thin to be seen in the small picture is a detail, and comes last.
    there, index_P = np.unique(labels_HW, return_inverse=True)
    order = sorted(range(len(there)), key=lambda k: rank_of.get(int(there[k]), len(there)))
    number_K = np.empty(len(there), np.uint8)
    number_K[order] = np.arange(1, len(there) + 1)
    return number_K[index_P].reshape(labels_HW.shape)


def _joined(labels_HW: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Regions that are alike now that their borders are right, as one.

    A superpixel over an edge has the colours of both sides, and differs from either.
    """
    groups_HW = merged(labels_HW, lab_HWC)
    area_GL = np.zeros((groups_HW.max() + 1, labels_HW.max() + 1), np.int64)
    np.add.at(area_GL, (groups_HW, labels_HW), 1)
    # Its largest part says where it lies in depth.
    return area_GL.argmax(1)[groups_HW]


def _at_most(picture_HWC: np.ndarray, side: int) -> np.ndarray:
    """Scales a picture down until no side is longer than `side`."""
    height, width = picture_HWC.shape[:2]
    zoom = side / max(height, width)
    if zoom >= 1:
        return picture_HWC
    shape = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    return resized(picture_HWC, shape)


def _colours(picture_HWC: np.ndarray) -> np.ndarray:
    """CIE Lab with stretched chroma, float32."""
    stretch_C = np.array([1, _CHROMA, _CHROMA])
    return (color.rgb2lab(picture_HWC) * stretch_C).astype(np.float32)
