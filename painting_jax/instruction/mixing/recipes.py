"""Recipes: how to make colours with a set of paints."""

import dataclasses

import numpy as np
from scipy import spatial

from painting_jax.instruction.mixing import colours, mixtures
from painting_jax.instruction.mixing.paints import Paint, PaintSet

# CIEDE2000 up to which a mixture counts as the colour itself, and as near it. Beyond, the colour is
# out of the set's reach.
SAME, NEAR = 5.0, 10.0
# Mixtures that differ less from each other than an eye sees: the simplest is taken.
_UNSEEN = 1.0
# Mixtures near a colour in CIE Lab, among which the one of the least CIEDE2000 is.
_NEIGHBOURS = 1000


@dataclasses.dataclass(frozen=True)
class Portion:
    """An ingredient of a mixture.

    Attributes:
      paint: The paint.
      parts: Whole parts of it.
      is_tint: Whether it is taken as a tint: 1 part of the paint, mixed with 7 of white before.
    """

    paint: Paint
    parts: int
    is_tint: bool = False


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to make a colour.

    Attributes:
      portions: Ingredients, the largest first. Their parts sum to at most 8.
      water: Parts of water to one part of the mixture, then to one part of that wash, and so on; at
        most 8 each. Empty if it is not thinned.
      colour: sRGB 0..255 that comes out.
      difference: CIEDE2000 of it from the colour that was asked for.
      is_estimated: Whether only the colour of one of the paints is known: the mixture is then an
        approximation.
    """

    portions: tuple[Portion, ...]
    water: tuple[int, ...]
    colour: tuple[int, int, int]
    difference: float
    is_estimated: bool

    @property
    def reach(self) -> str:
        """How near it comes: "same", "near", or "out" if the colour is out of the set's reach."""
        return "same" if self.difference <= SAME else "near" if self.difference <= NEAR else "out"


def recipes(colours_N3: np.ndarray, paint_set: PaintSet) -> list[Recipe]:
    """The simplest mixture of each colour among those that come nearest to it.

    At most three paints beside white, in parts of at most 8 in all; for pencils and markers the
    nearest one.

    Args:
      colours_N3: uint8 sRGB.
      paint_set: The paints.
    """
    table = mixtures.of_set(paint_set)
    wanted_N3 = colours.lab_of_srgb(np.asarray(colours_N3, np.uint8))
    count = min(_NEIGHBOURS, len(table.lab_M3))
    _, near_NK = spatial.cKDTree(table.lab_M3).query(wanted_N3, k=[*range(1, count + 1)])
    return [
        _recipe(paint_set, table, wanted, near)
        for wanted, near in zip(wanted_N3, near_NK, strict=True)
    ]


def _recipe(
    paint_set: PaintSet, table: mixtures.Mixtures, wanted: np.ndarray, near_K: np.ndarray
) -> Recipe:
    difference_K = colours.difference(table.lab_M3[near_K], wanted)
    alike = np.flatnonzero(difference_K <= difference_K.min() + _UNSEEN)
    effort = _effort(paint_set, table, near_K[alike])
    best = alike[np.lexsort((difference_K[alike], *effort))[0]]
    row = near_K[best]
    paints = [*paint_set.paints, *(paint_set.paints[tint] for tint in table.tints)]
    portions = [
        Portion(paint, int(parts), column >= len(paint_set.paints))
        for column, (paint, parts) in enumerate(zip(paints, table.parts_MI[row], strict=True))
        if parts
    ]
    red, green, blue = colours.srgb_of_lab(table.lab_M3[row]).tolist()
    return Recipe(
        portions=tuple(sorted(portions, key=lambda portion: -portion.parts)),
        water=mixtures.WATERS[table.water_M[row]],
        colour=(red, green, blue),
        difference=float(difference_K[best]),
        is_estimated=len(portions) > 1 and any(p.paint.is_estimated for p in portions),
    )


def _effort(
    paint_set: PaintSet, table: mixtures.Mixtures, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parts, and steps of the work: paints, tints that are made first, thinnings. Least first."""
    parts_RI = table.parts_MI[rows].astype(np.int64)
    thinnings = np.array([len(water) for water in mixtures.WATERS])[table.water_M[rows]]
    tints = (parts_RI[:, len(paint_set.paints) :] > 0).sum(1)
    return parts_RI.sum(1), (parts_RI > 0).sum(1) + tints + thinnings
