"""Label maps drawn by a user: the order in which regions are painted."""

import os

import numpy as np

from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.models.segments import MAX_LABELS


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
    picture_HWC = pictures.load_samples(path).astype(np.int64)
    (height, width), (rows, columns) = shape_HW, picture_HWC.shape[:2]
    if abs(rows * width - columns * height) > 0.02 * rows * width:
        raise UserError(
            f"{path} is {columns}x{rows}, its picture {width}x{height}: "
            "a segment map must have its picture's proportions"
        )
    red, green, blue = np.moveaxis(picture_HWC, -1, 0)
    # Luma comes first, so that the order follows lightness; the colour breaks ties. Only grey has
    # more than 8 bits, and no ties.
    luma = 299 * red + 587 * green + 114 * blue
    code_HW = (luma << 32) | (red << 16) | (green << 8) | blue
    codes, labels = np.unique(code_HW, return_inverse=True)
    if len(codes) > MAX_LABELS:
        raise UserError(
            f"{path} has {len(codes)} colours: a segment map has one flat colour a region, "
            f"at most {MAX_LABELS} (saved as PNG, without smoothing)"
        )
    first = 0 if codes[0] == 0 else 1
    return (labels + first).reshape(code_HW.shape).astype(np.uint8)
