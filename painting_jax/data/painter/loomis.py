"""Construction of a head by Andrew Loomis's method: ball, face plane, guide lines, jaw."""

import functools

import numpy as np
from skimage import data, feature

from painting_jax.data.keeping import kept
from painting_jax.data.painter.guides import Guides
from painting_jax.data.painter.placing import enlarged, strokes_at
from painting_jax.data.painter.strokes import Strokes
from painting_jax.data.region_borders import resized
from painting_jax.media import Stage

_SIDE = 160  # longer side at which a face is sought, in pixels
_SEEN = 80  # shorter side from which on a face shows, in pixels
_LEAST, _MOST = 24, 0.8  # side of a face: least in these pixels, most as a share


def _arc(y: float, x: float, size: tuple[float, float], first: float = 0, last: float = 360):
    """Arc of an ellipse as points [2, P].

    Args:
      y: Vertical position of the ellipse's centre.
      x: Horizontal position of the ellipse's centre.
      size: Vertical and horizontal semi-axis.
      first: Angle of the first point in degrees; 0 = right, 90 = down.
      last: Angle of the last point in degrees.
    """
    turn_P = np.deg2rad(np.linspace(first, last, 48))
    return np.stack([y + size[0] * np.sin(turn_P), x + size[1] * np.cos(turn_P)])


def _path(*points: tuple[float, float]):
    """Polyline through (y, x) points, resampled to points [2, P]."""
    knots, at_P = np.linspace(0, 1, len(points)), np.linspace(0, 1, 32)
    return np.stack([np.interp(at_P, knots, side) for side in zip(*points, strict=True)])


# Lines in drawing order; (y, x) relative to the centre of the ball, in units of its radius.
_LINES = (
    _arc(0, 0, (1, 1)),  # ball
    _arc(0.05, -0.62, (0.62, 0.3)),  # flat plane at the side of the ball
    _arc(0, 0, (0.22, 1), 0, 180),  # brow line
    _arc(0, 0.1, (1, 0.22), -90, 90),  # centre line
    _path((1, 0.1), (1.6, 0.12)),  # continuation of the centre line to the chin
    _path((0.2, 0.98), (1, 0.78), (1.6, 0.34), (1.6, -0.12), (1.05, -0.66), (0.6, -0.72)),  # jaw
    _path((0.85, -0.3), (0.82, 0.45)),  # nose line
    _path((1.6, -0.25), (1.6, 0.45)),  # chin line
)


def construction(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Guide lines of a head, drawn one after the other.

    The head is at the largest face that looks at the viewer, otherwise at the foreground segment.
    """
    del scale, rng  # guide lines are the same in every manner
    cy, cx, radius = _at_face(guides.photo_HWC) or _at_foreground(guides.labels_HW)
    paths = [np.diff(path, axis=1) for path in _LINES]
    middles = [(path[:, 1:] + path[:, :-1]) / 2 for path in _LINES]
    dy_N, dx_N = np.concatenate(paths, 1)
    y_N, x_N = np.concatenate(middles, 1)
    strokes = strokes_at(
        guides,
        cy + radius * y_N,
        cx + radius * x_N,
        angle_N=np.arctan2(dy_N, dx_N),
        bend_N=np.zeros(len(y_N)),
        length_N=1.6 * radius * np.hypot(dy_N, dx_N),
        wide=max(stage.width * enlarged(stage.width, *guides.labels_HW.shape), 0.7),
    )
    strokes.colour_NC = np.full((len(y_N), 1), stage.strength)
    strokes.time_N = np.linspace(0, 1, len(y_N), endpoint=False)
    return strokes


@kept
def _at_face(photo_HWC: np.ndarray) -> tuple[float, float, float] | None:
    """Centre (y, x) and radius of the ball of the largest face; None if there is no face.

    The face is the square from the forehead to the chin that a cascade of local binary patterns
    finds (Liao et al. 2007, as trained for OpenCV).
    """
    height, width = photo_HWC.shape[:2]
    if min(height, width) < _SEEN:
        return None
    zoom = _SIDE / max(height, width)
    shape = (max(1, round(height * zoom)), max(1, round(width * zoom)))
    small_YXC = np.clip(resized(photo_HWC.astype(np.float32), shape), 0, 255).astype(np.uint8)
    most = int(_MOST * min(shape))
    faces = _faces().detect_multi_scale(small_YXC, 1.2, 1, (_LEAST, _LEAST), (most, most))
    if not faces:
        return None
    face = max(faces, key=lambda found: found["width"])
    side = face["width"] / zoom
    # Brows lie a third of the way down, at the middle of the ball, and the chin at 1.6 radii.
    radius = 0.45 * side
    y, x = face["r"] / zoom + 0.33 * side, face["c"] / zoom + 0.5 * side
    return y, x - 0.13 * radius, radius


@functools.cache
def _faces() -> feature.Cascade:
    return feature.Cascade(data.lbp_frontal_face_cascade_filename())


def _at_foreground(labels_HW: np.ndarray) -> tuple[float, float, float]:
    """Centre (y, x) and radius of the ball, on the frontmost segment in the upper middle."""
    height, width = labels_HW.shape
    y_HW, x_HW = np.mgrid[:height, :width]
    off_HW = np.hypot((y_HW / height - 0.4) / 0.25, (x_HW / width - 0.5) / 0.2)
    here_K = np.bincount(labels_HW.ravel(), np.exp(-(off_HW**2)).ravel())
    area_K = np.maximum(np.bincount(labels_HW.ravel()), 1)
    label = int((np.arange(len(area_K)) * here_K / np.sqrt(area_K)).argmax())
    y_P, x_P = np.nonzero(labels_HW == label)
    side = min(height, width)
    radius = np.clip(0.9 * np.sqrt(len(y_P) / np.pi), 0.16 * side, 0.3 * side)
    cy = np.clip(np.median(y_P), 1.1 * radius, max(height - 1.7 * radius, 1.1 * radius))
    return cy, np.clip(np.median(x_P), 1.1 * radius, width - 1.1 * radius), radius
