"""Frames side by side in one small picture, for pages."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image


def shape(picture_HWC: np.ndarray, *, height: int, width: int | None = None) -> tuple[int, int]:
    """Height and width at which a picture is shown: its own, or smaller ones of the same aspect.

    Args:
      picture_HWC: The picture.
      height: Largest height in pixels.
      width: Largest width in pixels; None for any.
    """
    tall, wide = picture_HWC.shape[:2]
    scale = min(1.0, height / tall, 1.0 if width is None else width / wide)
    return max(1, round(tall * scale)), max(1, round(wide * scale))


def resized(picture_HWC: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """A uint8 picture at a smaller size."""
    if picture_HWC.shape[:2] == shape_HW:
        return picture_HWC
    image = Image.fromarray(picture_HWC).resize(shape_HW[::-1], Image.Resampling.LANCZOS)
    return np.asarray(image)


def drawn(
    frames: Sequence[np.ndarray], shape_HW: tuple[int, int], *, cell: int | None = None
) -> bytes:
    """Draws uint8 RGB frames side by side, each at one size, as a WebP file.

    Args:
      frames: The frames.
      shape_HW: Their size in the strip.
      cell: Width of the transparent cell that each has its place in the middle of, so that strips
        of frames of other shapes have their columns in line; None for no cells.
    """
    height, width = shape_HW
    cell = cell or width
    is_loose = cell > width
    strip = Image.new("RGBA" if is_loose else "RGB", (cell * len(frames), height))
    for place, frame_HWC in enumerate(frames):
        image = Image.fromarray(resized(frame_HWC, shape_HW))
        strip.paste(image, (place * cell + (cell - width) // 2, 0))
    buffer = io.BytesIO()
    strip.save(buffer, "WEBP", quality=88, method=4)
    return buffer.getvalue()
