"""Boxes between straight edges in a picture of a screen: windows, panels, pictures and canvases."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_EDGE = 12  # levels of 255 by which colours beside an edge differ
_COMMON = 2  # long edges in each direction that pictures of a screen have in common
_GAP = 0.015  # share of the picture's side, of an edge, that a stroke or a pointer may hide
_LINES = 48  # longest edges in each direction that are sides of boxes
_SHORTEST = 0.2  # side of a box, as a share of that of the picture
_SEEN, _SEEN_IN_ALL = 0.35, 0.7  # share of the worst side, and of all four, that is an edge
_BORDER = 0.5  # and what the border of the picture counts for, which may cut the canvas
_CROSSED = 0.9  # share of a line that is an edge, from which on it divides a box in two
NEAR = 4  # pixels by which boxes differ that are one
_BOXES = 48  # boxes of a picture that are compared with those of others

Pictures = Sequence[np.ndarray] | np.ndarray  # uint8[H, W, 3] each


def is_screen(pictures: Pictures) -> bool:
    """Whether the first picture, the middle one and the last have long edges in common columns.

    They have them in common rows, too: a camera that moves, or stands at an angle, sees none, and
    a canvas alone shows none.

    Args:
      pictures: uint8[H, W, 3] each.
    """
    shown = [pictures[at] for at in (0, len(pictures) // 2, -1)]
    for axis in (1, 0):
        lines = [_lines(edges if axis else edges.T) for edges in (_edges(p, axis) for p in shown)]
        common = set.intersection(*map(set, lines)) - {0, shown[0].shape[axis]}
        if len(common) < _COMMON:
            return False
    return True


def boxes_of(picture_HWC: np.ndarray) -> np.ndarray:
    """Boxes between straight edges that no edge divides, int[N, 4]; the clearest ones first.

    Args:
      picture_HWC: uint8 RGB. Its border counts for half an edge.
    """
    height, width, _ = picture_HWC.shape
    upright_HW, level_HW = (_edges(picture_HWC, axis) for axis in (1, 0))
    x_X, y_Y = _lines(upright_HW), _lines(level_HW.T)
    seen_XYY = _seen(upright_HW, x_X, y_Y)  # shares of upright lines between two level ones
    seen_YXX = _seen(level_HW.T, y_Y, x_X)
    tall_YY = y_Y[None] - y_Y[:, None] >= _SHORTEST * height
    found = []
    for i, left in enumerate(x_X):
        for j in range(i + 1, len(x_X)):
            if x_X[j] - left < _SHORTEST * width:
                continue
            within_X = (x_X > left + NEAR) & (x_X < x_X[j] - NEAR)
            crossed_YY = seen_XYY[within_X].max(0, initial=0)
            level_Y = seen_YXX[:, i, j]
            sides_4YY = np.stack(
                np.broadcast_arrays(seen_XYY[i], seen_XYY[j], level_Y[:, None], level_Y[None])
            )
            good_YY = tall_YY & (crossed_YY < _CROSSED)
            good_YY &= (sides_4YY.min(0) > _SEEN) & (sides_4YY.mean(0) > _SEEN_IN_ALL)
            for k, n in np.argwhere(good_YY):
                within_Y = (y_Y > y_Y[k] + NEAR) & (y_Y < y_Y[n] - NEAR)
                if level_Y[within_Y].max(initial=0) < _CROSSED:
                    box_4 = (left, y_Y[k], x_X[j], y_Y[n])
                    found.append((sides_4YY[:, k, n].mean(), *map(int, box_4)))
    distinct: list[tuple[int, ...]] = []
    for _, *box_4 in sorted(found, key=lambda one: -one[0]):
        if len(distinct) == _BOXES:
            break
        is_whole = box_4 == [0, 0, width, height]
        if not is_whole and all(np.abs(np.subtract(box_4, o)).max() > NEAR for o in distinct):
            distinct.append(tuple(box_4))
    return np.array(distinct, int).reshape(-1, 4)


def _edges(picture_HWC: np.ndarray, axis: int) -> np.ndarray:
    """Whether a pixel differs from the one before it: bool[H + 1, W] or [H, W + 1]."""
    steps = np.abs(np.diff(picture_HWC.astype(np.int16), axis=axis)).max(-1) > _EDGE
    around = [(0, 0), (0, 0)]
    around[axis] = (1, 1)
    return np.pad(steps, around, constant_values=True)


def _lines(edges_HW: np.ndarray) -> np.ndarray:
    """Columns that hold the longest upright edges, with gaps closed, in order: int[X]."""
    gap = max(1, round(_GAP * len(edges_HW)))
    padded_HW = np.pad(edges_HW, ((gap, gap), (0, 0)))
    closed_HW = ndimage.binary_closing(padded_HW, np.ones((gap + 1, 1)))[gap:-gap]
    run_W = np.zeros(edges_HW.shape[1], int)
    longest_W = run_W.copy()
    for row_W in closed_HW:
        run_W = np.where(row_W, run_W + 1, 0)
        longest_W = np.maximum(longest_W, run_W)
    columns = np.argsort(-longest_W, kind="stable")[:_LINES]
    return np.sort(columns[longest_W[columns] >= _SHORTEST * len(edges_HW)])


def _seen(edges_HW: np.ndarray, x_X: np.ndarray, y_Y: np.ndarray) -> np.ndarray:
    """Share of each column between two rows that is an edge: float[X, Y, Y]."""
    # A codec moves edges by a pixel.
    near_HW = ndimage.binary_dilation(edges_HW, np.ones((1, 3)))
    counts_HW = np.pad(np.cumsum(near_HW, 0), ((1, 0), (0, 0)))
    counts_XY = counts_HW[y_Y][:, x_X].T
    lengths_YY = np.maximum(y_Y[None] - y_Y[:, None], 1)
    seen_XYY = (counts_XY[:, None] - counts_XY[:, :, None]) / lengths_YY
    seen_XYY[(x_X == 0) | (x_X == edges_HW.shape[1] - 1)] = _BORDER
    return seen_XYY
