"""Paints and sets of paints, and how colours are made with a set."""

import dataclasses
import functools

import numpy as np

from painting_jax.instruction.mixing import colours, pigments

NEAREST = "nearest"


@dataclasses.dataclass(frozen=True)
class Paint:
    """A paint, a pencil or a marker.

    Attributes:
      name: Name in English, or as its owner wrote it.
      pigment: Key in `pigments.known()`; "" if only the colour is known.
      colour: sRGB 0..255 of the unmixed paint, if only that is known.
    """

    name: str
    pigment: str = ""
    colour: tuple[int, int, int] | None = None

    @property
    def index(self) -> str:
        """Colour Index name of its pigment, such as "PB29"; "" if there is none."""
        return pigments.known()[self.pigment].index if self.pigment else ""

    @property
    def is_estimated(self) -> bool:
        """Whether only its colour is known: what it does in a mixture is then an approximation."""
        return not self.pigment

    def optics(self) -> pigments.Pigment:
        """What its pigment absorbs and scatters, measured or estimated."""
        if self.pigment:
            return pigments.known()[self.pigment]
        return pigments.estimated(self.colour, self.name)

    def lab(self) -> np.ndarray:
        """CIE Lab of the unmixed paint, float64[3]."""
        if self.colour is not None:
            return colours.lab_of_srgb(np.array(self.colour, np.uint8))
        return pigments.mixture_lab([self.optics()], np.array([[pigments.UNDILUTED]]))[0]


@dataclasses.dataclass(frozen=True)
class PaintSet:
    """Paints that are used together.

    Attributes:
      name: Key in `paint_sets.SETS`, or the file it was read from.
      method: How colours are made: "paint" (mixed, with white if the set has one), "wash" (mixed
        and thinned with water, over white paper) or "nearest" (a pencil or marker as it is).
      paints: The paints.
    """

    name: str
    method: str
    paints: tuple[Paint, ...]

    @functools.cached_property
    def white(self) -> int | None:
        """Position of the white, which mixtures may take beside their other paints."""
        is_white = [paint.index in ("PW6", "PW4") for paint in self.paints]
        return is_white.index(True) if self.method == pigments.PAINT and any(is_white) else None
