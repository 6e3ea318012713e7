"""The borders between regions as a planar map: each traced once, from junction to junction."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Arc:
    """A border between the same two regions all along.

    Attributes:
      xy_P2: Corners of pixels on the way, a pixel apart; the first is the last in a closed border.
      ends: Numbers of the junctions at its ends; both -1 in a closed border.
    """

    xy_P2: np.ndarray
    ends: tuple[int, int]


def arcs(islands_HW: np.ndarray) -> list[Arc]:
    """Follows the cracks between the pixels of different islands.

    Junctions are the corners at which three or four cracks meet, or at which one meets the edge of
    the picture. Their numbers count the corners of pixels row by row.

    Args:
      islands_HW: Integers.

    Returns:
      Arcs in a fixed order; together they run along every crack once.
    """
    height, width = islands_HW.shape
    corners = width + 1
    # A crack below a pixel runs from left to right, one at its right from top to bottom.
    y_E, x_E = np.nonzero(islands_HW[1:] != islands_HW[:-1])
    across_E2 = ((y_E + 1) * corners + x_E)[:, None] + np.array([0, 1])
    y_E, x_E = np.nonzero(islands_HW[:, 1:] != islands_HW[:, :-1])
    down_E2 = (y_E * corners + x_E + 1)[:, None] + np.array([0, corners])
    ends_E2 = np.concatenate([across_E2, down_E2])
    degree_V = np.bincount(ends_E2.ravel(), minlength=(height + 1) * corners)
    # The cracks at each corner, in a row.
    order_F = np.argsort(ends_E2.ravel(), kind="stable")
    crack_F = (order_F // 2).tolist()
    first_V = np.concatenate([[0], np.cumsum(degree_V)])
    junctions = np.flatnonzero((degree_V > 0) & (degree_V != 2))
    tail, head, used = ends_E2[:, 0].tolist(), ends_E2[:, 1].tolist(), [False] * len(ends_E2)
    passing, first = (degree_V == 2).tolist(), first_V.tolist()

    def followed(corner: int, crack: int) -> list[int]:
        """Corners from here along unused cracks to a junction, or around to this corner."""
        way = [corner]
        while True:
            used[crack] = True
            corner = head[crack] if tail[crack] == corner else tail[crack]
            way.append(corner)
            if not passing[corner]:
                return way
            one, other = crack_F[first[corner]], crack_F[first[corner] + 1]
            crack = other if used[one] else one
            if used[crack]:
                return way

    ways = [
        followed(corner, crack_F[place])
        for corner in junctions.tolist()
        for place in range(first[corner], first[corner + 1])
        if not used[crack_F[place]]
    ]
    loops = [followed(tail[crack], crack) for crack in range(len(used)) if not used[crack]]
    return [
        *(_arc(way, corners, (way[0], way[-1])) for way in ways),
        *(_arc(way, corners, (-1, -1)) for way in loops),
    ]


def _arc(way: list[int], corners: int, ends: tuple[int, int]) -> Arc:
    y_P, x_P = np.divmod(np.array(way), corners)
    return Arc(np.stack([x_P, y_P], 1).astype(np.float64), ends)
