"""An SVG file as the states of a canvas: its shapes appear one by one, in document order."""

import dataclasses
import io
import math
import os
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from etils import epath
from PIL import Image

from painting_jax.data import pictures
from painting_jax.data.artwork import svg_document, svg_drawing, svg_renderer
from painting_jax.errors import UserError

# Pixels of the longer side: lines need some, and more than these show nothing new.
SHORTEST, LONGEST = 512, 2048
MOST_ELONGATED = 16  # longer side over shorter side

_PIXELS = {"": 1, "px": 1, "pt": 4 / 3, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
_LONGEST_NUMBER = 64  # characters
# Of a side, in pixels: beyond, single precision loses the picture.
_SMALLEST, _LARGEST = 1e-6, 1e9


@dataclasses.dataclass(frozen=True)
class Svg:
    """The states of an SVG, see `states.States`: the white page, then one more shape in each.

    A shape is an element that is drawn: a path, a text, an embedded picture or a `use` with all
    that it refers to. Groups keep their opacity, clip paths, masks and filters in all states. Fonts
    are those of the system, or DejaVu for those it lacks.

    Attributes:
      stated: Empty.
    """

    path: str
    root: Element
    drawn: Sequence[tuple[Element, int]]
    size: tuple[int, int]
    stated: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.drawn) + 1

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields states as uint8 RGB [H, W, 3], see `states.States`; renders each on demand.

        Raises:
          UserError: If a state cannot be rendered. It is drawn on the one before it, in documents
            of up to `svg_drawing.AT_ONCE` shapes; each takes up to 20 s of processor time, 3 s on
            average after the first 60 s, and 4 GiB of memory.
        """
        with svg_renderer.Renderer() as renderer:
            # A drawing of its own: states may be read twice at once.
            drawing = svg_drawing.Drawing(self.root, self.drawn, renderer)
            for index in indices:
                if index == 0:
                    # Filters can paint where nothing is drawn.
                    yield np.full((*self.size, 3), 255, np.uint8)
                    continue
                try:
                    picture = drawing.state(index)
                    picture_HWC = np.array(Image.open(io.BytesIO(picture)).convert("RGB"))
                except svg_renderer.BoundsError as error:
                    raise UserError(f"{self.path} cannot be drawn: {error}: simplify it") from None
                except (svg_renderer.RenderingError, *pictures.DAMAGE) as error:
                    raise UserError(f"{self.path} is damaged or no SVG: {error}") from None
                if picture_HWC.shape[:2] != self.size:
                    raise UserError(f"{self.path} is damaged or no SVG: its size is not as stated")
                yield picture_HWC


def open_svg(path: epath.PathLike) -> Svg:
    """Opens an SVG or SVGZ, whatever its suffix; nothing is rendered yet.

    Its size is that of the document, but with 512 to 2048 pixels at the longer side. Nothing
    outside the file is read: references to other files and to the network have no effect.

    Raises:
      UserError: If the file is missing, damaged or no SVG, states no size, draws nothing, or is
        beyond the bounds of `svg_document` (32 MiB, 20,000 drawn elements, 100,000 by `use`, 100
        deep).
    """
    root = svg_document.read(path)
    drawn = svg_document.drawn(root)
    if not drawn:
        raise UserError(f"{path} draws nothing: name an SVG with paths, shapes or text")
    if len(drawn) > svg_document.MOST_DRAWN:
        raise UserError(
            f"{path} draws {len(drawn)} elements: up to {svg_document.MOST_DRAWN} are read"
        )
    return Svg(os.fspath(path), root, drawn, _fix_size(root, path))


def _fix_size(root: Element, path: epath.PathLike) -> tuple[int, int]:
    """Height and width in pixels, which the root then states, so that no state has another size."""
    box = _view_box(root)
    width, height = _pixels(root.get("width", "")), _pixels(root.get("height", ""))
    if box is not None:
        _, _, box_width, box_height = box
        if width is None and height is None:
            width, height = box_width, box_height
        elif width is None:
            width = height * box_width / box_height
        elif height is None:
            height = width * box_height / box_width
    if width is None or height is None:
        raise UserError(f"{path} states no size: give its svg element a viewBox")
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise UserError(
            f"{path} is {width:g}x{height:g}: a side can be {MOST_ELONGATED} times the other"
        )
    if box is None:
        box = (0.0, 0.0, width, height)
    scale = min(max(width, height, SHORTEST), LONGEST) / max(width, height)
    size = round(height * scale), round(width * scale)
    _, _, box_width, box_height = box
    # A fraction of a pixel that was rounded away must not show as a white edge.
    if abs(box_width * size[0] - box_height * size[1]) <= max(box_width, box_height):
        root.set("preserveAspectRatio", "none")
    root.set("viewBox", " ".join(map(repr, box)))
    root.set("height", str(size[0]))
    root.set("width", str(size[1]))
    return size


def _view_box(root: Element) -> tuple[float, ...] | None:
    numbers = root.get("viewBox", "").replace(",", " ").split(maxsplit=4)
    if len(numbers) != 4:
        return None
    try:
        x, y, width, height = map(float, numbers)
    except ValueError:
        return None
    usable = math.isfinite(x + y) and _is_usable(width) and _is_usable(height)
    return (x, y, width, height) if usable else None


def _pixels(length: str) -> float | None:
    """A length in pixels at 96 per inch; None if it depends on where the picture is shown."""
    length = length.strip()
    if len(length) > _LONGEST_NUMBER:
        return None
    number = length.rstrip(string.ascii_letters + "%")
    try:
        pixels = float(number) * _PIXELS[length[len(number) :].lower()]
    except (ValueError, KeyError):
        return None
    return pixels if _is_usable(pixels) else None


def _is_usable(side: float) -> bool:
    return _SMALLEST <= side <= _LARGEST
