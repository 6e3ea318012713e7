"""An outline on paper in real size: lines, a grid, numbers, and marks to put sheets together."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from painting_jax.errors import UserError, one_line
from painting_jax.instruction.outline import grid as grids
from painting_jax.instruction.outline import marks
from painting_jax.instruction.outline import paper as papers
from painting_jax.instruction.outline.drawing import Layer, Path, Sheet, moved
from painting_jax.instruction.outline.numbering import numbered
from painting_jax.instruction.outline.outlines import Outline, Region
from painting_jax.instruction.outline.paper import Tiling

PEN = 0.25  # width of the lines, in mm
NUMBER_SIZE = 3.0  # of numbers where there is room, in mm
_LIGHT, _LIGHTER = (0.6, 0.6, 0.6), (0.7, 0.7, 0.7)
_BLUE = (0.55, 0.75, 0.9)  # of guides that are no part of the picture
_FINE_PEN = 0.15
_PENS = (0.05, 2.0)


@dataclasses.dataclass(frozen=True)
class Layout:
    """An outline on its sheets.

    Attributes:
      sheets: Row by row.
      tiling: Where they lie.
      scale: Millimetres a pixel of the picture.
      left_out: Regions for whose number there was no room.
    """

    sheets: tuple[Sheet, ...]
    tiling: Tiling
    scale: float
    left_out: tuple[Region, ...]


def laid_out(
    outline: Outline,
    paper: str = "A4",
    *,
    width_mm: float | None = None,
    grid: int | None = None,
    numbers: Mapping[int, str] | None = None,
    number_size: float = NUMBER_SIZE,
    pen: float = PEN,
    title: str = "Outline",
) -> Layout:
    """Lays an outline out in real size.

    Args:
      outline: The outline.
      paper: A4, Letter, ... (`paper.size`), turned as the picture is.
      width_mm: Width of the painting; None is as large as one sheet holds. A larger painting is
        tiled over sheets that overlap.
      grid: Cells of a grid side by side, which are square and named A1, B1 ... from the upper left.
      numbers: Number, or other short text, of each label, for painting by numbers.
      number_size: Size of the numbers where there is room, in mm.
      pen: Width of the lines, in mm.
      title: Title, printed below the painting.

    Raises:
      UserError: If a value is out of its range.
    """
    if not _PENS[0] <= pen <= _PENS[1]:
        raise UserError(f"a pen of {pen} mm: {_PENS[0]} to {_PENS[1]} mm can be printed")
    tiling = papers.tiled(outline.width / outline.height, paper, width_mm)
    scale = tiling.painting[0] / outline.width
    placed = numbered(outline, numbers or {}, scale, number_size)
    cells = () if grid is None else grids.lines(tiling.painting, grid)
    layers = [
        Layer("grid", _BLUE, _FINE_PEN, cells),
        Layer("frame", _LIGHT, _FINE_PEN, (_frame(*tiling.painting),)),
        Layer("edges", _LIGHTER, pen, _curves(outline, scale, True)),
        Layer("borders", _LIGHT, pen, _curves(outline, scale, False)),
        Layer("leaders", _LIGHT, _FINE_PEN, placed.leaders),
        Layer("numbers", _LIGHT, _FINE_PEN, (), placed.texts),
        Layer("crosses", _BLUE, _FINE_PEN, marks.crosses(tiling)),
    ]
    title = one_line(title)
    sheets = tuple(
        _sheet(tiling, layers, title, grid, column, row)
        for row in range(tiling.rows)
        for column in range(tiling.columns)
    )
    return Layout(sheets, tiling, scale, placed.left_out)


def _sheet(
    tiling: Tiling, layers: list[Layer], title: str, grid: int | None, column: int, row: int
) -> Sheet:
    left, top, wide, high = tiling.window(column, row)
    x, y = tiling.corner()
    # Half of the frame's own line lies outside the painting.
    half = _FINE_PEN / 2
    window = (x - half, y - half, wide + 2 * half, high + 2 * half)
    names = () if grid is None else grids.names(tiling, grid, column, row)
    there = (
        *(moved(layer, (x - left, y - top), window) for layer in layers),
        Layer("cells", _BLUE, _FINE_PEN, (), names),
        Layer("cuts", _LIGHT, _FINE_PEN, marks.cuts(tiling, column, row)),
        Layer("foot", _LIGHT, _FINE_PEN, *marks.foot(tiling, column, row, title)),
    )
    return Sheet(
        marks.sheet_name(column, row),
        title,
        *tiling.paper,
        tuple(layer for layer in there if layer.paths or layer.texts),
    )


def _curves(outline: Outline, scale: float, inner: bool) -> tuple[Path, ...]:
    return tuple(
        Path(scale * line.xy_C2, curved=True, closed=line.closed)
        for line in outline.lines
        if line.inner == inner
    )


def _frame(width: float, height: float) -> Path:
    corners = [[0, 0], [width, 0], [width, height], [0, height], [0, 0]]
    return Path(np.array(corners, np.float64), closed=True)
