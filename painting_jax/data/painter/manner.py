"""The painter's manner: choices that the finished picture alone does not reveal."""

import dataclasses

import numpy as np

from painting_jax import media
from painting_jax.data.painter import stages
from painting_jax.data.painter.stages import CONSTRUCTIONS, FREELY
from painting_jax.errors import UserError

SCALES = {"broad": 1.3, "fine": 0.8}
DIRECTIONS = (
    "from the top down",
    "from the left",
    "from the right",
    "from the centre outward",
)
ALLA_PRIMA, LAYERED, SECTIONAL = ORDERS = ("alla prima", "layered", "sectional")


@dataclasses.dataclass(frozen=True)
class Manner:
    """How a picture is painted.

    Attributes:
      ground: Name of the ground, a key of the medium's `grounds`.
      scale: Size of the strokes, a key of `SCALES`.
      direction: Order of strokes within a pass or region, one of `DIRECTIONS`.
      order: Order of regions, one of `ORDERS`: everywhere at once, in layers from back to front
        with what lies behind nearer ones, or region by region, each finished before the next.
      construction: What the picture is built on, one of `CONSTRUCTIONS`: "in perspective" begins
        with the horizon and lines to the vanishing points, "in planes" lays the masses in facets
        of light and shade.
    """

    ground: str
    scale: str
    direction: str
    order: str = LAYERED
    construction: str = FREELY

    @classmethod
    def default(cls, medium: str) -> "Manner":
        """The default manner of a medium."""
        entry = media.MEDIA[medium]
        order = LAYERED if LAYERED in orders(medium) else ALLA_PRIMA
        return cls(next(iter(entry.grounds)), entry.scale, entry.direction, order)

    @classmethod
    def sample(cls, medium: str, rng: np.random.Generator) -> "Manner":
        """A manner drawn from those that the medium allows, half of them constructed freely."""
        choose = lambda names: names[rng.integers(len(names))]  # noqa: E731
        return cls(
            choose(list(media.MEDIA[medium].grounds)),
            choose(list(SCALES)),
            choose(DIRECTIONS),
            choose(orders(medium)),
            FREELY
            if rng.random() < 0.5
            else choose(stages.constructions(media.MEDIA[medium].stages)),
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
            (self.order, orders(medium), f"order for {medium}"),
            (
                self.construction,
                stages.constructions(media.MEDIA[medium].stages),
                f"construction for {medium}",
            ),
        ):
            if value not in known:
                raise UserError(f"unknown {what} {value!r}: known are {', '.join(known)}")


def orders(medium: str) -> tuple[str, ...]:
    """The orders that a medium allows: without a pass by region, only everywhere at once."""
    by_region = any(stage.by_region for stage in media.MEDIA[medium].stages)
    return ORDERS if by_region else (ALLA_PRIMA,)


def every_word() -> list[str]:
    """Texts that together hold every word with which a manner is described."""
    grounds = {ground for medium in media.MEDIA.values() for ground in medium.grounds}
    return [
        describe(Manner(ground, scale, direction, order, construction))
        for ground in sorted(grounds)
        for scale in SCALES
        for direction in DIRECTIONS
        for order in ORDERS
        for construction in CONSTRUCTIONS
    ]


def describe(manner: Manner) -> str:
    """The manner in words: "on a warm ground, broad strokes, from the top down, layered".

    A construction is said where there is one: "..., layered, in planes".
    """
    article = "an" if manner.ground[0] in "aeiou" else "a"
    built = "" if manner.construction == FREELY else f", {manner.construction}"
    return (
        f"on {article} {manner.ground} ground, {manner.scale} strokes, {manner.direction}, "
        f"{manner.order}{built}"
    )


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
