"""What stands around a sheet's window: where to cut and glue, which sheet it is, and a rule."""

from painting_jax.instruction.outline.drawing import Path, Text, segment
from painting_jax.instruction.outline.paper import MARGIN, OVERLAP, Tiling, column_name

RULE = 50.0  # length of the rule that shows whether a print has its real size, in mm
_CROSS = 2.5  # length of an arm of a registration cross, in mm
_TICK = (1.0, 3.0)  # beginning and end of a cut mark, in mm from the painting
_BELOW = 5.0  # of the text from the painting, in mm: printers leave the last 4 mm white
_SIZE = 2.6  # of the text, in mm


def crosses(tiling: Tiling) -> tuple[Path, ...]:
    """Registration crosses, in mm from the upper left corner of the painting.

    They lie in the middle of what two sheets share, so at the same place of the painting on both.
    """
    spots = []
    for row in range(tiling.rows):
        for column in range(tiling.columns):
            left, top, wide, high = tiling.window(column, row)
            if column:
                spots += [(left + OVERLAP / 2, top + share * high) for share in (0.25, 0.75)]
            if row:
                spots += [(left + share * wide, top + OVERLAP / 2) for share in (0.25, 0.75)]
    return tuple(
        path
        for x, y in spots
        for path in (segment(x - _CROSS, y, x + _CROSS, y), segment(x, y - _CROSS, x, y + _CROSS))
    )


def cuts(tiling: Tiling, column: int, row: int) -> tuple[Path, ...]:
    """Marks in a sheet's margins, in mm on the sheet: it is cut in the middle of what it shares."""
    x, y = tiling.corner()
    _, _, wide, high = tiling.window(column, row)
    near, far = _TICK
    across = [x + OVERLAP / 2] * (column > 0)
    across += [x + wide - OVERLAP / 2] * (column < tiling.columns - 1)
    down = [y + OVERLAP / 2] * (row > 0)
    down += [y + high - OVERLAP / 2] * (row < tiling.rows - 1)
    ends_y = ((y - far, y - near), (y + high + near, y + high + far))
    ends_x = ((x - far, x - near), (x + wide + near, x + wide + far))
    return (
        *(segment(cut, begin, cut, end) for cut in across for begin, end in ends_y),
        *(segment(begin, cut, end, cut) for cut in down for begin, end in ends_x),
    )


def sheet_name(column: int, row: int) -> str:
    """B2 is the second sheet of the second row."""
    return f"{column_name(column)}{row + 1}"


def foot(
    tiling: Tiling, column: int, row: int, title: str
) -> tuple[tuple[Path, ...], tuple[Text, ...]]:
    """The line at the foot of a sheet: title, sheet, size of the painting, and a rule."""
    width, height = tiling.paper
    base = height - MARGIN + _BELOW
    facts = f"{tiling.painting[0]:.0f} x {tiling.painting[1]:.0f} mm"
    if tiling.count > 1:
        facts = (
            f"{sheet_name(column, row)}: row {row + 1} of {tiling.rows},"
            f" column {column + 1} of {tiling.columns}; {facts} in all"
        )
    end = width - MARGIN
    rule = (
        segment(end - RULE, base, end, base),
        segment(end - RULE, base - 1, end - RULE, base + 1),
        segment(end, base - 1, end, base + 1),
    )
    # Few letters are wider than these shares of their size.
    room = width - 2 * MARGIN - RULE - 2 - 0.62 * _SIZE * (len(facts) + 2)
    letters = int(room / (0.75 * _SIZE))
    shown = title if len(title) <= letters else f"{title[: max(0, letters - 1)]}…"
    texts = (
        Text(MARGIN, base, f"{shown}; {facts}" if letters > 1 else facts, _SIZE, False),
        Text(end - RULE / 2, base - 0.8, f"{RULE:.0f} mm if printed at 100 %", 0.8 * _SIZE),
    )
    return rule, texts
