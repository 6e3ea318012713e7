"""Construction of a perspective: the horizon, and lines to the vanishing points of the picture."""

import dataclasses

import numpy as np
from skimage import feature, transform

from painting_jax.data.keeping import kept
from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, Guides
from painting_jax.data.painter.placing import enlarged, strokes_at
from painting_jax.data.painter.strokes import Strokes
from painting_jax.data.region_borders import resized
from painting_jax.media import Stage

_SIDE = 256  # longer side at which edges are sought, in pixels
_SHORTEST = 0.05  # length of a straight edge, in longer sides
_TRIED = 60  # edges whose pairs propose vanishing points, the longest
_NEAR = np.deg2rad(2.5)  # angle by which an edge may miss its vanishing point
_UPRIGHT = np.deg2rad(12)  # edges nearer to the vertical vanish above or below, if at all
_FARTHEST = 2.0  # distance of a vanishing point from the middle, in longer sides
_LEAST = 0.25  # share of the length of all edges, without upright ones, that a point explains
_FEWEST = 8  # edges that meet in a vanishing point
_LEVEL = 0.1  # difference in height of two points on one horizon, in longer sides
_CLEAR = 0.12  # distance of an edge from its vanishing point, in longer sides: no corners or stars
_LINES = 7  # lines to a vanishing point
_APART = np.deg2rad(5)  # angle between two lines to one point


@dataclasses.dataclass(frozen=True)
class Perspective:
    """The perspective of a picture, in its pixels.

    Attributes:
      horizon: Height of the horizon; None without one.
      lines_L4: Lines to the vanishing points, each (y, x) of both ends, within the picture.
    """

    horizon: float | None
    lines_L4: np.ndarray


def construction(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """The horizon and lines to the vanishing points, one after the other."""
    del scale  # a ruler draws the same lines in every manner
    height, width = guides.labels_HW.shape
    found = perspective(guides.photo_HWC)
    lines_L4 = found.lines_L4
    if found.horizon is not None and 0 <= found.horizon < height:
        level = [found.horizon, 0, found.horizon, width - 1]
        lines_L4 = np.concatenate([[level], lines_L4])
    way_L2 = lines_L4[:, 2:] - lines_L4[:, :2]
    length_L = np.hypot(*way_L2.T)
    count_L = np.maximum(1, np.rint(length_L / (stage.length * guides.unit)).astype(int))
    line_N = np.repeat(np.arange(len(lines_L4)), count_L)
    along_N = np.arange(len(line_N)) - np.repeat(np.cumsum(count_L) - count_L, count_L)
    middle_N2 = lines_L4[line_N, :2] + way_L2[line_N] * ((along_N + 0.5) / count_L[line_N])[:, None]
    strokes = strokes_at(
        guides,
        *middle_N2.T,
        angle_N=np.arctan2(*way_L2.T)[line_N] + rng.normal(0, 0.003, len(line_N)),
        bend_N=np.zeros(len(line_N)),
        length_N=(1.3 * length_L / count_L)[line_N],
        wide=max(stage.width * enlarged(stage.width, height, width), 0.7),
    )
    strokes.colour_NC = np.full((len(line_N), 1), stage.strength)
    strokes.time_N = np.linspace(0, 1, len(line_N), endpoint=False)
    return strokes


@kept
def perspective(photo_HWC: np.ndarray) -> Perspective:
    """Finds up to two vanishing points on one horizon from the straight edges of a picture.

    Every pair of long edges proposes a point, and the one that most edges point at is taken (a
    RANSAC that tries all pairs). Upright edges have no part in it.

    Args:
      photo_HWC: uint8 photo.
    """
    height, width = photo_HWC.shape[:2]
    zoom = min(1.0, _SIDE / max(height, width))
    shape = (max(2, round(height * zoom)), max(2, round(width * zoom)))
    from_L2, to_L2 = _edges(resized(photo_HWC.astype(np.float32) @ LUMA / 255, shape))
    points: list[np.ndarray] = []
    lines = []
    total = np.hypot(*(to_L2 - from_L2).T).sum()
    while len(points) < 2 and len(from_L2) >= _FEWEST:
        found = _vanishing_point(from_L2, to_L2, shape, points)
        if found is None:
            break
        point_2, meets_L = found
        length_L = np.hypot(*(to_L2 - from_L2).T) * meets_L
        if meets_L.sum() < _FEWEST or length_L.sum() < _LEAST * total:
            break
        points.append(point_2)
        lines += _lines_to(point_2, ((from_L2 + to_L2) / 2)[np.argsort(-length_L)], length_L, shape)
        from_L2, to_L2 = from_L2[~meets_L], to_L2[~meets_L]
    if not points:
        return Perspective(None, np.zeros((0, 4)))
    to_photo_4 = np.tile([height / shape[0], width / shape[1]], 2)
    horizon = float(np.mean([point_2[0] for point_2 in points])) * to_photo_4[0]
    return Perspective(horizon, np.reshape(lines, (-1, 4)) * to_photo_4)


def _edges(luma_YX: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight edges that are not upright, both ends as (y, x), the longest first."""
    edge_YX = feature.canny(blur(luma_YX, 0.7), sigma=1.2, low_threshold=0.03, high_threshold=0.08)
    ends_L22 = np.reshape(
        transform.probabilistic_hough_line(
            edge_YX,
            threshold=8,
            line_length=max(8, round(_SHORTEST * max(luma_YX.shape))),
            line_gap=2,
            rng=0,
        ),
        (-1, 2, 2),
    ).astype(np.float64)[..., ::-1]
    way_L2 = ends_L22[:, 1] - ends_L22[:, 0]
    kept_L = np.abs(way_L2[:, 1]) > np.tan(_UPRIGHT) * np.abs(way_L2[:, 0])
    ends_L22 = ends_L22[kept_L][np.argsort(-np.hypot(*way_L2[kept_L].T), kind="stable")]
    return ends_L22[:, 0], ends_L22[:, 1]


def _vanishing_point(
    from_L2: np.ndarray, to_L2: np.ndarray, shape: tuple[int, int], points: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """The point at which most length of edges points, and which edges do; None if none can be."""
    ones_L1 = np.ones((len(from_L2), 1))
    line_L3 = np.cross(np.hstack([from_L2, ones_L1]), np.hstack([to_L2, ones_L1]))
    first_P, second_P = np.triu_indices(min(_TRIED, len(from_L2)), 1)
    meet_P3 = np.cross(line_L3[first_P], line_L3[second_P])
    meet_P3 = meet_P3[np.abs(meet_P3[:, 2]) > 1e-6]
    point_P2 = meet_P3[:, :2] / meet_P3[:, 2:]
    size = max(shape)
    off_P2 = point_P2 - np.array(shape) / 2
    possible_P = np.hypot(*off_P2.T) < _FARTHEST * size
    for other_2 in points:
        possible_P &= np.abs(point_P2[:, 0] - other_2[0]) < _LEVEL * size
        possible_P &= np.abs(point_P2[:, 1] - other_2[1]) > 0.25 * size
    point_P2 = point_P2[possible_P]
    if not len(point_P2):
        return None
    way_L2, middle_L2 = to_L2 - from_L2, (from_L2 + to_L2) / 2
    towards_PL2 = point_P2[:, None] - middle_L2
    across_PL = np.abs(towards_PL2[..., 0] * way_L2[:, 1] - towards_PL2[..., 1] * way_L2[:, 0])
    length_L = np.hypot(*way_L2.T)
    away_PL = np.hypot(*np.moveaxis(towards_PL2, -1, 0))
    meets_PL = across_PL < np.sin(_NEAR) * length_L * away_PL
    meets_PL &= away_PL - length_L / 2 > _CLEAR * size
    best = int((meets_PL @ length_L).argmax())
    return point_P2[best], meets_PL[best]


def _lines_to(
    point_2: np.ndarray, through_L2: np.ndarray, length_L: np.ndarray, shape: tuple[int, int]
) -> list[np.ndarray]:
    """Lines from the picture's border to a point through edges that meet there, within the picture.

    Args:
      point_2: Vanishing point.
      through_L2: Middles of the edges, the longest that meet there first.
      length_L: Lengths of the edges that meet there, 0 for others.
      shape: Height and width of the picture.
    """
    lines, angles = [], []
    for middle_2 in through_L2[: np.count_nonzero(length_L)]:
        way_2 = middle_2 - point_2
        angle = np.arctan2(*way_2) % np.pi
        apart = np.abs((np.array(angles) - angle + np.pi / 2) % np.pi - np.pi / 2)
        if len(lines) == _LINES or np.any(apart < _APART):
            continue
        angles.append(angle)
        # From the vanishing point through the edge and on to the border.
        if (ends_4 := _within(point_2, way_2, shape)) is not None:
            lines.append(ends_4)
    return lines


def _within(start_2: np.ndarray, way_2: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The part of a ray within a picture, (y, x) of both ends; None if it misses it."""
    step_2 = np.where(np.abs(way_2) < 1e-9, 1e-9, way_2)
    sides_22 = (np.array([[0, 0], [shape[0] - 1, shape[1] - 1]]) - start_2) / step_2
    enter, leave = max(0.0, sides_22.min(0).max()), sides_22.max(0).min()
    if leave <= enter:
        return None
    return np.concatenate([start_2 + leave * way_2, start_2 + enter * way_2])
