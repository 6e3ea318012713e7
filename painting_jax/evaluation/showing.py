"""Which of many pictures a report shows: where methods do worst and best, then the first ones."""

import collections
import math
from collections.abc import Sequence

from painting_jax.evaluation.measures import MEASURES, Measured

# So many pictures are shown; all are measured.
SHOWN = 12

# What tells the worst from the best: the first of these that was measured.
_RANKED_BY = ("between", "to_band", "monotonicity")

# Fewer have no worst and best that a reader would not find alone.
_FEW = 4


def choose(
    pictures: Sequence[Sequence[Measured]], judged: Sequence[str], *, shown: int = SHOWN
) -> list[tuple[int, str]]:
    """The indices of the pictures to show, each with why; "" for those that merely come first.

    Args:
      pictures: the rows of each.
      judged: the methods; each has its worst and best shown, while there is room.
      shown: at most so many.
    """
    why: dict[int, list[str]] = {}
    short = ""
    for place, word in ((-1, "worst"), (0, "best"), (-2, "second worst")):
        for method in judged:
            key, ranked = _ranked(pictures, method)
            if len(ranked) >= _FEW and (ranked[place] in why or len(why) < shown):
                short = MEASURES[key].short
                of = method if len(judged) > 1 else str(len(ranked))
                why.setdefault(ranked[place], []).append(f"{word} of {of}")
    for index in _in_turns(pictures, judged):
        if len(why) < shown:
            why.setdefault(index, [])
    return [(i, f"{', '.join(words)} in {short}" if words else "") for i, words in why.items()]


def _in_turns(pictures: Sequence[Sequence[Measured]], judged: Sequence[str]) -> list[int]:
    """The first of every method and medium, then the second of each, ...; recorded ones last."""
    seen: collections.Counter = collections.Counter()
    order = []
    for index, rows in enumerate(pictures):
        kind = (tuple(row.method for row in rows), rows[0].medium)
        seen[kind] += 1
        alone = not any(row.method in judged for row in rows)
        order.append((alone, seen[kind], index))
    return [index for *_, index in sorted(order)]


def _ranked(pictures: Sequence[Sequence[Measured]], method: str) -> tuple[str, list[int]]:
    """The pictures from a method's best to its worst, and by which measure."""
    for key in _RANKED_BY:
        values = {
            index: row.numbers[key]
            for index, rows in enumerate(pictures)
            for row in rows
            if row.method == method and math.isfinite(row.numbers[key])
        }
        if values:
            sign = 1 if MEASURES[key].better == "lower" else -1
            return key, sorted(values, key=lambda index: sign * values[index])
    return _RANKED_BY[0], []
