"""Writes OpenRaster pictures (Krita, GIMP, MyPaint): a zip of PNGs and of the stack they make.

https://www.openraster.org/baseline/file-layout-spec.html
"""

import io
import os
import re
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from painting_jax.data import pictures
from painting_jax.errors import one_line
from painting_jax.files import written_beside
from painting_jax.instruction.layers.cutting import Layer

_THUMBNAIL = 256  # pixels of the longer side, at most
# No time of day, so that the same layers make the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
# What XML cannot state even as an escape, of what `one_line` leaves.
_NO_XML = re.compile("[\ufffe\uffff]")


def write(
    path: str | os.PathLike,
    layers: Sequence[Layer],
    finished_HWC: np.ndarray,
    *,
    xmp: bytes | None = None,
) -> None:
    """Writes layers as an .ora file, whole or not at all; the same layers give the same bytes.

    Args:
      path: New or existing file.
      layers: Layers as `cutting.cut` makes them, the lowest first.
      finished_HWC: What they make together, uint8 RGB, for programs that show no more than that.
      xmp: Packet of metadata (`video.provenance`) for the picture of all layers; None = none.

    Raises:
      OSError: If the file cannot be written.
    """
    height, width, _ = finished_HWC.shape
    image = ElementTree.Element("image", version="0.0.3", w=str(width), h=str(height))
    stack = ElementTree.SubElement(image, "stack")
    members = {}
    digits = len(str(len(layers) - 1))
    for number, layer in enumerate(layers):
        source = f"data/layer{number:0{digits}}.png"
        members[source] = _png(layer.pixels_HW4)
        stated = {
            "name": _NO_XML.sub("\ufffd", one_line(layer.name)),
            "src": source,
            "x": str(layer.left),
            "y": str(layer.top),
            "opacity": "1.0",
            "visibility": "visible",
            "composite-op": "svg:src-over",
        }
        # The first element of a stack is its highest layer.
        stack.insert(0, ElementTree.Element("layer", stated))
    xml = ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)
    thumbnail = Image.fromarray(finished_HWC)
    thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL))
    with written_beside(path) as unfinished, zipfile.ZipFile(unfinished, "w") as file:
        # Programs tell the file by this member: it is the first, and stored as it is.
        _add(file, "mimetype", b"image/openraster")
        _add(file, "stack.xml", xml, zipfile.ZIP_DEFLATED)
        for name, data in members.items():
            _add(file, name, data)
        _add(file, "mergedimage.png", pictures.encode(finished_HWC, "png", xmp))
        _add(file, "Thumbnails/thumbnail.png", _png(np.asarray(thumbnail)))


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _add(
    file: zipfile.ZipFile, name: str, data: bytes, compression: int = zipfile.ZIP_STORED
) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = compression
    info.create_system = 3  # else it depends on the system
    info.external_attr = 0o644 << 16
    file.writestr(info, data)
