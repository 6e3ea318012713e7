"""The outline of a picture: borders of its regions and main edges inside them, as curves."""

import dataclasses

import cv2
import numpy as np

from painting_jax.instruction.outline import beziers, cracks, inner_edges, joining
from painting_jax.instruction.outline import detail as details
from painting_jax.instruction.outline.tidy_regions import depth, tidied

_LABELS = 255  # most different labels
_COARSEST = 12.0  # pixels here of a pixel of a picture of which the steps are taken out
_LOOSER = 1.7  # factor of the tolerance when there are too many nodes
_TRIES = 4  # before there are fewer regions, too


@dataclasses.dataclass(frozen=True)
class Line:
    """A smooth line, drawn in one go.

    Attributes:
      xy_C2: [1 + 3 S, 2]: a node, then two handles and a node for each of S cubic Bézier curves;
        (x, y) in pixels of the picture, (0, 0) its upper left corner.
      closed: Whether it ends where it begins.
      inner: Whether it is an edge inside a region, not a border between regions.
    """

    xy_C2: np.ndarray
    closed: bool
    inner: bool

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.xy_C2) // 3 + (not self.closed)


@dataclasses.dataclass(frozen=True)
class Region:
    """A connected region.

    Attributes:
      label: Its label in the map.
      x, y: Its middle, the point farthest from its border, in pixels of the picture.
      radius: Distance of that point from the border.
      area: In square pixels.
    """

    label: int
    x: float
    y: float
    radius: float
    area: float


@dataclasses.dataclass(frozen=True)
class Outline:
    """What there is to trace.

    Attributes:
      width, height: Size of the picture, in pixels.
      lines: Borders of regions, each drawn once, then edges inside them.
      regions: From the top to the bottom.
      islands_HW: Map of the regions, with their places in `regions`; its longer side is
        `detail.SIDE`.
      lost: Labels whose regions are all too small or too thin, and were joined to their neighbours.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    regions: tuple[Region, ...]
    islands_HW: np.ndarray
    lost: tuple[int, ...]

    @property
    def nodes(self) -> int:
        """Number of nodes of all lines."""
        return sum(line.nodes for line in self.lines)


def of(
    labels_HW: np.ndarray, picture_HWC: np.ndarray | None = None, detail: str = "normal"
) -> Outline:
    """The outline of a composition, deterministically.

    It is sought in a map of `detail.SIDE` pixels, whatever the size of the picture.

    Args:
      labels_HW: Labels of regions or of colours, integers, at most 255 different ones.
      picture_HWC: uint8 RGB, if edges inside the regions are wanted, too.
      detail: One of `detail.NAMES`; its `nodes` are the most that all lines have.

    Raises:
      UserError: If there is no such detail.
      ValueError: If the map is empty, has too many labels, or is of another size than the picture.
    """
    level = details.level(detail)
    label_K, index_HW = np.unique(labels_HW, return_inverse=True)
    if labels_HW.ndim != 2 or not 0 < len(label_K) <= _LABELS:
        raise ValueError(f"labels of shape {labels_HW.shape} with {len(label_K)} different ones")
    if picture_HWC is not None and picture_HWC.shape[:2] != labels_HW.shape:
        raise ValueError(f"labels {labels_HW.shape} of a picture {picture_HWC.shape}")
    height, width = labels_HW.shape
    zoom = details.SIDE / max(height, width)
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    index_HW = index_HW.reshape(height, width).astype(np.uint8)
    small_HW = cv2.resize(index_HW, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int64)
    if picture_HWC is not None:
        shrinks = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        picture_HWC = cv2.resize(picture_HWC, size, interpolation=shrinks)
    # A pixel of a small picture is a step of several pixels here.
    step = min(zoom, _COARSEST)
    level = dataclasses.replace(
        level,
        soft=max(level.soft, 0.8 * step),
        smooth=max(level.smooth, 1.6 * step),
        tolerance=max(level.tolerance, 0.25 * step),
    )
    lines, islands_HW, label_I = _within(level, small_HW, picture_HWC)
    scale_2 = np.array([width / size[0], height / size[1]])
    return Outline(
        width,
        height,
        tuple(dataclasses.replace(line, xy_C2=line.xy_C2 * scale_2) for line in lines),
        _regions(islands_HW, label_K[label_I], scale_2),
        islands_HW,
        tuple(np.setdiff1d(label_K, label_K[label_I]).tolist()),
    )


def _within(
    level: details.Detail, labels_HW: np.ndarray, picture_HWC: np.ndarray | None
) -> tuple[list[Line], np.ndarray, np.ndarray]:
    """Lines with few enough nodes, and the regions between them: a bound for any picture."""
    while True:
        islands_HW, label_I = tidied(labels_HW, level)
        strokes = joining.strokes(cracks.arcs(islands_HW), level.smooth)
        inner = []
        if picture_HWC is not None:
            drawn = [stroke.xy_P2 for stroke in strokes]
            inner = [
                joining.Stroke(joining.smoothed(line, 1.5 * level.smooth, False), (), False)
                for line in inner_edges.edges(picture_HWC, drawn, level)
            ]
        for turn in range(_TRIES):
            lines = _fitted(strokes, inner, level.tolerance * _LOOSER**turn, level.nodes)
            if lines is not None:
                return lines, islands_HW, label_I
        # One region and no edge has no nodes, so that this ends.
        level = dataclasses.replace(level, regions=level.regions // 2, edges=level.edges // 2)


def _fitted(
    borders: list[joining.Stroke], inner: list[joining.Stroke], tolerance: float, most: int
) -> list[Line] | None:
    """Curves along the strokes, or None if they have too many nodes."""
    lines, nodes = [], 0
    for group, edge in ((borders, False), (inner, True)):
        for stroke in group:
            lines.append(Line(beziers.fitted(stroke, tolerance), stroke.closed, edge))
            nodes += lines[-1].nodes
            if nodes > most:
                return None
    return lines


def _regions(
    islands_HW: np.ndarray, label_I: np.ndarray, scale_2: np.ndarray
) -> tuple[Region, ...]:
    depth_P = depth(islands_HW).ravel()
    island_P = islands_HW.ravel()
    # The deepest pixel of each island comes last.
    order_P = np.lexsort((-np.arange(len(island_P)), depth_P, island_P))
    last_I = np.cumsum(np.bincount(island_P)) - 1
    area_I = np.bincount(island_P) * scale_2.prod()
    y_I, x_I = np.divmod(order_P[last_I], islands_HW.shape[1])
    x_I, y_I = (x_I + 0.5) * scale_2[0], (y_I + 0.5) * scale_2[1]
    radius_I = depth_P[order_P[last_I]] * scale_2.min()
    return tuple(
        Region(int(label), float(x), float(y), float(radius), float(area))
        for label, x, y, radius, area in zip(label_I, x_I, y_I, radius_I, area_I, strict=True)
    )
