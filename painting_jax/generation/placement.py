"""Where a picture lies on the model's canvas, without its bars, and back again."""

import dataclasses
from collections.abc import Callable

import numpy as np

from painting_jax.data import bars
from painting_jax.data.framing import Framing


@dataclasses.dataclass(frozen=True)
class Placement:
    """The place of a picture on the canvas of a model. Bars of the picture are not painted.

    Attributes:
      picture_HWC: uint8 picture, with its bars.
      inside: Where the picture lies within its bars; None if it has none.
      framing: Where that part lies on the canvas.
    """

    picture_HWC: np.ndarray
    inside: bars.Inside | None
    framing: Framing

    @classmethod
    def of(
        cls, picture_HWC: np.ndarray, framing: Callable[[tuple[int, int], float], Framing]
    ) -> "Placement":
        """Places a picture.

        Args:
          picture_HWC: uint8 picture.
          framing: Function from the shape [H, W] of what is painted, and its longer side as a share
            of the picture's, to its framing.
        """
        inside = bars.inside(picture_HWC)
        shape_HW = (inside.cut(picture_HWC) if inside else picture_HWC).shape[:2]
        return cls(
            picture_HWC, inside, framing(shape_HW, max(shape_HW) / max(picture_HWC.shape[:2]))
        )

    def place(self, picture_HWC: np.ndarray) -> np.ndarray:
        """The canvas with a picture of this shape, at any size, without its bars."""
        return self.framing.place(self._inner(picture_HWC))

    def place_labels(self, labels_HW: np.ndarray) -> np.ndarray:
        """The canvas with a map of the picture."""
        return self.framing.place_labels(self._inner(labels_HW))

    def between_bars(self, frames_THWC: np.ndarray) -> np.ndarray:
        """Frames of what is painted as frames of the whole picture."""
        return self.inside.framed(frames_THWC, self.picture_HWC) if self.inside else frames_THWC

    def _inner(self, map_HWx: np.ndarray) -> np.ndarray:
        zoom = map_HWx.shape[0] / self.picture_HWC.shape[0]
        return self.inside.cut(map_HWx, zoom) if self.inside else map_HWx
