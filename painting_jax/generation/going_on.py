"""The user's half-finished canvas that a process goes on from, read from a photo."""

import dataclasses

import numpy as np

from painting_jax import media
from painting_jax.data import canvas_light, canvas_photo
from painting_jax.data.rehearsal import Rehearsal
from painting_jax.errors import UserError

_LATEST = 0.95  # progress of a canvas that is estimated: something is left to paint


def rehearsed(picture_HWC: np.ndarray, medium: str) -> Rehearsal:
    """The rehearsal of a picture, uint8 RGB, in the main one of a mixture of media."""
    return Rehearsal.of(picture_HWC, media.chief(media.mixture(medium)))


@dataclasses.dataclass(frozen=True)
class Canvas:
    """A canvas as the photo shows it, seen from the front.

    Attributes:
      canvas_HWC: uint8 RGB, of the picture's shape or that of a smaller copy, in its light.
      rehearsal: Paintings of the picture in the main medium, which it was compared with.
      shows_another: Whether it seems to be the canvas of another picture.
    """

    canvas_HWC: np.ndarray
    rehearsal: Rehearsal
    shows_another: bool

    @classmethod
    def of(
        cls,
        photo_HWC: np.ndarray,
        picture_HWC: np.ndarray,
        rehearsal: Rehearsal,
        *,
        corners_42: np.ndarray | None = None,
        other_look: bool = False,
    ) -> "Canvas":
        """Finds the canvas in a photo; it takes about two seconds.

        Args:
          photo_HWC: uint8 RGB photo.
          picture_HWC: uint8 RGB picture that is painted on it.
          rehearsal: Paintings of the picture, see `rehearsed`.
          corners_42: Corners of the canvas, see `quadrilateral`; None = they are found.
          other_look: Whether the picture has other colours than the painting, so that nothing is
            known of the light.
        """
        if corners_42 is None:
            corners_42 = canvas_photo.corners(photo_HWC, picture_HWC)
        canvas_HWC = canvas_photo.front_view(photo_HWC, corners_42, picture_HWC.shape[:2])
        shows_another = canvas_photo.shows_another(canvas_HWC, rehearsal)
        if not other_look:
            canvas_HWC = canvas_light.taken_away(canvas_HWC, rehearsal.finished_HWC)
        return cls(canvas_HWC, rehearsal, shows_another)

    @property
    def progress(self) -> float:
        """How far it is, 0..0.95, by its distance from the picture."""
        return round(min(self.rehearsal.progress(self.canvas_HWC), _LATEST), 2)

    def check(self, name: str) -> None:
        """Refuses the canvas of another picture.

        Args:
          name: What the user called the photo.

        Raises:
          UserError: If it seems to be one.
        """
        if self.shows_another:
            raise UserError(
                f"{name} seems to show another picture: take a photo of the canvas on which this "
                "one is painted, from the front"
            )
