"""Lines of a composition: outlines of regions and the few long edges inside them, as curves."""

import dataclasses
import functools

import numpy as np
from scipy import ndimage
from skimage import measure

from painting_jax.data.painter.guides import LUMA, Guides, at, blur
from painting_jax.data.painter.placing import strokes_at
from painting_jax.data.painter.strokes import Strokes
from painting_jax.data.region_borders import resized
from painting_jax.media import Stage

_SIDE = 128  # longer side at which lines are found, in pixels
_SOFT = 1.0  # blur in which edges are sought, as pixels of a picture of 64
_SHORTEST = 0.11  # length of a line, as a share of the picture's longer side
_CLEAR = 0.012  # gradient of a visible edge, per pixel, of lightness 0..1
_NEAR = 2.5  # pixels from an outline within which an edge is the same line


@dataclasses.dataclass(frozen=True)
class Line:
    """A smooth curve.

    Attributes:
      yx_P2: Points, in pixels of the photo.
      label: Region that it outlines or lies in.
      weight: How strong it is, 0..1.
    """

    yx_P2: np.ndarray
    label: int
    weight: float

    @functools.cached_property
    def length(self) -> float:
        """Length in pixels of the photo."""
        return float(np.hypot(*np.diff(self.yx_P2, axis=0).T).sum())


def contours(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Strokes along the lines of the composition, one line after the other, long ones first."""
    lines = composition(guides)
    lines = lines[: int(np.ceil(stage.share * len(lines)))]
    long = stage.length * scale**0.5 * guides.unit
    # Lines grow less than brushes do: they stay thin in a large picture.
    wide = max(stage.width * guides.unit**0.7, 0.7)
    parts = [_along(line.yx_P2, long) for line in lines]
    y_N, x_N, angle_N, bend_N, length_N = np.concatenate([np.zeros((5, 0)), *parts], 1)
    which_N = np.repeat(np.arange(len(lines)), [part.shape[1] for part in parts])
    weight_N = np.array([line.weight for line in lines])[which_N] if lines else np.zeros(0)
    strokes = strokes_at(
        guides,
        y_N,
        x_N,
        angle_N=angle_N + rng.normal(0, 0.03, len(y_N)),
        bend_N=bend_N,
        length_N=length_N,
        wide=wide,
    )
    strokes.width_N = wide * (0.7 + 0.5 * weight_N)
    strokes.label_N = np.array([line.label for line in lines], int)[which_N]
    strokes.colour_NC = (stage.strength * (0.5 + 0.5 * weight_N))[:, None]
    return strokes


def composition(guides: Guides) -> list[Line]:
    """The lines with which a picture is laid out, the longest and strongest first."""
    height, width = guides.labels_HW.shape
    zoom = min(1.0, _SIDE / max(height, width))
    shape = (max(2, round(height * zoom)), max(2, round(width * zoom)))
    luma_YX = resized(guides.target_HWC @ LUMA, shape)
    rows = np.minimum(((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(int), height - 1)
    columns = np.minimum(((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(int), width - 1)
    labels_YX = guides.labels_HW[rows][:, columns]
    shortest = _SHORTEST * max(shape)
    soft_YX = blur(luma_YX, _SOFT * max(shape) / 64)
    slope_YX = np.hypot(*np.gradient(soft_YX))
    to_photo = np.array([height / shape[0], width / shape[1]])
    lines = []
    for yx_P2, label in [
        *_outlines(labels_YX, shortest),
        *_edges(soft_YX, slope_YX, labels_YX, shortest),
    ]:
        weight = float(np.clip(at(slope_YX, *yx_P2.T).mean() / (4 * _CLEAR), 0, 1))
        lines.append(Line((_smooth(yx_P2) + 0.5) * to_photo - 0.5, label, weight))
    return sorted(lines, key=lambda line: -line.length * (0.3 + line.weight))


def _outlines(labels_YX: np.ndarray, shortest: float) -> list[tuple[np.ndarray, int]]:
    """Outlines of regions, each where the region lies in front of its neighbour."""
    found = []
    for label in np.unique(labels_YX)[1:]:
        inside_YX = blur((labels_YX == label).astype(np.float32), 1.0)
        # The neighbour is the other label around a point of the outline.
        lowest_YX = ndimage.minimum_filter(labels_YX, 5)
        for yx_P2 in measure.find_contours(inside_YX, 0.5):
            front_P = at(lowest_YX, *yx_P2.T) < label
            found += [(run_P2, int(label)) for run_P2 in _runs(yx_P2, front_P, shortest)]
    return found


def _edges(
    soft_YX: np.ndarray, slope_YX: np.ndarray, labels_YX: np.ndarray, shortest: float
) -> list[tuple[np.ndarray, int]]:
    """Long edges inside the regions: zero crossings of the Laplacian (Marr and Hildreth 1980)."""
    border_YX = np.zeros(labels_YX.shape, bool)
    border_YX[1:] |= labels_YX[1:] != labels_YX[:-1]
    border_YX[:, 1:] |= labels_YX[:, 1:] != labels_YX[:, :-1]
    away_YX = (
        ndimage.distance_transform_edt(~border_YX)
        if border_YX.any()
        else np.full(labels_YX.shape, np.inf)
    )
    clear_YX = (slope_YX > _CLEAR) & (away_YX > _NEAR)
    found = []
    for yx_P2 in measure.find_contours(ndimage.laplace(soft_YX, mode="nearest"), 0.0):
        if len(yx_P2) > shortest:
            for run_P2 in _runs(yx_P2, at(clear_YX, *yx_P2.T), shortest):
                middle_2 = run_P2[len(run_P2) // 2]
                found.append((run_P2, int(at(labels_YX, *middle_2[:, None])[0])))
    return found


def _runs(yx_P2: np.ndarray, keep_P: np.ndarray, shortest: float) -> list[np.ndarray]:
    """Parts of a curve whose points are kept, without short ones; small gaps are bridged."""
    keep_P = ndimage.binary_closing(np.pad(keep_P, 3), np.ones(7, bool))[3:-3]
    closed = len(yx_P2) > 2 and np.array_equal(yx_P2[0], yx_P2[-1])
    if closed and not keep_P.all() and keep_P.any():
        # A closed curve begins after a gap, so that no part is cut in two.
        turn = int(np.flatnonzero(~keep_P)[0])
        yx_P2, keep_P = np.roll(yx_P2[:-1], -turn, 0), np.roll(keep_P[:-1], -turn)
    steps = np.diff(np.concatenate([[0], keep_P.astype(np.int8), [0]]))
    runs = [
        yx_P2[first:end]
        for first, end in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True)
    ]
    return [
        run for run in runs if len(run) > 3 and np.hypot(*np.diff(run, axis=0).T).sum() > shortest
    ]


def _smooth(yx_P2: np.ndarray) -> np.ndarray:
    closed = np.array_equal(yx_P2[0], yx_P2[-1])
    return ndimage.gaussian_filter1d(yx_P2, 1.5, axis=0, mode="wrap" if closed else "nearest")


def _along(yx_P2: np.ndarray, long: float) -> np.ndarray:
    """Centre y, centre x, angle, bend and length of strokes along a curve, [5, N]."""
    way_P = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(yx_P2, axis=0).T))])
    count = max(1, round(way_P[-1] / (0.7 * long)))
    # Begin, middle and end of each stroke.
    way_3N = np.linspace(0, way_P[-1], 2 * count + 1)
    y, x = (np.interp(way_3N, way_P, side_P) for side_P in yx_P2.T)
    dy_N, dx_N = y[2::2] - y[:-2:2], x[2::2] - x[:-2:2]
    angle_N = np.arctan2(dy_N, dx_N)
    off_y_N, off_x_N = (y[2::2] + y[:-2:2]) / 2 - y[1::2], (x[2::2] + x[:-2:2]) / 2 - x[1::2]
    bend_N = np.cos(angle_N) * off_y_N - np.sin(angle_N) * off_x_N
    length_N = 1.15 * np.hypot(dy_N, dx_N)
    return np.stack([y[1::2], x[1::2], angle_N, bend_N, length_N])
