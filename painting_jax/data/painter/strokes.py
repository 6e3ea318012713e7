"""Strokes as arrays, and a function that stamps many of them onto a canvas at once."""

import dataclasses

import numpy as np
from scipy.special import ndtri

from painting_jax.data.painter.texture import bristles

_STEP = 0.8  # pixels between stamped points; small enough that a rotated grid leaves no holes


@dataclasses.dataclass
class Strokes:
    """N tapered, slightly bent strokes, in photo pixels.

    Attributes:
      y_N, x_N: Centres.
      angle_N: Directions in radians; 0 = along x, increasing towards +y.
      bend_N: Distances of the ends from the straight line, in pixels.
      length_N, width_N: Full lengths and widths in pixels.
      colour_NC: Colours in 0..1. For a glaze, the share of light that passes through it; for an
        eraser, the share of the way to the ground's colour.
      label_N: Labels of the segments that the strokes belong to.
      time_N: Progress at which each stroke begins.
    """

    y_N: np.ndarray
    x_N: np.ndarray
    angle_N: np.ndarray
    bend_N: np.ndarray
    length_N: np.ndarray
    width_N: np.ndarray
    colour_NC: np.ndarray
    label_N: np.ndarray
    time_N: np.ndarray

    def __len__(self) -> int:
        return len(self.y_N)

    def take(self, index: np.ndarray) -> "Strokes":
        """The strokes at `index` (integers or a mask), in that order."""
        return Strokes(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))


@dataclasses.dataclass
class Stamp:
    """The stroke that covers each pixel of a canvas, and the pixel's position in that stroke.

    Attributes:
      touched_HW: Whether any stroke covers the pixel. The arrays below are for the P pixels that
        are covered.
      stroke_P: Index of the stroke.
      along_P: Position along the stroke, from -1 (its beginning) to 1.
      across_P: Position across the stroke, from -1 to 1.
      paint_P: Paint that the bristles leave there, mean 0 and deviation 1.
    """

    touched_HW: np.ndarray
    stroke_P: np.ndarray
    along_P: np.ndarray
    across_P: np.ndarray
    paint_P: np.ndarray


def stamp(
    strokes: Strokes, labels_HW: np.ndarray, *, scale: int, blunt: float, clip: bool, dry: float = 0
) -> Stamp:
    """Stamps strokes on a canvas.

    Each pixel belongs to the first stroke that covers it, so that it changes at most once in a
    stage.

    Args:
      strokes: Strokes, sorted by time.
      labels_HW: Segments at the resolution of the canvas.
      scale: Resolution of the canvas relative to the photo.
      blunt: Bluntness of the strokes: 2 for ellipses; large values for square brushes.
      clip: Keep strokes inside their own segment.
      dry: Share of the bristles that leave gaps at the end of a stroke, 0..1.
    """
    height, width = labels_HW.shape
    if len(strokes) == 0:
        none = np.zeros(0, np.float32)
        return Stamp(np.zeros((height, width), bool), none.astype(int), none, none, none)
    longest, widest = strokes.length_N.max() * scale, strokes.width_N.max() * scale
    B = max(3, int(np.ceil(longest / _STEP)))
    A = max(2, int(np.ceil(widest / _STEP)))
    along_B = np.linspace(-1, 1, B, dtype=np.float32)
    across_A = np.linspace(-1, 1, A, dtype=np.float32)
    profile_B = np.sqrt(1 - 0.98 * np.abs(along_B) ** blunt)

    f32 = lambda values: np.asarray(values, np.float32)  # noqa: E731
    cos_N, sin_N = f32(np.cos(strokes.angle_N)), f32(np.sin(strokes.angle_N))
    run_NB = f32(strokes.length_N * scale / 2)[:, None] * along_B
    sag_NB = f32(strokes.bend_N * scale)[:, None] * along_B**2
    half_NB = f32(strokes.width_N * scale / 2)[:, None] * profile_B
    margin = int(np.ceil(longest + widest + abs(strokes.bend_N).max() * scale)) + 2
    x_NB = cos_N[:, None] * run_NB - sin_N[:, None] * sag_NB
    y_NB = sin_N[:, None] * run_NB + cos_N[:, None] * sag_NB
    x_NB += f32((strokes.x_N + 0.5) * scale + margin)[:, None]
    y_NB += f32((strokes.y_N + 0.5) * scale + margin)[:, None]

    x_NBA = (x_NB[..., None] - (sin_N[:, None] * half_NB)[..., None] * across_A).astype(np.int32)
    y_NBA = (y_NB[..., None] + (cos_N[:, None] * half_NB)[..., None] * across_A).astype(np.int32)
    wide = width + 2 * margin
    y_NBA *= wide
    y_NBA += x_NBA
    pixel_E = y_NBA.reshape(-1)
    event_E = np.arange(pixel_E.size, dtype=np.int32)
    paint_BA = bristles(B, A)
    kept_NE = np.ones((len(strokes), A * B), bool)
    if clip:
        label_YX = np.pad(labels_HW, margin)
        label_N = strokes.label_N.astype(labels_HW.dtype)
        kept_NE = label_YX.reshape(-1).take(y_NBA.reshape(kept_NE.shape)) == label_N[:, None]
    if dry:
        # A bristle that has run out leaves a gap, through which later strokes are seen. Bristles
        # touch the canvas and leave it at slightly different places.
        out_BA = paint_BA < ndtri(dry * ((along_B + 0.3) / 1.3).clip(0) ** 1.5)[:, None]
        out_BA |= np.abs(along_B)[:, None] > 1 - 0.08 * np.abs(paint_BA).clip(0, 2)
        kept_NE &= ~out_BA.ravel()
    if clip or dry:
        event_E = np.flatnonzero(kept_NE).astype(np.int32)
        pixel_E = pixel_E.take(event_E)
    winner = np.full((height + 2 * margin) * wide, -1, np.int32)
    winner[pixel_E[::-1]] = event_E[::-1]
    winner_HW = winner.reshape(-1, wide)[margin : margin + height, margin : margin + width]
    touched_HW = winner_HW >= 0
    stroke_P, place_P = np.divmod(winner_HW[touched_HW], A * B)
    along_P, across_P = np.divmod(place_P, A)
    return Stamp(
        touched_HW, stroke_P, along_B[along_P], across_A[across_P], paint_BA.reshape(-1)[place_P]
    )
