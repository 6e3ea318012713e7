"""The painter's manner: what a finished picture alone does not tell."""

import dataclasses

import numpy as np

from painting_jax import media
from painting_jax.errors import UserError

SCALES = {"broad": 1.3, "fine": 0.8}
DIRECTIONS = (
    "from the top down",
    "from the left",
    "from the right",
    "from the centre outward",
)


@dataclasses.dataclass(frozen=True)
class Manner:
    """How a picture is painted.

    Attributes:
      ground: what it is painted on, a name in the medium's `grounds`.
      scale: a key of `SCALES`, the size of the strokes.
      direction: one of `DIRECTIONS`, the order of strokes inside a pass and a region.
    """

    ground: str
    scale: str
    direction: str

    @classmethod
    def default(cls, medium: str) -> "Manner":
        """The medium's own manner."""
        entry = media.MEDIA[medium]
        return cls(next(iter(entry.grounds)), entry.scale, entry.direction)

    @classmethod
    def sample(cls, medium: str, rng: np.random.Generator) -> "Manner":
        """A manner drawn uniformly from all that the medium allows."""
        choose = lambda names: names[rng.integers(len(names))]  # noqa: E731
        return cls(
            choose(list(media.MEDIA[medium].grounds)), choose(list(SCALES)), choose(DIRECTIONS)
        )

    def check(self, medium: str) -> None:
        """Raises UserError unless the medium can be painted in this manner."""
        for value, known, what in (
            (self.ground, media.MEDIA[medium].grounds, f"ground for {medium}"),
            (self.scale, SCALES, "stroke scale"),
            (self.direction, DIRECTIONS, "direction"),
        ):
            if value not in known:
                raise UserError(f"unknown {what} {value!r}: known are {', '.join(known)}")


def describe(manner: Manner) -> str:
    """The manner in words, as in "on a warm ground, broad strokes, from the top down"."""
    article = "an" if manner.ground[0] in "aeiou" else "a"
    return f"on {article} {manner.ground} ground, {manner.scale} strokes, {manner.direction}"


def advance(direction: str, y_N: np.ndarray, x_N: np.ndarray) -> np.ndarray:
    """When a direction reaches each place: 0 (first) to 1, for y and x in 0..1 of the picture."""
    if direction == "from the top down":
        return y_N
    if direction == "from the left":
        return x_N
    if direction == "from the right":
        return 1 - x_N
    return np.hypot(y_N - 0.5, x_N - 0.5) / np.sqrt(0.5)
