"""Draws the states of an SVG on each other, so that few shapes are drawn twice.

To draw each state from nothing would take as many shapes as there are in all, times half the number
of states.
"""

import base64
import functools
import io
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from PIL import Image

from painting_jax.data.artwork import svg_layers
from painting_jax.data.artwork.svg_renderer import Renderer

AT_ONCE = 1000  # shapes of a document, each of which has limits on time and memory
FEW = 64  # shapes that are drawn again rather than a canvas copied


class Drawing:
    """The canvas of an SVG, on which shapes are drawn in document order.

    Args:
      root: A document as `svg_document.read` gives it, with a size in pixels and a viewBox. It is
        the same between calls.
      drawn: Its elements that are drawn, see `svg_document.drawn`.
      renderer: What renders documents.
    """

    def __init__(self, root: Element, drawn: Sequence[tuple[Element, int]], renderer: Renderer):
        self._root, self._drawn, self._renderer = root, drawn, renderer
        self._elements = [parent[place] for parent, place in drawn]
        self._hidden = [_hidden(element) for element in self._elements]
        self._finished = svg_layers.finished(root, drawn)
        self._has_text = next(root.iter("text"), None) is not None
        # A PNG, empty for the white page, and how many elements are on it.
        self._canvas, self._count = b"", 0

    def state(self, count: int) -> bytes:
        """A PNG of so many elements, at least 1, on white; numbers rise from call to call.

        It is equal to the bit to one that is drawn from nothing. A group that is one layer, as one
        with an opacity, is drawn again as long as it is not finished; all is, if a style sheet is
        so intricate that nobody knows.

        Raises:
          RenderingError: As `Renderer.render`.
          BoundsError: As `Renderer.render`.
        """
        base = self._finished[count]
        if base - self._count >= FEW and self._can_go_on:
            while self._count < base:
                after = self._finished[min(base, self._count + AT_ONCE)]
                if after <= self._count:
                    # A layer is larger than that.
                    after = next(n for n in self._finished if n > self._count)
                self._canvas, self._count = self._rendered(self._count, after), after
            if count == base:
                return self._canvas
        return self._rendered(self._count, count)

    @functools.cached_property
    def _can_go_on(self) -> bool:
        """Whether a picture is copied to the bit, which a document can prevent in many ways."""
        height, width = (int(self._root.get(side, "")) for side in ("height", "width"))
        y_HW, x_HW = np.mgrid[:height, :width]
        # No two pixels near each other are equal.
        chart_HWC = np.stack([x_HW, y_HW, x_HW // 256 + 16 * (y_HW // 256)], axis=-1) % 256
        chart_HWC = chart_HWC.astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(chart_HWC).save(file, "PNG", compress_level=1)
        copy = self._renderer.render(self.document(0, 0, file.getvalue()), False)
        copy_HWC = np.asarray(Image.open(io.BytesIO(copy)).convert("RGB"))
        return np.array_equal(copy_HWC, chart_HWC)

    def _rendered(self, first: int, last: int) -> bytes:
        return self._renderer.render(self.document(first, last, self._canvas), self._has_text)

    def document(self, first: int, last: int, below: bytes = b"") -> str:
        """The document with the elements from one to another alone.

        Args:
          first: How many elements before them are left out.
          last: How many there are with them.
          below: A PNG of the whole page that lies below them; empty for none.
        """
        for at, (parent, place) in enumerate(self._drawn):
            if not first <= at < last:
                parent[place] = self._hidden[at]
        if below:
            self._root.insert(0, self._picture(below))
        document = ElementTree.tostring(self._root, encoding="unicode")
        if below:
            del self._root[0]
        for element, (parent, place) in zip(self._elements, self._drawn, strict=True):
            parent[place] = element
        return document

    def _picture(self, picture: bytes) -> Element:
        """A picture as an element that covers the page pixel by pixel."""
        x, y, width, height = map(float, self._root.get("viewBox", "").split())
        if self._root.get("preserveAspectRatio") != "none":
            # The box lies in the middle of the page.
            sides = [float(self._root.get(side, "")) for side in ("width", "height")]
            scale = min(sides[0] / width, sides[1] / height)
            x, y = x + (width - sides[0] / scale) / 2, y + (height - sides[1] / scale) / 2
            width, height = (side / scale for side in sides)
        place = {"x": x, "y": y, "width": width, "height": height}
        return Element(
            "image",
            {name: repr(value) for name, value in place.items()}
            | {
                "preserveAspectRatio": "none",
                "style": "image-rendering:optimizeSpeed",
                "href": f"data:image/png;base64,{base64.b64encode(picture).decode()}",
            },
        )


def _hidden(element: Element) -> Element:
    """What stands for an element that is not drawn, but to which another may refer."""
    definitions = Element("defs")
    if any(part.get("id") for part in element.iter()):
        definitions.append(element)
    return definitions
