"""A picture's regions with their numbers, for people who choose the order of painting."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import segmentation

_FADED = 0.55  # share of white over the picture
_INK, _PAPER = (40, 38, 36), (250, 249, 246)


def numbered(picture_HWC: np.ndarray, labels_HW: np.ndarray) -> np.ndarray:
    """The picture, faded, with the outlines of its regions and a number in each.

    Args:
      picture_HWC: uint8 RGB.
      labels_HW: uint8 labels 1..K in painting order; 0 = unlabelled.

    Returns:
      uint8[H, W, 3].
    """
    faded = _FADED * np.array(_PAPER) + (1 - _FADED) * picture_HWC.astype(np.float32)
    width = max(1, round(max(labels_HW.shape) / 400))
    outlines_HW = segmentation.find_boundaries(labels_HW, mode="inner")
    outlines_HW = ndimage.binary_dilation(outlines_HW, iterations=max(1, width - 1))
    faded[outlines_HW] = _INK
    image = Image.fromarray(faded.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(10, max(labels_HW.shape) / 22))
    for label in np.unique(labels_HW[labels_HW > 0]):
        # The number stands where it is furthest from the region's border.
        inside_HW = np.pad(labels_HW == label, 1)
        depth_HW = ndimage.distance_transform_edt(inside_HW)[1:-1, 1:-1]
        y, x = np.unravel_index(np.argmax(depth_HW), depth_HW.shape)
        draw.text(
            (int(x), int(y)),
            str(label),
            fill=_INK,
            font=font,
            anchor="mm",
            stroke_width=max(1, round(font.size / 8)),
            stroke_fill=_PAPER,
        )
    return np.asarray(image)


def reordered(labels_HW: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The regions in another painting order: those named first, then the others as they were.

    Args:
      labels_HW: uint8 labels 1..K; 0 = unlabelled, which stays so.
      order: Labels, each once.

    Raises:
      ValueError: If a label is not there, or is named twice.
    """
    there = np.unique(labels_HW[labels_HW > 0]).tolist()
    if len(set(order)) < len(order) or not set(order) <= set(there):
        raise ValueError(f"order {order} of the labels {there}")
    rank_K = np.zeros(256, np.uint8)
    whole = [*order, *(label for label in there if label not in order)]
    rank_K[whole] = np.arange(1, len(whole) + 1)
    return rank_K[labels_HW]
