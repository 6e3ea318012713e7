"""What a pass of the painter lays, for those who watch it paint."""

import dataclasses

import numpy as np

from painting_jax.data.painter.strokes import Stamp, Strokes
from painting_jax.data.painter.turns import Turns
from painting_jax.media import Stage


@dataclasses.dataclass(frozen=True)
class Pass:
    """One layer of paint.

    Attributes:
      stage: Stage of the medium.
      turns: When each segment was painted in this stage.
      strokes: Strokes in painted order, in photo pixels.
      labels_HW: Segments of the photo by which the strokes were planned; 0 = none.
      marks: Pixels of the canvas that the strokes cover.
      before_YXC: Canvas before the pass, float32 0..1, at `scale` times the photo's size.
      after_YXC: Canvas after the pass.
      ground_C: Colour of the ground, 0..1.
      scale: Size of the canvas, relative to the photo.
    """

    stage: Stage
    turns: Turns
    strokes: Strokes
    labels_HW: np.ndarray
    marks: Stamp
    before_YXC: np.ndarray
    after_YXC: np.ndarray
    ground_C: np.ndarray
    scale: int
