"""The painter's manner: choices that the finished picture alone does not reveal."""

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
      ground: Name of the ground, a key of the medium's `grounds`.
      scale: Size of the strokes, a key of `SCALES`.
      direction: Order of strokes within a pass or region, one of `DIRECTIONS`.
    """

    ground: str
    scale: str
    direction: str

    @classmethod
    def default(cls, medium: str) -> "Manner":
        """The default manner of a medium."""
        entry = media.MEDIA[medium]
        return cls(next(iter(entry.grounds)), entry.scale, entry.direction)

    @classmethod
    def sample(cls, medium: str, rng: np.random.Generator) -> "Manner":
        """A manner drawn uniformly from those that the medium allows."""
        choose = lambda names: names[rng.integers(len(names))]  # noqa: E731
        return cls(
            choose(list(media.MEDIA[medium].grounds)), choose(list(SCALES)), choose(DIRECTIONS)
        )

    def check(self, medium: str) -> None:
        """Checks that the medium can be painted in this manner.

        Raises:
          UserError: If it cannot.
        """
        for value, known, what in (
            (self.ground, media.MEDIA[medium].grounds, f"ground for {medium}"),
            (self.scale, SCALES, "stroke scale"),
            (self.direction, DIRECTIONS, "direction"),
        ):
            if value not in known:
                raise UserError(f"unknown {what} {value!r}: known are {', '.join(known)}")


def every_word() -> list[str]:
    """Texts that together hold every word with which a manner is described."""
    grounds = {ground for medium in media.MEDIA.values() for ground in medium.grounds}
    return [
        describe(Manner(ground, scale, direction))
        for ground in sorted(grounds)
        for scale in SCALES
        for direction in DIRECTIONS
    ]


def describe(manner: Manner) -> str:
    """The manner in words, such as "on a warm ground, broad strokes, from the top down"."""
    article = "an" if manner.ground[0] in "aeiou" else "a"
    return f"on {article} {manner.ground} ground, {manner.scale} strokes, {manner.direction}"


def advance(direction: str, y_N: np.ndarray, x_N: np.ndarray) -> np.ndarray:
    """Time at which strokes in a direction reach each position.

    Args:
      direction: One of `DIRECTIONS`.
      y_N: Vertical positions, 0..1 from top to bottom of the picture.
      x_N: Horizontal positions, 0..1 from left to right.

    Returns:
      [N], from 0 (first) to 1 (last).
    """
    if direction == "from the top down":
        return y_N
    if direction == "from the left":
        return x_N
    if direction == "from the right":
        return 1 - x_N
    return np.hypot(y_N - 0.5, x_N - 0.5) / np.sqrt(0.5)
