"""A picture of any shape on a model's canvas of one shape, and back."""

import dataclasses

import numpy as np

from painting_jax.data import pictures


@dataclasses.dataclass(frozen=True)
class Framing:
    """Where a picture lies on the canvas.

    Attributes:
      height: of the canvas, in pixels.
      width: of the canvas.
      top: first row of the picture.
      left: first column.
      picture_height: rows of the picture.
      picture_width: columns of the picture.
    """

    height: int
    width: int
    top: int
    left: int
    picture_height: int
    picture_width: int

    @classmethod
    def of(cls, shape_HW: tuple[int, int], height: int, width: int) -> "Framing":
        """The largest centred place for a picture of a shape; 1 pixel at least along each side."""
        scale = min(height / shape_HW[0], width / shape_HW[1])
        rows = max(1, min(height, round(shape_HW[0] * scale)))
        columns = max(1, min(width, round(shape_HW[1] * scale)))
        return cls(height, width, (height - rows) // 2, (width - columns) // 2, rows, columns)

    def place(self, picture_HWC: np.ndarray) -> np.ndarray:
        """The picture on the canvas, its borders repeated outwards: uint8[height, width, 3].

        What surrounds it looks like more of the picture rather than like a frame, which a model
        would take for a part of what it is to paint.
        """
        small = pictures.resize(picture_HWC, self.picture_height, self.picture_width)
        return np.pad(small, (*self._padding(), (0, 0)), mode="edge")

    def place_labels(self, labels_HW: np.ndarray) -> np.ndarray:
        """As `place`, for a label map: uint8[height, width]."""
        small = pictures.fit_labels(labels_HW, self.picture_height, self.picture_width)
        return np.pad(small, self._padding(), mode="edge")

    def cut(self, frames_THWC: np.ndarray) -> np.ndarray:
        """The picture's part of frames of the canvas."""
        rows = slice(self.top, self.top + self.picture_height)
        return frames_THWC[:, rows, self.left : self.left + self.picture_width]

    def _padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        below = self.height - self.top - self.picture_height
        right = self.width - self.left - self.picture_width
        return (self.top, below), (self.left, right)
