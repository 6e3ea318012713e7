"""Sheets as one PDF in real size, a page each."""

import importlib.util
import io
import pathlib
from collections.abc import Sequence

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from painting_jax.instruction.outline.drawing import Layer, Path, Sheet, Text

_FONT = "DejaVuSans"


def document(sheets: Sequence[Sheet]) -> bytes:
    """The sheets as the pages of a PDF.

    The same sheets make the same bytes: the file has no date. It asks viewers to print it at its
    real size.

    Args:
      sheets: One or more.
    """
    if not sheets:
        raise ValueError("a PDF of no sheets")
    _register_font()
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1, pageCompression=1)
    canvas.setTitle(sheets[0].title)
    canvas.setCreator("painting_jax")
    canvas.setViewerPreference("PrintScaling", "None")
    for sheet in sheets:
        canvas.setPageSize((sheet.width * mm, sheet.height * mm))
        # Millimetres from the upper left corner.
        canvas.translate(0, sheet.height * mm)
        canvas.scale(mm, -mm)
        for layer in sheet.layers:
            _draw(canvas, layer)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw(canvas: Canvas, layer: Layer) -> None:
    canvas.saveState()
    if layer.window is not None:
        window = canvas.beginPath()
        window.rect(*layer.window)
        canvas.clipPath(window, stroke=0, fill=0)
    canvas.setStrokeColorRGB(*layer.colour)
    canvas.setFillColorRGB(*layer.colour)
    canvas.setLineWidth(layer.pen)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    for path in layer.paths:
        _stroke(canvas, path)
    for text in layer.texts:
        _write(canvas, text)
    canvas.restoreState()


def _stroke(canvas: Canvas, path: Path) -> None:
    line = canvas.beginPath()
    points = path.xy_P2.tolist()
    line.moveTo(*points[0])
    if path.curved:
        for first in range(1, len(points), 3):
            line.curveTo(*points[first], *points[first + 1], *points[first + 2])
    else:
        for point in points[1:]:
            line.lineTo(*point)
    if path.closed:
        line.close()
    canvas.drawPath(line, stroke=1, fill=0)


def _write(canvas: Canvas, text: Text) -> None:
    canvas.saveState()
    # Letters would hang upside down.
    canvas.translate(text.x, text.y)
    canvas.scale(1, -1)
    canvas.setFont(_FONT, text.size)
    if text.centred:
        canvas.drawCentredString(0, 0, text.text)
    else:
        canvas.drawString(0, 0, text.text)
    canvas.restoreState()


def _register_font() -> None:
    """Registers the font that matplotlib brings: it has many alphabets and may be embedded."""
    if _FONT not in pdfmetrics.getRegisteredFontNames():
        folder = pathlib.Path(importlib.util.find_spec("matplotlib").origin).parent
        file = folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        pdfmetrics.registerFont(TTFont(_FONT, str(file)))
