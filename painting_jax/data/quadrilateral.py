"""Quadrilaterals in a photo whose sides are edges, such as a canvas seen from the side.

Corners are (x, y) in pixels, clockwise from the top left, as float[4, 2]. Pixel centres lie at
halves, so that a whole photo has the corners (0, 0), (width, 0), (width, height), (0, height).
"""

import dataclasses

import numpy as np
from scipy import ndimage
from skimage import transform

# Levels of 255 a pixel: half of an edge's strength, if the photo is no rougher than that.
_FAINT = 5.0
_VOTING = 0.3  # strength, 0..1, of pixels that vote for lines
_LINES = 24  # most lines in each of the two directions
_SLANT = 40  # degrees by which sides may differ from upright or level
_APART_DEGREES, _APART_PIXELS = 3, 4  # how far lines must differ in one or the other
_ACROSS = 1.5  # pixels by which an edge may lie beside a line
_ON_BORDER = 0.45  # what a side on the photo's border, where no edge can be, counts as
_BEYOND = 0.12  # share of a side's length, beyond its corners, where its edge should have ended
_CORNER = 0.02  # and of what is next to a corner
_LESS_BEYOND = 0.3  # weight of the edge beyond
_SAMPLES = 80  # points along a side and beyond
_BENT = 0.3  # weight of the difference between the logarithms of two aspects,
_MOST_BENT = 0.45  # and its largest value
_LEAST_AREA = 0.06  # of the photo
_APART = 0.01  # of the photo's sides, between candidates


def whole(shape_HW: tuple[int, int]) -> np.ndarray:
    """The corners of a whole photo."""
    height, width = shape_HW
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def inside(corners_42: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """Which pixels of a picture have their centres in a convex quadrilateral: bool[H, W]."""
    height, width = shape_HW
    x_W, y_H1 = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    inside_HW = np.ones(shape_HW, bool)
    for (x, y), (to_x, to_y) in zip(corners_42, np.roll(corners_42, -1, axis=0), strict=True):
        inside_HW &= (to_x - x) * (y_H1 - y) >= (to_y - y) * (x_W - x)
    return inside_HW


def rectified(photo_HWC: np.ndarray, corners_42: np.ndarray, height: int, width: int) -> np.ndarray:
    """What lies between four corners, as seen from the front: float32[height, width, C].

    Outside the photo, its border is repeated. There is no smoothing: a photo that is much larger
    than the result should be shrunk before.
    """
    there = transform.ProjectiveTransform.from_estimate(whole((height, width)), corners_42)
    x_HW, y_HW = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x_P, y_P = there(np.stack([x_HW.ravel(), y_HW.ravel()], axis=1)).T - 0.5
    channels = [
        ndimage.map_coordinates(photo_HWC[..., c], (y_P, x_P), np.float32, order=1, mode="nearest")
        for c in range(photo_HWC.shape[2])
    ]
    return np.stack(channels, axis=-1).reshape(height, width, -1)


@dataclasses.dataclass(frozen=True)
class Edges:
    """The edges of a photo.

    Attributes:
      strength_HW: Strength, 0..1; 0.5 for a faint edge.
      doubled_HW2: Cosine and sine of twice the angle of the slope, times the strength. Doubled
        angles make an edge from dark to light equal to one from light to dark.
    """

    strength_HW: np.ndarray
    doubled_HW2: np.ndarray

    @classmethod
    def of(cls, photo_HWC: np.ndarray) -> "Edges":
        """Those of a small photo, RGB in 0..255."""
        slopes_2HWC = np.stack(
            [
                ndimage.gaussian_filter(photo_HWC.astype(np.float32), (1, 1, 0), (*order, 0))
                for order in ((0, 1), (1, 0))
            ]
        )
        best_HW = np.argmax((slopes_2HWC**2).sum(0), axis=-1)
        x_HW, y_HW = (
            np.take_along_axis(slope_HWC, best_HW[..., None], -1)[..., 0]
            for slope_HWC in slopes_2HWC
        )
        size_HW = np.hypot(x_HW, y_HW)
        strength_HW = size_HW / (size_HW + max(_FAINT, 2 * float(np.median(size_HW))))
        double_HW = 2 * np.arctan2(y_HW, x_HW)
        direction_HW2 = np.stack([np.cos(double_HW), np.sin(double_HW)], axis=-1)
        return cls(strength_HW, strength_HW[..., None] * direction_HW2)

    def along(self, start_N2: np.ndarray, end_N2: np.ndarray, samples: int) -> np.ndarray:
        """Strength of edges along N segments, of those that run as the segments do, in 0..1.

        Returns:
          float32[N, samples]; 0 outside the photo.
        """
        run_N2 = end_N2 - start_N2
        length_N1 = np.maximum(np.linalg.norm(run_N2, axis=1, keepdims=True), 1e-6)
        normal_N2 = run_N2[:, ::-1] * (-1, 1) / length_N1
        double_N = 2 * np.arctan2(normal_N2[:, 1], normal_N2[:, 0])
        share_S1 = ((np.arange(samples) + 0.5) / samples)[:, None]
        points_NS2 = start_N2[:, None] + share_S1 * run_N2[:, None]
        found = []
        for across in (-_ACROSS, 0, _ACROSS):
            x_NS, y_NS = np.moveaxis(points_NS2 + across * normal_N2[:, None] - 0.5, -1, 0)
            cos_NS, sin_NS = (
                ndimage.map_coordinates(self.doubled_HW2[..., i], (y_NS, x_NS), order=1)
                for i in range(2)
            )
            same_NS = cos_NS * np.cos(double_N)[:, None] + sin_NS * np.sin(double_N)[:, None]
            found.append(np.maximum(same_NS, 0) * (1 if across == 0 else 0.8))
        return np.max(found, axis=0)


def support(edges: Edges, corners_42: np.ndarray) -> float:
    """How far the sides of a quadrilateral are edges that end at its corners, up to 1.

    The mean side and the worst count alike. The line of a table or of a wall goes on.
    """
    ends_42 = np.roll(corners_42, -1, axis=0)
    over_42 = _BEYOND * (ends_42 - corners_42)
    along_4S = edges.along(corners_42 - over_42, ends_42 + over_42, _SAMPLES)
    place_S = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * (1 + 2 * _BEYOND) - _BEYOND
    side_4 = along_4S[:, (place_S > 0) & (place_S < 1)].mean(1)
    beyond_4 = along_4S[:, np.abs(place_S - 0.5) > 0.5 + _CORNER].mean(1)
    border_4 = _on_border(corners_42, ends_42, edges.strength_HW.shape)
    side_4, beyond_4 = np.where(border_4, _ON_BORDER, side_4), np.where(border_4, 0, beyond_4)
    return float(_judged(side_4, beyond_4))


def _judged(side_N4: np.ndarray, beyond_N4: np.ndarray) -> np.ndarray:
    """The support, of the edges along the sides and beyond them: float[...]."""
    return (side_N4.mean(-1) + side_N4.min(-1)) / 2 - _LESS_BEYOND * beyond_N4.mean(-1)


def _on_border(a_N2: np.ndarray, b_N2: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """Which segments lie on the photo's border: bool[N]."""
    size_2 = np.array(shape_HW[::-1])
    low_N2, high_N2 = np.minimum(a_N2, b_N2), np.maximum(a_N2, b_N2)
    return ((high_N2 < 2) | (low_N2 > size_2 - 2)).any(1)


def candidates(edges: Edges, aspect: float, most: int) -> np.ndarray:
    """Quadrilaterals whose sides are edges, the best first, different from each other.

    Args:
      edges: Edges of a small photo.
      aspect: Width by height that they should have, about, as seen from the front.
      most: Largest number that is returned.

    Returns:
      float[N, 4, 2], corners; N may be 0.
    """
    shape_HW = edges.strength_HW.shape
    level_L2, upright_U2 = _lines(edges)
    corners_LU2 = _crossings(level_L2, upright_U2)
    i_A, j_A = np.triu_indices(len(level_L2), 1)
    k_B, l_B = np.triu_indices(len(upright_U2), 1)
    i, j = (np.repeat(x_A, len(k_B)) for x_A in (i_A, j_A))
    k, l = (np.tile(x_B, len(i_A)) for x_B in (k_B, l_B))
    # Both sets are sorted: i is above j, k is left of l.
    quads_N42 = np.stack([corners_LU2[at] for at in ((i, k), (i, l), (j, l), (j, k))], axis=1)
    fits_N = _plausible(quads_N42, aspect, shape_HW)
    quads_N42 = quads_N42[fits_N]
    sides_N4 = np.stack([i, len(level_L2) + l, j, len(level_L2) + k], axis=1)[fits_N]
    lines_M2 = np.concatenate([level_L2, upright_U2])
    score_N = _supports(edges, lines_M2, sides_N4, quads_N42)
    score_N = score_N - _BENT * np.abs(np.log(_aspects(quads_N42) / aspect))
    found_F42 = np.empty((0, 4, 2))
    for quad_42 in quads_N42[np.argsort(-score_N)]:
        if (np.abs(found_F42 - quad_42).max((1, 2)) > _APART * sum(shape_HW)).all():
            found_F42 = np.concatenate([found_F42, quad_42[None]])
        if len(found_F42) == most:
            break
    return found_F42


def _aspects(quads_N42: np.ndarray) -> np.ndarray:
    """Width by height, about: means of opposite sides."""
    length_N4 = np.linalg.norm(np.roll(quads_N42, -1, axis=1) - quads_N42, axis=2)
    across_N, down_N = length_N4[:, 0::2].sum(1), length_N4[:, 1::2].sum(1)
    return across_N / np.maximum(down_N, 1e-6)


def _plausible(quads_N42: np.ndarray, aspect: float, shape_HW: tuple[int, int]) -> np.ndarray:
    """Which quadrilaterals are convex, large, in the photo and of about this aspect: bool[N]."""
    size_2 = np.array(shape_HW[::-1])
    side_N42 = np.roll(quads_N42, -1, axis=1) - quads_N42
    turn_N4 = _cross(side_N42, np.roll(side_N42, -1, axis=1))
    diagonals = quads_N42[:, 2] - quads_N42[:, 0], quads_N42[:, 3] - quads_N42[:, 1]
    area_N = _cross(*diagonals) / 2
    margin = 0.01 * size_2.max()
    inside_N = ((quads_N42 > -margin) & (quads_N42 < size_2 + margin)).all((1, 2))
    bent_N = np.abs(np.log(np.maximum(_aspects(quads_N42), 1e-6) / aspect))
    large_N = area_N > _LEAST_AREA * size_2.prod()
    return (turn_N4 > 0).all(1) & inside_N & large_N & (bent_N < _MOST_BENT)


def _cross(a_2: np.ndarray, b_2: np.ndarray) -> np.ndarray:
    return a_2[..., 0] * b_2[..., 1] - a_2[..., 1] * b_2[..., 0]


def _supports(
    edges: Edges, lines_M2: np.ndarray, sides_N4: np.ndarray, quads_N42: np.ndarray
) -> np.ndarray:
    """As `support`, for many quadrilaterals of few lines, less what lies beyond their corners."""
    shape_HW = edges.strength_HW.shape
    theta_M1, rho_M1 = lines_M2[:, :1], lines_M2[:, 1:]
    foot_M2 = rho_M1 * np.concatenate([np.cos(theta_M1), np.sin(theta_M1)], axis=1)
    run_M2 = np.concatenate([-np.sin(theta_M1), np.cos(theta_M1)], axis=1)
    reach = int(np.ceil(np.hypot(*shape_HW)))
    along_MS = edges.along(foot_M2 - reach * run_M2, foot_M2 + reach * run_M2, 2 * reach)
    borders = [(np.pi / 2, 0), (np.pi / 2, shape_HW[0]), (0, 0), (0, shape_HW[1])]
    far_MB2 = np.abs(lines_M2[:, None] - np.array(borders))
    border_M = np.any(far_MB2.max(2) < 1e-6, axis=1)
    sum_MS = np.pad(np.cumsum(along_MS, axis=1), ((0, 0), (1, 0)))

    def mean_N4(from_N4: np.ndarray, to_N4: np.ndarray) -> np.ndarray:
        at_N4 = [np.clip(np.rint(x_N4), 0, 2 * reach).astype(int) for x_N4 in (from_N4, to_N4)]
        sums_N4 = sum_MS[sides_N4, at_N4[1]] - sum_MS[sides_N4, at_N4[0]]
        return sums_N4 / np.maximum(at_N4[1] - at_N4[0], 1)

    ends = quads_N42, np.roll(quads_N42, -1, axis=1)
    place_2N4 = np.stack([(end_N42 * run_M2[sides_N4]).sum(-1) + reach for end_N42 in ends])
    low_N4, high_N4 = place_2N4.min(0), place_2N4.max(0)
    over_N4 = _BEYOND * (high_N4 - low_N4)
    side_N4 = mean_N4(low_N4, high_N4)
    beyond_N4 = mean_N4(low_N4 - over_N4, low_N4 - 3) + mean_N4(high_N4 + 3, high_N4 + over_N4)
    beyond_N4 = beyond_N4 / 2
    side_N4 = np.where(border_M[sides_N4], _ON_BORDER, side_N4)
    beyond_N4 = np.where(border_M[sides_N4], 0, beyond_N4)
    return _judged(side_N4, beyond_N4)


def _lines(edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    """The strongest lines that run about level, and about upright, with the photo's borders.

    They are float[L, 2], sorted from top to bottom and from left to right. A line is the angle of
    its normal and its distance from the photo's corner, x cos + y sin. Each pixel votes for the
    lines through it that run as its edge does.
    """
    height, width = edges.strength_HW.shape
    y_P, x_P = np.nonzero(edges.strength_HW > _VOTING)
    weight_P = edges.strength_HW[y_P, x_P]
    cos_P, sin_P = edges.doubled_HW2[y_P, x_P].T
    # From -45 to 135 degrees, so that neither direction is cut in two.
    angle_P = (np.rad2deg(np.arctan2(sin_P, cos_P) / 2) + 45) % 180 - 45
    reach = int(np.ceil(np.hypot(height, width)))
    votes = np.zeros((180, 2 * reach + 1), np.float32)
    for turn in range(-4, 5):
        row_P = np.rint(angle_P + turn).astype(int)
        theta_P = np.deg2rad(row_P)
        rho_P = (x_P + 0.5) * np.cos(theta_P) + (y_P + 0.5) * np.sin(theta_P)
        # Beyond the ends the same line has the opposite normal.
        over_P = np.where((row_P >= -45) & (row_P < 135), 1, -1)
        cell_P = (row_P + 45) % 180 * (2 * reach + 1) + np.rint(over_P * rho_P).astype(int) + reach
        votes += np.bincount(
            cell_P, weight_P * np.exp(-((turn / 3) ** 2)), minlength=votes.size
        ).reshape(votes.shape)
    votes = ndimage.gaussian_filter(votes, (0.7, 0.7), mode=("wrap", "constant"))
    size = (2 * _APART_DEGREES + 1, 2 * _APART_PIXELS + 1)
    peaks = (votes == ndimage.maximum_filter(votes, size)) & (votes > 0)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-votes[rows, columns])
    degrees, rho = rows[order] - 45, columns[order] - reach
    both = []
    for middle, far in ((90, height), (0, width)):
        near = np.abs(degrees - middle) <= _SLANT
        line_L2 = np.stack([degrees[near], rho[near]], axis=1)[:_LINES].astype(np.float64)
        line_L2 = np.concatenate([line_L2, [(middle, 0), (middle, far)]])
        line_L2[:, 0] = np.deg2rad(line_L2[:, 0])
        # Where it crosses the middle of the photo.
        normal_L2 = np.stack([np.cos(line_L2[:, 0]), np.sin(line_L2[:, 0])], axis=1)
        along, across = (1, 0) if middle == 90 else (0, 1)
        half = (width if middle == 90 else height) / 2
        crossing_L = (line_L2[:, 1] - half * normal_L2[:, across]) / normal_L2[:, along]
        both.append(line_L2[np.argsort(crossing_L)])
    return both[0], both[1]


def _crossings(a_L2: np.ndarray, b_U2: np.ndarray) -> np.ndarray:
    """Where each line of one set crosses each of the other: float[L, U, 2], (x, y)."""
    ta, tb = a_L2[:, None, 0], b_U2[None, :, 0]
    ra, rb = a_L2[:, None, 1], b_U2[None, :, 1]
    determinant = np.sin(tb - ta)
    determinant = np.where(np.abs(determinant) < 1e-3, 1e-3, determinant)
    x = (ra * np.sin(tb) - rb * np.sin(ta)) / determinant
    y = (rb * np.cos(ta) - ra * np.cos(tb)) / determinant
    return np.stack([x, y], axis=-1)
