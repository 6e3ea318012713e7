"""Where in a picture something lies, in words that everybody uses."""

import numpy as np

_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
EVERYWHERE = "everywhere"
PLACES = (
    "top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom",
    "bottom right", "top band", "bottom band", "left band", "right band", EVERYWHERE,
)  # fmt: skip

_WIDE = 0.75  # share of a side that something takes up all of


def place(where_HW: np.ndarray) -> str:
    """The place of a mask, one of `PLACES`; `EVERYWHERE` if it is empty.

    A band runs along a side from one end to the other.
    """
    y_P, x_P = np.nonzero(where_HW)
    if not len(y_P):
        return EVERYWHERE
    height, width = where_HW.shape
    spans = [
        (np.quantile(at_P, 0.95) - np.quantile(at_P, 0.05) + 1) / length / 0.9
        for at_P, length in ((y_P, height), (x_P, width))
    ]
    tall, wide = (span > _WIDE for span in spans)
    row = _ROWS[min(2, int(3 * (y_P.mean() + 0.5) / height))]
    column = _COLUMNS[min(2, int(3 * (x_P.mean() + 0.5) / width))]
    if tall and wide:
        return EVERYWHERE
    if wide and row != "middle":
        return f"{row} band"
    if tall and column != "centre":
        return f"{column} band"
    if row == "middle":
        return column
    return row if column == "centre" else f"{row} {column}"
