"""All mixtures of a set that a person can measure, and their colours."""

import functools
import itertools
import math

import numpy as np

from painting_jax.instruction.mixing import colours, pigments
from painting_jax.instruction.mixing.paints import NEAREST, PaintSet

# Parts of a mixture in all, and paints in it beside white.
MOST_PARTS, MOST_PAINTS = 8, 3
# Parts of white to one part of a paint that is too strong to be measured: a tint is made first.
TINT = 7
# Parts of water to one part of paint, and again of that wash: from strong to hardly visible.
WATERS = ((), (1,), (2,), (4,), (8,), (8, 1), (8, 2), (8, 4), (8, 8))
# A paint whose tint differs more than this from white is strong.
_STRONG = 20.0


class Mixtures:
    """The mixtures of a set.

    Attributes:
      tints: Positions of the paints that may also be taken as a tint, 1 part to 7 of white.
      parts_MI: Whole parts, uint8[M, I]: of the paints, and then of the tints. All 0 is
        bare paper.
      water_M: Position in `WATERS`, uint8[M].
      lab_M3: CIE Lab, float64[M, 3].
    """

    def __init__(self, paint_set: PaintSet):
        self.tints = _strong(paint_set)
        parts_MI = _parts(paint_set, self.tints)
        waters = range(len(WATERS)) if paint_set.method == pigments.WASH else (0,)
        self.parts_MI = np.concatenate([parts_MI] * len(waters))
        self.water_M = np.repeat(np.array(waters, np.uint8), len(parts_MI))
        self.lab_M3 = lab(paint_set, self.tints, self.parts_MI, self.water_M)


@functools.lru_cache(maxsize=8)
def of_set(paint_set: PaintSet) -> Mixtures:
    """The mixtures of a set, kept for the next call."""
    return Mixtures(paint_set)


def lab(
    paint_set: PaintSet, tints: tuple[int, ...], parts_MI: np.ndarray, water_M: np.ndarray
) -> np.ndarray:
    """CIE Lab of mixtures, float64[M, 3]; arguments as the attributes of `Mixtures`."""
    if paint_set.method == NEAREST:
        return np.array([paint.lab() for paint in paint_set.paints])[parts_MI.argmax(1)]
    parts_MI = parts_MI.astype(np.float64)
    amounts_MP = parts_MI[:, : len(paint_set.paints)].copy()
    for column, paint in enumerate(tints, len(paint_set.paints)):
        amounts_MP[:, paint] += parts_MI[:, column] / (1 + TINT)
        amounts_MP[:, paint_set.white] += parts_MI[:, column] * TINT / (1 + TINT)
    if paint_set.method == pigments.WASH:
        thinned_M = np.array([math.prod(1 + water for water in waters) for waters in WATERS])
        # Bare paper has no paint on it.
        total_M = np.maximum(amounts_MP.sum(1), 1) * thinned_M[water_M]
        amounts_MP *= pigments.UNDILUTED / total_M[:, None]
    return pigments.mixture_lab([paint.optics() for paint in paint_set.paints], amounts_MP)


def _strong(paint_set: PaintSet) -> tuple[int, ...]:
    white = paint_set.white
    if white is None:
        return ()
    optics = [paint.optics() for paint in paint_set.paints]
    lab_white = paint_set.paints[white].lab()
    return tuple(
        position
        for position, pigment in enumerate(optics)
        if colours.difference(
            pigments.mixture_lab([pigment, optics[white]], np.array([[1, TINT]]))[0], lab_white
        )
        > _STRONG
    )


def _parts(paint_set: PaintSet, tints: tuple[int, ...]) -> np.ndarray:
    """The mixtures' whole parts, uint8[M, I], none a multiple of another."""
    count = len(paint_set.paints)
    if paint_set.method == NEAREST:
        return np.eye(count, dtype=np.uint8)
    white = paint_set.white
    columns = count + len(tints)
    paint_of = [*range(count), *tints]
    choices = [column for column in range(columns) if column != white]
    rows = []
    for size in range(1, MOST_PAINTS + 1):
        for chosen in itertools.combinations(choices, size):
            if len({paint_of[column] for column in chosen}) < size:
                continue
            # A tint has white in it already: mixtures of tints without white are among others.
            rows.append(_spread(columns, chosen))
            if white is not None:
                rows.append(_spread(columns, (*chosen, white)))
    if white is not None:
        rows.append(_spread(columns, (white,)))
    if paint_set.method == pigments.WASH:
        rows.append(np.zeros((1, columns), np.uint8))
    return np.concatenate(rows)


def _spread(columns: int, chosen: tuple[int, ...]) -> np.ndarray:
    shares = _shares(len(chosen))
    parts = np.zeros((len(shares), columns), np.uint8)
    parts[:, chosen] = shares
    return parts


@functools.cache
def _shares(size: int) -> np.ndarray:
    """All ratios of `size` whole numbers of at least 1 that sum to at most `MOST_PARTS`."""
    numbers = itertools.product(range(1, MOST_PARTS + 1), repeat=size)
    shares = [row for row in numbers if sum(row) <= MOST_PARTS and math.gcd(*row) == 1]
    return np.array(shares, np.uint8)
