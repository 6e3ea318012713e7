"""Label maps that a person has drawn: the order in which regions are painted."""

import os

import numpy as np

from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.models.segments import MAX_LABELS

_STRIP = 1 << 20  # pixels that are looked at together


def load(path: str | os.PathLike, shape_HW: tuple[int, int]) -> np.ndarray:
    """Loads a label map from a picture in which each grey value or colour is a region.

    Regions are numbered from the darkest to the lightest; black is unlabelled.

    Args:
      path: of the map.
      shape_HW: of the picture; the map may have another size with the same proportions.

    Returns:
      uint8[H, W], labels 1..K in painting order, 0 = unlabelled.

    Raises:
      UserError: if the file is not a picture, has more than `MAX_LABELS` colours or other
        proportions.
    """
    # Some tools number regions 0, 1, 2, ... in 16 bits, which are all black once scaled to 8 bits.
    picture_HWC = pictures.load_samples(path)
    (height, width), (rows, columns) = shape_HW, picture_HWC.shape[:2]
    if abs(rows * width - columns * height) > 0.02 * rows * width:
        raise UserError(
            f"{path} is {columns}x{rows}, its picture {width}x{height}: "
            "a segment map must have its picture's proportions"
        )
    # In strips, so that a large map takes little more memory than its picture.
    step = max(1, _STRIP // columns)
    strips = [slice(top, top + step) for top in range(0, rows, step)]
    is_used = np.zeros(1 << 24, bool)
    for strip in strips:
        is_used[_packed(picture_HWC[strip])] = True
    colours_K = np.flatnonzero(is_used)
    if len(colours_K) > MAX_LABELS:
        raise UserError(
            f"{path} has {len(colours_K)} colours: a segment map has one flat colour a region, "
            f"at most {MAX_LABELS} (saved as PNG, without smoothing)"
        )
    if picture_HWC.dtype == np.uint8:
        # The order follows lightness; the colour breaks ties.
        red_K, green_K, blue_K = colours_K >> 16, colours_K >> 8 & 255, colours_K & 255
        luma_K = 299 * red_K + 587 * green_K + 114 * blue_K
        colours_K = colours_K[np.lexsort((colours_K, luma_K))]
    label_of = np.zeros(1 << 24, np.uint8)
    label_of[colours_K] = np.arange(len(colours_K)) + (0 if colours_K[0] == 0 else 1)
    labels_HW = np.empty((rows, columns), np.uint8)
    for strip in strips:
        labels_HW[strip] = label_of[_packed(picture_HWC[strip])]
    return labels_HW


def picture_of(labels_HW: np.ndarray) -> np.ndarray:
    """A map from which `load` reads the same labels 1..K: uint8[H, W, 3]; 0 is black.

    Its greys are as far apart as they can be, so that people see them.
    """
    level_K = np.linspace(0, 255, max(1, int(labels_HW.max())) + 1).round().astype(np.uint8)
    return np.repeat(level_K[labels_HW][..., None], 3, axis=-1)


def _packed(samples_HWC: np.ndarray) -> np.ndarray:
    """A number below 2^24 for each colour; only grey has 16 bits."""
    if samples_HWC.dtype == np.uint16:
        return samples_HWC[..., 0]
    red, green, blue = np.moveaxis(samples_HWC.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue
