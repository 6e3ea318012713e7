"""Writes Photoshop pictures, which Krita, GIMP, Procreate and others read, too."""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource
from psd_tools.psd.image_resources import ImageResource

from painting_jax.errors import UserError, one_line
from painting_jax.files import written_beside
from painting_jax.instruction.layers.cutting import Layer

MOST_SIDE = 30_000  # of the format
_LONGEST_NAME = 255


def write(
    path: str | os.PathLike,
    layers: Sequence[Layer],
    finished_HWC: np.ndarray,
    *,
    xmp: bytes | None = None,
) -> None:
    """Writes layers as a .psd file, whole or not at all; the same layers give the same bytes.

    Args:
      path: New or existing file.
      layers: Layers as `cutting.cut` makes them, the lowest first.
      finished_HWC: What they make together, uint8 RGB, for programs that show no more than that.
      xmp: Packet of metadata (`video.provenance`); None = none.

    Raises:
      OSError: If the file cannot be written.
      UserError: If the picture is too large for the format.
    """
    height, width, _ = finished_HWC.shape
    if max(height, width) > MOST_SIDE:
        raise UserError(f"{width}x{height} is too large for psd, of at most {MOST_SIDE} pixels")
    document = PSDImage.frompil(Image.fromarray(finished_HWC))
    if xmp:
        document.image_resources[Resource.XMP_METADATA] = ImageResource(
            key=Resource.XMP_METADATA, data=xmp
        )
    for layer in layers:
        written = document.create_pixel_layer(
            Image.fromarray(layer.pixels_HW4), top=layer.top, left=layer.left
        )
        # Given above, only names in Roman script could be saved.
        written.name = one_line(layer.name)[:_LONGEST_NAME]
    with written_beside(path) as unfinished, unfinished.open("wb") as file:
        document.save(file)
