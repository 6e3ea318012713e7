"""The grid by which people transfer a composition: square cells, named in the margins."""

import numpy as np

from painting_jax.errors import UserError
from painting_jax.instruction.outline.drawing import Path, Text, segment
from painting_jax.instruction.outline.paper import Tiling, column_name

CELLS = range(2, 41)  # cells side by side
_MOST_ROWS = 160
_SIZE = 2.6  # of the names, in mm
_LEAST = 3.0  # of a cell that is named on a sheet, in mm
_AWAY = 1.5  # of the names from the painting, in mm


def lines(painting: tuple[float, float], columns: int) -> tuple[Path, ...]:
    """The lines between the cells, in mm from the upper left corner of the painting.

    Args:
      painting: Width and height in mm.
      columns: Cells side by side. They are square, and the lowest may be cut.

    Raises:
      UserError: If there are too few or too many.
    """
    if columns not in CELLS:
        raise UserError(f"a grid of {columns} cells side by side: {CELLS[0]} to {CELLS[-1]}")
    width, height = painting
    cell = width / columns
    rows = _rows(height, cell)
    if rows > _MOST_ROWS:
        raise UserError(f"a grid of {columns} x {rows} cells: {_MOST_ROWS} rows at most")
    upright = (segment(cell * place, 0, cell * place, height) for place in range(1, columns))
    level = (segment(0, cell * place, width, cell * place) for place in range(1, rows))
    return (*upright, *level)


def names(tiling: Tiling, columns: int, column: int, row: int) -> tuple[Text, ...]:
    """Letters above a sheet's window and numbers at its left, in mm on the sheet: A1 is the first.

    Args:
      tiling: The sheets.
      columns: Cells side by side.
      column, row: Which sheet.
    """
    left, top, wide, high = tiling.window(column, row)
    x, y = tiling.corner()
    cell = tiling.painting[0] / columns
    letters = (
        Text(x + middle, y - _AWAY, column_name(place), _SIZE)
        for place, middle in _seen(cell, columns, left, wide)
    )
    numbers = (
        Text(x - _AWAY - 0.3 * _SIZE * len(str(place + 1)), y + middle + 1, str(place + 1), _SIZE)
        for place, middle in _seen(cell, _rows(tiling.painting[1], cell), top, high)
    )
    return (*letters, *numbers)


def _seen(cell: float, count: int, begin: float, length: float) -> list[tuple[int, float]]:
    """Cells of which a window shows enough, and the middle of what it shows."""
    seen = []
    for place in range(count):
        first, last = max(0.0, place * cell - begin), min(length, (place + 1) * cell - begin)
        if last - first >= min(_LEAST, cell / 2):
            seen.append((place, (first + last) / 2))
    return seen


def _rows(height: float, cell: float) -> int:
    # A last row that is nothing but rounding is none.
    return int(np.ceil(height / cell - 1e-6))
