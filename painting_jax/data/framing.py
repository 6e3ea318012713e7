"""Placing pictures of any shape on a model's fixed canvas, and cutting them out again."""

import dataclasses

import numpy as np

from painting_jax.data import pictures


@dataclasses.dataclass(frozen=True)
class Framing:
    """Position of a picture on the canvas, in pixels.

    Attributes:
      height: Height of the canvas.
      width: Width of the canvas.
      top: First row of the picture.
      left: First column of the picture.
      picture_height: Height of the picture on the canvas.
      picture_width: Width of the picture on the canvas.
    """

    height: int
    width: int
    top: int
    left: int
    picture_height: int
    picture_width: int

    @classmethod
    def of(cls, shape_HW: tuple[int, int], height: int, width: int) -> "Framing":
        """The largest centred area of a picture's shape; each side has at least 1 pixel."""
        scale = min(height / shape_HW[0], width / shape_HW[1])
        rows = max(1, min(height, round(shape_HW[0] * scale)))
        columns = max(1, min(width, round(shape_HW[1] * scale)))
        return cls.around(rows, columns, height, width)

    @classmethod
    def around(cls, rows: int, columns: int, height: int, width: int) -> "Framing":
        """A picture of that many rows and columns in the middle of the canvas."""
        return cls(height, width, (height - rows) // 2, (width - columns) // 2, rows, columns)

    def place(self, picture_HWC: np.ndarray) -> np.ndarray:
        """Places the picture on the canvas and repeats its borders outwards.

        The surroundings look like a continuation of the picture. A model would paint a plain frame
        as a part of the picture.

        Returns:
          uint8[height, width, 3].
        """
        small = pictures.resize(picture_HWC, self.picture_height, self.picture_width)
        return np.pad(small, (*self._padding(), (0, 0)), mode="edge")

    def place_labels(self, labels_HW: np.ndarray) -> np.ndarray:
        """Like `place`, for a label map: uint8[height, width]."""
        small = pictures.fit_labels(labels_HW, self.picture_height, self.picture_width)
        return np.pad(small, self._padding(), mode="edge")

    def inside(self) -> np.ndarray:
        """Where the picture lies on the canvas: bool[height, width]."""
        inside_HW = np.zeros((self.height, self.width), bool)
        self.cut(inside_HW[None])[:] = True
        return inside_HW

    def cut(self, frames_THWC: np.ndarray) -> np.ndarray:
        """Cuts the picture out of frames of the canvas."""
        rows = slice(self.top, self.top + self.picture_height)
        return frames_THWC[:, rows, self.left : self.left + self.picture_width]

    def _padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        below = self.height - self.top - self.picture_height
        right = self.width - self.left - self.picture_width
        return (self.top, below), (self.left, right)
