"""A sheet as an SVG document in real size: single strokes in named groups, no scripts."""

import html
import re

from painting_jax.errors import one_line
from painting_jax.instruction.outline.drawing import Layer, Path, Sheet, Text

_FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
# XML has no way to write them.
_NO_XML = re.compile("[\ufffe\uffff]")


def document(sheet: Sheet) -> str:
    """The sheet as an SVG document, whose unit is the millimetre.

    Each line of a layer is one path, which is drawn once: a plotter or a laser may follow it.
    """
    width, height = _number(sheet.width), _number(sheet.height)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}">',
        f"<title>{_escaped(sheet.title)}, sheet {sheet.name}</title>",
        *(line for layer in sheet.layers for line in _layer(layer)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _layer(layer: Layer) -> list[str]:
    colour = "#" + "".join(f"{round(255 * part):02x}" for part in layer.colour)
    clip = []
    where = ""
    if layer.window is not None:
        left, top, wide, high = (_number(side) for side in layer.window)
        clip = [
            f'<clipPath id="{layer.name}-window">'
            f'<rect x="{left}" y="{top}" width="{wide}" height="{high}"/></clipPath>'
        ]
        where = f' clip-path="url(#{layer.name}-window)"'
    return [
        *clip,
        f'<g id="{layer.name}"{where} fill="none" stroke="{colour}"'
        f' stroke-width="{_number(layer.pen)}" stroke-linecap="round" stroke-linejoin="round">',
        *(f'<path d="{_path(path)}"/>' for path in layer.paths),
        *(_text(text, colour) for text in layer.texts),
        "</g>",
    ]


def _path(path: Path) -> str:
    points = [f"{_number(x)} {_number(y)}" for x, y in path.xy_P2.tolist()]
    command = "C" if path.curved else "L"
    return f"M{points[0]}{command}{' '.join(points[1:])}{'Z' * path.closed}"


def _text(text: Text, colour: str) -> str:
    middle = ' text-anchor="middle"' if text.centred else ""
    return (
        f'<text x="{_number(text.x)}" y="{_number(text.y)}" font-size="{_number(text.size)}"'
        f' font-family="{_FONTS}" fill="{colour}" stroke="none"{middle}>'
        f"{_escaped(text.text)}</text>"
    )


def _number(value: float) -> str:
    """A number with at most three decimals, so a thousandth of a millimetre."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    return html.escape(_NO_XML.sub("\ufffd", one_line(text)))
