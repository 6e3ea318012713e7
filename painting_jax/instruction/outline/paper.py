"""Sheets of paper, and how a painting of any size lies on one or several of them."""

import dataclasses
import math
import re

from painting_jax.errors import UserError

MARGIN = 10.0  # of a sheet, in mm: printers leave up to 6 mm white
OVERLAP = 10.0  # of two sheets that are glued together, in mm
_SIZES = {
    "A5": (148.0, 210.0),
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
    "Letter": (215.9, 279.4),
    "Tabloid": (279.4, 431.8),
}
_OWN = re.compile(r"(\d{1,4}(?:\.\d{1,2})?)x(\d{1,4}(?:\.\d{1,2})?)")
_LEAST, _MOST = 100.0, 2000.0  # sides of a sheet of one's own, in mm
_SMALLEST, LARGEST = 20.0, 5000.0  # sides of a painting, in mm
_SHEETS = 100  # most sheets of a painting


@dataclasses.dataclass(frozen=True)
class Tiling:
    """A painting over sheets, in mm.

    Attributes:
      paper: Width and height of a sheet, turned as it is used.
      painting: Width and height of the painting.
      columns, rows: Number of sheets side by side, and one below the other.
    """

    paper: tuple[float, float]
    painting: tuple[float, float]
    columns: int
    rows: int

    @property
    def count(self) -> int:
        """Number of sheets."""
        return self.columns * self.rows

    def window(self, column: int, row: int) -> tuple[float, float, float, float]:
        """The part of the painting on a sheet: its left, top, width and height."""
        left, wide = _part(self.painting[0], self.columns, column)
        top, high = _part(self.painting[1], self.rows, row)
        return left, top, wide, high

    def corner(self) -> tuple[float, float]:
        """Where the window's left and top lie on a sheet; one sheet alone has it in its middle."""
        if self.count > 1:
            return MARGIN, MARGIN
        return (self.paper[0] - self.painting[0]) / 2, (self.paper[1] - self.painting[1]) / 2


def size(name: str) -> tuple[float, float]:
    """Width and height of a sheet in mm, upright.

    Args:
      name: A4, Letter ... or WIDTHxHEIGHT in mm.

    Raises:
      UserError: If there is no such paper.
    """
    for known, sides in _SIZES.items():
        if known.lower() == name.lower():
            return sides
    own = _OWN.fullmatch(name)
    if own is None:
        raise UserError(f"paper is one of {', '.join(_SIZES)} or WIDTHxHEIGHT in mm, not {name}")
    width, height = sorted((float(own[1]), float(own[2])))
    if not (width >= _LEAST and height <= _MOST):
        raise UserError(f"paper {name}: its sides must be {_LEAST:.0f} to {_MOST:.0f} mm")
    return width, height


def tiled(aspect: float, paper: str, width_mm: float | None = None) -> Tiling:
    """Lays a painting on as few sheets as possible.

    Args:
      aspect: Width of the painting, as a multiple of its height.
      paper: See `size`.
      width_mm: Width of the painting; None is as large as one sheet holds.

    Raises:
      UserError: If there is no such paper, or the painting is too small or too large.
    """
    short, long = size(paper)
    ways = ((short, long), (long, short))
    if width_mm is None:
        width_mm = max(min(way[0] - 2 * MARGIN, (way[1] - 2 * MARGIN) * aspect) for way in ways)
    painting = (float(width_mm), width_mm / aspect)
    # What is not a number fails here, too.
    if not (min(painting) >= _SMALLEST and max(painting) <= LARGEST):
        raise UserError(
            f"a painting of {painting[0]:.0f} x {painting[1]:.0f} mm: its sides must be"
            f" {_SMALLEST:.0f} to {LARGEST:.0f} mm"
        )
    tilings = [
        Tiling(way, painting, *(_count(*sides) for sides in zip(painting, way, strict=True)))
        for way in ways
    ]
    # Turned as the painting is, if that costs no sheet.
    tilings.sort(key=lambda t: (t.count, (t.paper[0] > t.paper[1]) != (aspect > 1)))
    if tilings[0].count > _SHEETS:
        raise UserError(
            f"a painting of {painting[0]:.0f} x {painting[1]:.0f} mm would take"
            f" {tilings[0].count} sheets of {paper}, {_SHEETS} at most: name larger paper"
        )
    return tilings[0]


def column_name(column: int) -> str:
    """A, B ... Z, AA, AB ..., for columns counted from 0."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _count(painting: float, sheet: float) -> int:
    # What fits but for rounding fits.
    more = painting - (sheet - 2 * MARGIN) - 1e-6
    return 1 + max(0, math.ceil(more / (sheet - 2 * MARGIN - OVERLAP)))


def _part(painting: float, count: int, index: int) -> tuple[float, float]:
    """Beginning and length of a part: all are as long, so that none is a narrow strip."""
    length = (painting + (count - 1) * OVERLAP) / count
    return index * (length - OVERLAP), length
