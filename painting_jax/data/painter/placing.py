"""Placement of strokes on a lattice."""

import numpy as np

from painting_jax.data.painter.guides import Guides, at
from painting_jax.data.painter.strokes import Strokes
from painting_jax.media import Stage

# Widths, in pixels of a 64 x 64 picture, of the finest brush and of one that blocks in.
_FINE, BROAD = 1.1, 7.0


def enlarged(width: float, height_px: int, width_px: int) -> float:
    """By how much the strokes of a stage are larger than in a 64 x 64 picture.

    Broad strokes grow nearly as the picture does. Fine ones hardly grow: they have to reach detail
    of two to three pixels at any size, so a larger picture has many more of them.

    Args:
      width: Width of the stage's strokes in a 64 x 64 picture.
      height_px: Height of the picture in pixels.
      width_px: Width of the picture in pixels.
    """
    broad = np.clip(np.log(width / _FINE) / np.log(BROAD / _FINE), 0, 1)
    side = np.sqrt(height_px * width_px) / 64
    # A picture below 64 x 64 has fewer strokes of nearly the same size.
    return float(side ** (0.28 + 0.5 * broad if side > 1 else 0.65))


def lattice(stage: Stage, scale: float, guides: Guides, rng: np.random.Generator) -> Strokes:
    """Strokes on a brick lattice, rotated by the stage's angle.

    The jitter is just enough to look hand-made: a small picture hardly shows it, and a model can
    learn the lattice but not the jitter.
    """
    height, width = guides.labels_HW.shape
    larger = enlarged(stage.width, height, width)
    wide = max(stage.width * scale * larger, 0.8)
    # Hatching is as long as the hand moves, however thin the line is.
    longer = larger if stage.follow else max(larger, guides.unit)
    long = max(stage.length * scale * longer, 1.5 * wide)
    along, across = 0.72 * long, stage.gap * wide
    # Strokes that follow forms have any direction, so they need equal density along both axes.
    square = np.sqrt(along * across)
    along, across = (side + stage.follow * (square - side) for side in (along, across))
    reach = np.hypot(height, width) / 2
    u, v = np.meshgrid(
        np.arange(-np.ceil(reach / along) - 1, np.ceil(reach / along) + 2),
        np.arange(-np.ceil(reach / across), np.ceil(reach / across) + 1),
    )
    loose = 1 + min(2.0, max(0.0, np.log2(guides.unit)))
    u = (u + 0.5 * (v % 2)).ravel() + 0.1 * loose * rng.uniform(-1, 1, u.size)
    v = v.ravel() + 0.05 * loose * rng.uniform(-1, 1, v.size)
    turn = np.deg2rad(stage.angle)
    y_N = height / 2 + np.sin(turn) * u * along + np.cos(turn) * v * across
    x_N = width / 2 + np.cos(turn) * u * along - np.sin(turn) * v * across
    slack = 0.3 * long
    near_N = (y_N > -slack) & (y_N < height + slack) & (x_N > -slack) & (x_N < width + slack)
    y_N, x_N = y_N[near_N], x_N[near_N]
    angle_N = np.full(len(y_N), turn)
    bend_N = np.zeros(len(y_N))
    if stage.follow:
        angle_N, bend_N = _along_forms(
            guides, y_N, x_N, angle_N=angle_N, long=long, follow=stage.follow
        )
    angle_N = angle_N + rng.normal(0, 0.03 * loose, len(y_N))
    size_N = 1 + 0.1 * loose * rng.uniform(-1, 1, len(y_N))
    return strokes_at(
        guides, y_N, x_N, angle_N=angle_N, bend_N=bend_N, length_N=long * size_N, wide=wide
    )


def strokes_at(
    guides: Guides,
    y_N: np.ndarray,
    x_N: np.ndarray,
    *,
    angle_N: np.ndarray,
    bend_N: np.ndarray,
    length_N: np.ndarray,
    wide: float,
) -> Strokes:
    """Strokes of one width, without colour and time. Each has the segment label at its centre."""
    return Strokes(
        y_N=y_N,
        x_N=x_N,
        angle_N=angle_N,
        bend_N=bend_N,
        length_N=length_N,
        width_N=np.full(len(y_N), wide),
        colour_NC=np.zeros((len(y_N), 3), np.float32),
        label_N=at(guides.labels_HW, y_N, x_N),
        time_N=np.zeros(len(y_N)),
    )


def _along_forms(
    guides: Guides,
    y_N: np.ndarray,
    x_N: np.ndarray,
    *,
    angle_N: np.ndarray,
    long: float,
    follow: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Angles and bends of strokes that follow the picture's forms, as far as these are certain."""
    form_N = at(guides.angle_HW, y_N, x_N)
    trust_N = follow * at(guides.firm_HW, y_N, x_N)
    # Angles are doubled, since strokes in opposite directions are equal.
    angle_N = 0.5 * np.arctan2(
        (1 - trust_N) * np.sin(2 * angle_N) + trust_N * np.sin(2 * form_N),
        (1 - trust_N) * np.cos(2 * angle_N) + trust_N * np.cos(2 * form_N),
    )
    step_y, step_x = 0.4 * long * np.sin(angle_N), 0.4 * long * np.cos(angle_N)
    ahead_N = at(guides.angle_HW, y_N + step_y, x_N + step_x)
    behind_N = at(guides.angle_HW, y_N - step_y, x_N - step_x)
    turn_N = 0.5 * np.arctan2(np.sin(2 * (ahead_N - behind_N)), np.cos(2 * (ahead_N - behind_N)))
    return angle_N, trust_N * np.clip(turn_N, -0.8, 0.8) * long / 8
