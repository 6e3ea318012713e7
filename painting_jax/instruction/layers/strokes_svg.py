"""Writes the strokes of a painting as an SVG: a group a pass, and in it a path a stroke.

Groups of a glaze are multiplied with what is below them (`mix-blend-mode`), as one: within a pass
of the painter each place is painted once.
"""

import os
from collections.abc import Iterator
from xml.sax.saxutils import escape

import numpy as np

from painting_jax.errors import UserError, one_line
from painting_jax.files import written_beside
from painting_jax.instruction.layers.strokes import Group, Lines, Recorder

# As many as are read again by `data.artwork.svg`, the ground being another one.
MOST_STROKES = 19_999


def write(path: str | os.PathLike, painted: Recorder, size: tuple[int, int], *, title: str) -> None:
    """Writes strokes as an SVG, whole or not at all; the same strokes give the same bytes.

    Args:
      path: New or existing file.
      painted: What watched the painter.
      size: Height and width of the picture in pixels.
      title: Title of the document.

    Raises:
      OSError: If the file cannot be written.
      UserError: If there are more than `MOST_STROKES`.
    """
    if len(painted) > MOST_STROKES:
        raise UserError(
            f"{len(painted)} strokes are too many for an svg, of at most {MOST_STROKES}: ask for a "
            "smaller size"
        )
    height, width = size
    regions: dict[bytes, str] = {}
    groups = [
        line
        for number, group in enumerate(painted.groups, start=1)
        for line in _group(group, number, regions)
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">',
        f"<title>{escape(one_line(title))}</title>",
        "<desc>Painted by a program, the stroke painter of painting_jax.</desc>",
        "<defs>",
        *regions.values(),
        "</defs>",
        f'<rect width="{width}" height="{height}" fill="{_hex(painted.ground_C)}"/>',
        *groups,
        "</svg>",
    ]
    with written_beside(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", "utf-8")


def _group(group: Group, number: int, regions: dict[bytes, str]) -> Iterator[str]:
    blended = ' style="mix-blend-mode:multiply"' if group.is_glaze else ""
    yield f'<g id="pass{number}" fill="none"{blended}>'
    yield f"<title>{number} {escape(group.name)}</title>"
    if group.labels_HW is None:
        yield from _paths(group.lines)
    else:
        borders = np.flatnonzero(np.diff(group.lines.label_N)) + 1
        for index in np.split(np.arange(len(group.lines)), borders):
            region = _region(group.labels_HW == group.lines.label_N[index[0]], regions)
            yield f'<g clip-path="url(#{region})">'
            yield from _paths(group.lines.take(index))
            yield "</g>"
    yield "</g>"


def _paths(lines: Lines) -> Iterator[str]:
    for points_6, width, colour_C, opacity in zip(
        lines.points_N32.reshape(-1, 6),
        lines.width_N,
        lines.colour_NC,
        lines.opacity_N,
        strict=True,
    ):
        path = "M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}".format(*points_6)
        seen = "" if opacity == 1 else f' opacity="{opacity:.2f}"'
        yield f'<path d="{path}" stroke="{_hex(colour_C)}" stroke-width="{width:.2f}"{seen}/>'


def _region(mask_HW: np.ndarray, regions: dict[bytes, str]) -> str:
    """The id of a clip path of a region, which is defined if it is not yet."""
    key = np.packbits(mask_HW).tobytes()
    number = list(regions).index(key) if key in regions else len(regions)
    name = f"region{number}"
    if key not in regions:
        change_HX = np.diff(np.pad(mask_HW.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        (y_R, first_R), (_, last_R) = np.nonzero(change_HX == 1), np.nonzero(change_HX == -1)
        runs = (
            f"M{first} {y}H{last}V{y + 1}H{first}Z"
            for y, first, last in zip(y_R, first_R, last_R, strict=True)
        )
        regions[key] = f'<clipPath id="{name}"><path d="{"".join(runs)}"/></clipPath>'
    return name


def _hex(colour_C: np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*np.rint(255 * np.asarray(colour_C)).astype(int))
