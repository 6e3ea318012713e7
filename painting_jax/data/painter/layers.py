"""Layers of paint, and how the canvas looks while they are laid."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.data.painter.turns import Turns


class Layer(NamedTuple):
    """A layer of paint.

    Attributes:
      due_YX: Progress at which each pixel is painted, float32; infinite where it is not.
      canvas_YXC: Canvas with this layer and all before it, float32 0..1.
    """

    due_YX: np.ndarray
    canvas_YXC: np.ndarray


def due(strokes: Strokes, stamp: Stamp, turns: Turns) -> np.ndarray:
    """Progress at which each pixel is painted. A stroke takes 1/25 of the turn of its region."""
    span_N = np.ptp(turns.window_G2, axis=1)[turns.group_K[strokes.label_N]]
    due_YX = np.full(stamp.touched_HW.shape, np.inf, np.float32)
    due_YX[stamp.touched_HW] = strokes.time_N[stamp.stroke_P] + 0.02 * span_N[stamp.stroke_P] * (
        stamp.along_P + 1
    )
    return due_YX


def over_time(layers: Sequence[Layer], progress_T: np.ndarray) -> Iterator[np.ndarray]:
    """The canvas at each progress; the array that is yielded is reused.

    The layers of one pixel are due in their order, so that only what is new has to be changed.

    Args:
      layers: Layers from the ground up; the first is due everywhere at 0.
      progress_T: Rising, from 0 to 1.
    """
    seen_YXC = layers[0].canvas_YXC.copy()
    spans = [(layer.due_YX.min(), _last(layer.due_YX)) for layer in layers]
    before = 0.0
    for progress in progress_T:
        for (first, last), layer in zip(spans, layers, strict=True):
            if first <= progress and last > before:
                new = np.flatnonzero((layer.due_YX <= progress) & (layer.due_YX > before))
                seen_YXC.reshape(-1, 3)[new] = layer.canvas_YXC.reshape(-1, 3)[new]
        before = progress
        yield seen_YXC


def _last(due_YX: np.ndarray) -> float:
    finite_P = due_YX[np.isfinite(due_YX)]
    return float(finite_P.max()) if finite_P.size else -np.inf
