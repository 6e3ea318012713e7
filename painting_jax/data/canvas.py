"""Where the pictures of a process are put: cropped to a shape, or padded to it."""

import dataclasses

import numpy as np

from painting_jax.data import pictures
from painting_jax.data.buckets import Shapes
from painting_jax.data.framing import Framing


@dataclasses.dataclass(frozen=True)
class Canvas:
    """The shape that the pictures of a process get.

    Attributes:
      height: Height in pixels.
      width: Width in pixels.
      framing: Where they lie if they are padded; None if they are cropped.
    """

    height: int
    width: int
    framing: Framing | None = None

    @classmethod
    def of(cls, shapes: Shapes, frame_HW: tuple[int, int]) -> "Canvas":
        """The canvas of a process whose frames have this height and width."""
        height, width = shapes.of(frame_HW)
        padded = shapes.is_padded(frame_HW)
        return cls(height, width, Framing.of(frame_HW, height, width) if padded else None)

    def picture(self, data: bytes) -> np.ndarray:
        """An encoded picture on the canvas: uint8[height, width, 3].

        Raises:
          UserError: If the picture is damaged.
        """
        picture_HWC = pictures.decode(data)
        if self.framing is not None:
            return self.framing.place(picture_HWC)
        return pictures.fit(picture_HWC, self.height, self.width)

    def segments(self, labels_HW: np.ndarray) -> np.ndarray:
        """A label map on the canvas: uint8[height, width], 0 if there is none."""
        if not labels_HW.size:
            return np.zeros((self.height, self.width), np.uint8)
        if self.framing is not None:
            return self.framing.place_labels(labels_HW)
        return pictures.fit_labels(labels_HW, self.height, self.width)

    def judged(self) -> np.ndarray:
        """1 where the picture lies and 0 on its padding: uint8[height, width]."""
        if self.framing is None:
            return np.ones((self.height, self.width), np.uint8)
        return self.framing.inside().astype(np.uint8)
