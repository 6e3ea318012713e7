"""Pictures of the screen of a painting program, for the tests of the cleaning."""

import dataclasses

import cv2
import numpy as np

from painting_jax.data import painter, pictures

SIDE = 96


@dataclasses.dataclass(frozen=True)
class Screens:
    """Pictures of a screen, and what they show.

    Attributes:
      pictures_THWC: uint8 RGB.
      boxes_T4: Left, top, right and bottom of the canvas.
      clean_THWC: The canvas, at `SIDE` pixels.
    """

    pictures_THWC: np.ndarray
    boxes_T4: np.ndarray
    clean_THWC: np.ndarray


def screens(
    photo_HWC: np.ndarray, *, frames: int, moves: bool, panel: bool = False, seed: int = 0
) -> Screens:
    """A canvas in a window, between a picture to paint from and swatches, with a pointer.

    Args:
      photo_HWC: What is painted.
      frames: Number of pictures.
      moves: Whether the canvas is scrolled and zoomed, at a third and at two thirds of the time.
      panel: Whether a panel covers a corner of the canvas in the pictures in the middle.
      seed: Of the painter and the pointer.
    """
    photo_HWC = pictures.fit(photo_HWC, SIDE, SIDE)
    process = painter.paint(photo_HWC, "digital", frames=frames, seed=seed).frames_THWC
    random = np.random.default_rng(seed)
    shots, boxes = [], []
    for t, canvas_HWC in enumerate(process):
        shot = np.full((240, 360, 3), 45, np.uint8)
        shot[:12], shot[12:14] = 70, 30
        shot[20:230, 8:230] = 96
        left, top, side = [(40, 30, 190), (16, 40, 180), (60, 26, 160)][3 * t // frames * moves]
        shot[top : top + side, left : left + side] = cv2.resize(
            canvas_HWC, (side, side), interpolation=cv2.INTER_AREA
        )
        shot[20:110, 240:350] = cv2.resize(photo_HWC, (110, 90), interpolation=cv2.INTER_AREA)
        for row in range(5):  # swatches, and the thumbnail of the layer
            shot[120 + 20 * row : 136 + 20 * row, 240:300] = random.integers(0, 255, 3)
        shot[120:150, 310:340] = cv2.resize(canvas_HWC, (30, 30), interpolation=cv2.INTER_AREA)
        if panel and t in (frames // 2, frames // 2 + 1):
            shot[20:90, 150:230] = 30
            shot[30:80:10, 156:220] = 180
        x, y = random.integers(left, left + side - 8), random.integers(top, top + side - 8)
        cv2.line(shot, (int(x), int(y)), (int(x) + 6, int(y) + 6), (255, 255, 255), 1)
        shots.append(shot)
        boxes.append((left, top, left + side, top + side))
    return Screens(np.stack(shots), np.array(boxes), process)
