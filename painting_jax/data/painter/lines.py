"""Lines of a composition: outlines of regions and the few long edges inside them, as curves."""

import dataclasses

import numpy as np
from scipy import ndimage
from skimage import measure

from painting_jax.data.keeping import kept
from painting_jax.data.painter.blurring import blur
from painting_jax.data.painter.guides import LUMA, Guides, at, forms, unit_of
from painting_jax.data.painter.placing import enlarged, strokes_at
from painting_jax.data.painter.strokes import Strokes
from painting_jax.data.region_borders import blurred, resized, sampled
from painting_jax.media import Stage

_SIDE = 128  # longer side at which lines are found, in pixels
_SOFT = 1.0  # blur in which edges are sought, as pixels of a picture of 64
_SHORTEST = 0.11  # length of an outline, as a share of the picture's longer side
_SHORTEST_INSIDE = 0.17  # length of an edge inside a region
_CLEAR = 0.012  # gradient of a visible edge, per pixel, of lightness 0..1
_FIRM = 0.6  # certainty of the direction of an edge; points and texture have none
_NEAR = 2.5  # pixels from an outline within which an edge is the same line
_GAP = 6  # points of a curve that are bridged
_BELL = np.array([1, 4, 8, 10, 8, 4, 1]) / 36  # smooths a curve


@dataclasses.dataclass(frozen=True)
class Lines:
    """L smooth curves, the longest and strongest first.

    Attributes:
      yx_P2: Points of all curves, in pixels of the photo.
      way_P: Length of the way to each point along all curves, which are a pixel apart.
      begin_L, end_L: Ways at which each curve begins and ends.
      weight_L: How strong each curve is, 0..1.
      label_L: Region that it outlines or lies in.
    """

    yx_P2: np.ndarray
    way_P: np.ndarray
    begin_L: np.ndarray
    end_L: np.ndarray
    weight_L: np.ndarray
    label_L: np.ndarray


def contours(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Strokes along the lines of the composition, one line after the other, long ones first."""
    lines = composition(guides.photo_HWC, guides.labels_HW)
    share = int(np.ceil(stage.share * len(lines.begin_L)))
    begin_L, length_L = lines.begin_L[:share], (lines.end_L - lines.begin_L)[:share]
    long = stage.length * scale**0.5 * guides.unit
    count_L = np.maximum(1, np.rint(length_L / (0.7 * long)).astype(int))
    line_N = np.repeat(np.arange(share), count_L)
    step_N = (length_L / count_L)[line_N]
    along_N = np.arange(len(line_N)) - np.repeat(np.cumsum(count_L) - count_L, count_L)
    # Begin, middle and end of each stroke.
    way_3N = begin_L[line_N] + step_N * (along_N + np.array([[0], [0.5], [1]]))
    y_3N, x_3N = (np.interp(way_3N, lines.way_P, side_P) for side_P in lines.yx_P2.T)
    dy_N, dx_N = y_3N[2] - y_3N[0], x_3N[2] - x_3N[0]
    angle_N = np.arctan2(dy_N, dx_N)
    sag_y_N, sag_x_N = (ends[[0, 2]].mean(0) - ends[1] for ends in (y_3N, x_3N))
    wide = max(stage.width * enlarged(stage.width, *guides.labels_HW.shape), 0.7)
    strokes = strokes_at(
        guides,
        y_3N[1],
        x_3N[1],
        angle_N=angle_N + rng.normal(0, 0.03, len(angle_N)),
        bend_N=np.cos(angle_N) * sag_y_N - np.sin(angle_N) * sag_x_N,
        length_N=1.15 * np.hypot(dy_N, dx_N),
        wide=wide,
    )
    weight_N = lines.weight_L[line_N]
    strokes.width_N = wide * (0.7 + 0.5 * weight_N)
    strokes.label_N = lines.label_L[line_N]
    strokes.colour_NC = (stage.strength * (0.5 + 0.5 * weight_N))[:, None]
    return strokes


@kept
def composition(photo_HWC: np.ndarray, labels_HW: np.ndarray) -> Lines:
    """The lines with which a picture is laid out, in any medium."""
    height, width = labels_HW.shape
    zoom = min(1.0, _SIDE / max(height, width))
    shape = (max(2, round(height * zoom)), max(2, round(width * zoom)))
    picture_HWC = photo_HWC.astype(np.float32) / 255
    luma_YX = resized(picture_HWC @ LUMA, shape)
    _, firm_HW = forms(picture_HWC, unit_of(height, width))
    labels_YX = sampled(labels_HW, shape)
    soft_YX = blur(luma_YX, _SOFT * max(shape) / 64)
    slope_YX = np.hypot(*np.gradient(soft_YX))
    clear_YX = (slope_YX > _CLEAR) & (resized(firm_HW, shape) > _FIRM)
    runs = [*_outlines(labels_YX), *_edges(soft_YX, clear_YX, labels_YX)]
    if not runs:
        none = np.zeros(0)
        return Lines(np.zeros((1, 2)), np.zeros(1), none, none, none, none.astype(int))
    first_L = np.cumsum([0, *(len(run) for run in runs[:-1])])
    yx_P2 = np.concatenate(runs)
    size_L = np.diff(first_L, append=len(yx_P2))
    slope_L = np.add.reduceat(at(slope_YX, *yx_P2.T), first_L) / size_L
    weight_L = np.clip(slope_L / (4 * _CLEAR), 0, 1)
    # An outline belongs to the nearer of its sides.
    label_L = np.maximum.reduceat(at(labels_YX, *yx_P2.T), first_L).astype(int)
    order_L = np.argsort(-size_L * (0.3 + weight_L), kind="stable")
    curves = [_smooth(runs[index]) for index in order_L]
    to_photo = np.array([height / shape[0], width / shape[1]])
    yx_P2 = (np.concatenate(curves) + 0.5) * to_photo - 0.5
    step_P = np.hypot(*np.diff(yx_P2, axis=0, prepend=yx_P2[:1]).T)
    end_L = np.cumsum(size_L[order_L])
    step_P[end_L[:-1]] = 1
    way_P = np.cumsum(step_P)
    return Lines(
        yx_P2,
        way_P,
        way_P[end_L - size_L[order_L]],
        way_P[end_L - 1],
        weight_L[order_L],
        label_L[order_L],
    )


def _outlines(labels_YX: np.ndarray) -> list[np.ndarray]:
    """Outlines of regions, each where the region lies in front of its neighbour."""
    front_K = np.unique(labels_YX)[1:]
    found_K = [
        measure.find_contours(blurred((labels_YX == label).astype(np.float32), 1.0), 0.5)
        for label in front_K
    ]
    curves = [curve for found in found_K for curve in found]
    label_L = np.repeat(front_K, [len(found) for found in found_K])
    lowest_YX = ndimage.minimum_filter(labels_YX, 5)
    keep_L = [at(lowest_YX, *curve.T) < label for curve, label in zip(curves, label_L, strict=True)]
    return _runs(curves, keep_L, _SHORTEST * max(labels_YX.shape))


def _edges(soft_YX: np.ndarray, clear_YX: np.ndarray, labels_YX: np.ndarray) -> list[np.ndarray]:
    """Long edges inside the regions: zero crossings of the Laplacian (Marr and Hildreth 1980)."""
    border_YX = np.zeros(labels_YX.shape, bool)
    border_YX[1:] |= labels_YX[1:] != labels_YX[:-1]
    border_YX[:, 1:] |= labels_YX[:, 1:] != labels_YX[:, :-1]
    if border_YX.any():
        clear_YX = clear_YX & (ndimage.distance_transform_edt(~border_YX) > _NEAR)
    bends_YX = ndimage.laplace(soft_YX, mode="nearest")
    shortest = _SHORTEST_INSIDE * max(labels_YX.shape)
    curves = measure.find_contours(bends_YX, 0.0, mask=ndimage.maximum_filter(clear_YX, 3))
    curves = [curve for curve in curves if len(curve) > shortest]
    return _runs(curves, [at(clear_YX, *curve.T) for curve in curves], shortest)


def _runs(curves: list[np.ndarray], keep_L: list[np.ndarray], shortest: float) -> list[np.ndarray]:
    """Parts of curves whose points are kept, without short ones; small gaps are bridged."""
    if not curves:
        return []
    yx_P2, keep_P = np.concatenate(curves), np.concatenate(keep_L)
    curve_P = np.repeat(np.arange(len(curves)), [len(curve) for curve in curves])
    window = np.ones(_GAP + 1)
    near_P = np.convolve(np.pad(keep_P, _GAP), window, "same") > 0
    keep_P |= np.convolve(near_P, window, "same")[_GAP:-_GAP] > _GAP
    run_P = np.where(keep_P, curve_P + 1, 0)
    end_R = np.flatnonzero(np.diff(run_P, append=-1)) + 1
    begin_R = np.concatenate([[0], end_R[:-1]])
    way_P = np.cumsum(np.hypot(*np.diff(yx_P2, axis=0, prepend=yx_P2[:1]).T))
    long_R = (run_P[begin_R] > 0) & (way_P[end_R - 1] - way_P[begin_R] > shortest)
    return [yx_P2[b:e] for b, e in zip(begin_R[long_R], end_R[long_R], strict=True)]


def _smooth(yx_P2: np.ndarray) -> np.ndarray:
    """A curve without the steps of the pixels; its ends are held, or joined if it is closed."""
    half = len(_BELL) // 2
    if np.array_equal(yx_P2[0], yx_P2[-1]):
        longer_P2 = np.concatenate([yx_P2[-half - 1 : -1], yx_P2, yx_P2[1 : half + 1]])
    else:
        longer_P2 = np.concatenate([yx_P2[:1].repeat(half, 0), yx_P2, yx_P2[-1:].repeat(half, 0)])
    return np.stack([np.convolve(side_P, _BELL, "valid") for side_P in longer_P2.T], 1)
