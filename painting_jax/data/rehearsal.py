"""A rehearsal: the procedural painter paints a picture small, a few times, to see how it may go.

What a user's half-finished canvas is compared with: how it may look at any time, and how far from
the picture it is then.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data import painter, pictures
from painting_jax.data.canvas_look import Look
from painting_jax.data.painter.manner import Manner

_SIDE = 96  # longer side of the paintings, in pixels
_PAINTINGS = 4  # each in another manner, the first in the medium's own
_FRAMES = 17
_COMPARED = 64  # pixels a side at which distances are measured
_SOFT = 1.0  # radius of the blur before that, in such pixels


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """Paintings of one picture in one medium.

    Attributes:
      picture_HWC: uint8 picture, small.
      frames_RTHWC: uint8 frames of R paintings, evenly spaced in progress from 0 to 1.
    """

    picture_HWC: np.ndarray
    frames_RTHWC: np.ndarray

    @classmethod
    def of(cls, picture_HWC: np.ndarray, medium: str) -> "Rehearsal":
        """Paints a picture, uint8 RGB, in a medium of `media.MEDIA`; it takes about a second."""
        small_HWC = pictures.shrunk(picture_HWC, _SIDE)
        manners = [Manner.default(medium)]
        for seed in range(1, _PAINTINGS):
            manners.append(Manner.sample(medium, np.random.default_rng(seed)))
        paintings = [
            painter.paint(small_HWC, medium, frames=_FRAMES, seed=seed, manner=manner)
            for seed, manner in enumerate(manners)
        ]
        return cls(small_HWC, np.stack([painting.frames_THWC for painting in paintings]))

    @property
    def finished_HWC(self) -> np.ndarray:
        """The finished picture as the medium shows it, uint8."""
        return self.frames_RTHWC[0, -1]

    def likeness(self, canvas_HWC: np.ndarray) -> float:
        """How much of the edges of a canvas, uint8, is in the frame that is most like it: -1..1."""
        look = Look.of(canvas_HWC)
        # The first frames are blank.
        frames = self.frames_RTHWC[:, 1::2].reshape(-1, *self.picture_HWC.shape)
        looks = [Look.of(frame_HWC) for frame_HWC in [*frames, self.picture_HWC]]
        return max(look.likeness_of_edges(other) for other in looks)

    def progress(self, canvas_HWC: np.ndarray) -> float:
        """The progress, 0..1, at which paintings are as far from the picture as a canvas, uint8.

        The distance of a painting may stay the same for a while, or grow. The time is taken at
        which it comes as near for the first time, and its mean over the paintings.
        """
        progress_T = np.linspace(0, 1, self.frames_RTHWC.shape[1])
        distance, found = self._distance(canvas_HWC), []
        for frames_THWC in self.frames_RTHWC:
            distance_T = np.array([self._distance(frame_HWC) for frame_HWC in frames_THWC])
            # A small slope gives each distance one time.
            falling_T = np.minimum.accumulate(distance_T) - 1e-4 * np.arange(len(distance_T))
            found.append(np.interp(-distance, -falling_T, progress_T))
        return float(np.mean(found))

    def _distance(self, frame_HWC: np.ndarray) -> float:
        """Mean absolute difference from the picture, of blurred colours in 0..255."""
        frame_HWC, picture_HWC = (
            ndimage.gaussian_filter(
                pictures.resize(x_HWC, _COMPARED, _COMPARED).astype(np.float32), (_SOFT, _SOFT, 0)
            )
            for x_HWC in (frame_HWC, self.picture_HWC)
        )
        return float(np.abs(frame_HWC - picture_HWC).mean())
