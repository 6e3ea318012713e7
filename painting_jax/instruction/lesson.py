"""A step of a tutorial in words: each sentence follows from what was measured of the step."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from painting_jax.instruction import colour_names
from painting_jax.instruction.language import ANY, Words
from painting_jax.instruction.marks import DARKS, DRAWING, FORMS, LIGHTS, MASSES, Marks
from painting_jax.instruction.palette import Palette
from painting_jax.instruction.places import EVERYWHERE, place

# How a medium is worked, which decides what to do and to avoid.
OPAQUE, TRANSPARENT, LINE = "opaque", "transparent", "line"
_WORKED = {
    "acrylic": OPAQUE, "oil": OPAQUE, "digital": OPAQUE, "pastel": OPAQUE,
    "watercolor": TRANSPARENT,
    "pencil": LINE, "colored_pencil": LINE, "charcoal": LINE, "ink": LINE, "loomis_portrait": LINE,
}  # fmt: skip

_LIT = (MASSES, FORMS, LIGHTS, DARKS)  # kinds of steps in which the direction of the light matters
_REGIONS, _COLOURS = 3, 4  # that a step names, at most
_MOST_OF = 0.7  # share of a step's change that the named regions hold
_NAMED = 0.12  # least share of it that a region is named for
_SOFT, _SHARP = 0.5, 0.15  # shares of soft edges, above and below which they are the rule
_WIDTHS = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100)  # mm


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is known of a painting besides its frames.

    Attributes:
      medium: Name of a medium; the one that weighs most in a mixture.
      picture_HWC: uint8 RGB finished picture.
      labels_HW: Regions of it, at its size.
      light: Where its light comes from, one of `light.DIRECTIONS`; None if it is not known.
      palette: Its colours.
      paper: Name of a paper, and the mean side of the painting on it in millimetres.
    """

    medium: str
    picture_HWC: np.ndarray
    labels_HW: np.ndarray
    light: str | None
    palette: Palette
    paper: tuple[str, float]


@dataclasses.dataclass(frozen=True)
class Card:
    """The text of a step.

    Attributes:
      title: What is done.
      what: How it is done, and where.
      facts: What else is known of it: marks, edges, area, time.
      why: Why it comes now; "" if the step before says it.
      mistake: What to avoid; "" as above.
      colours: Numbers of the palette's colours in it, from 1, the commonest first.
    """

    title: str
    what: str
    facts: tuple[str, ...]
    why: str
    mistake: str
    colours: tuple[int, ...]


def card(
    marks: Marks,
    canvas_HWC: np.ndarray,
    time: float,
    subject: Subject,
    words: Words,
    *,
    goes_on: bool = False,
) -> Card:
    """Says a step in words.

    Args:
      marks: What the step does.
      canvas_HWC: The canvas after it, uint8 RGB.
      time: Its share of the painting's time.
      subject: What is known of the painting.
      words: The language.
      goes_on: Whether the step before is of the same kind, so that how and why are said already.
    """
    worked = _WORKED.get(subject.medium, ANY)
    # Of thin lines, the nearest colour of the palette says nothing.
    colours = ()
    if marks.kind != DRAWING:
        colours = _colours(canvas_HWC, marks.changed_HW, subject.palette)
    tool = words.say("tools", subject.medium)
    do = words.say("kinds", marks.kind, "do", worked, tool=tool)
    what = [words.say("go_on") if goes_on else do]
    what.append(_where(marks.changed_HW, subject, words))
    if subject.light and marks.kind in _LIT and not goes_on:
        direction = words.say("directions", subject.light)
        what.append(words.say("lit", direction=direction))
    facts = []
    if colours:
        named = [_colour(number, subject.palette, words) for number in colours]
        facts.append(words.say("colours", colours=words.listed(named)))
    if marks.width:
        name, side = subject.paper
        nearest = min(_WIDTHS, key=lambda mm: abs(np.log(mm / (marks.width * side))))
        width = words.say("millimetres", value=f"{nearest:g}")
        facts.append(words.say("width", width=width, paper=name))
    if marks.area:
        facts.append(_edges(marks.soft, words))
    little = marks.area < 0.01
    area = words.percent(0.01 if little else marks.area)
    facts.append(words.say("little" if little else "area", share=area))
    facts.append(words.say("time", share=words.percent(time)))
    return Card(
        words.say("kinds", marks.kind, "title"),
        " ".join(what),
        tuple(facts),
        "" if goes_on else words.say("kinds", marks.kind, "why", worked),
        "" if goes_on else words.say("kinds", marks.kind, "mistake", worked),
        colours,
    )


def _where(changed_HW: np.ndarray, subject: Subject, words: Words) -> str:
    """The regions that hold most of a change, or that it is everywhere."""
    labels_HW, changed_P = subject.labels_HW, changed_HW.ravel()
    amount_K = np.bincount(labels_HW.ravel(), changed_P)
    share_K = amount_K / max(amount_K.sum(), 1)
    order = np.argsort(-share_K, kind="stable")
    few = int(np.searchsorted(np.cumsum(share_K[order]), _MOST_OF)) + 1
    named = [k for k in order[:few] if share_K[k] >= _NAMED]
    if few > _REGIONS or not named:
        return words.say("everywhere")
    parts = []
    for label in named:
        inside_HW = labels_HW == label
        if (where := place(inside_HW)) == EVERYWHERE:
            where = place(inside_HW & changed_HW)
        if where == EVERYWHERE:
            # No place tells it from the others.
            return words.say("everywhere")
        colour_3 = np.median(subject.picture_HWC[inside_HW], axis=0)
        colour = colour_names.name(colour_3).text(words.code)
        parts.append(words.say("region", colour=colour, place=words.say("places", where)))
    return words.say("where", regions=words.listed(list(dict.fromkeys(parts))))


def _colours(canvas_HWC: np.ndarray, changed_HW: np.ndarray, palette: Palette) -> tuple[int, ...]:
    """Numbers of the colours that cover most of what changed."""
    if not changed_HW.any():
        return ()
    numbers_P = palette.numbers(canvas_HWC)[changed_HW]
    count_N = np.bincount(numbers_P)
    share_N = count_N / count_N.sum()
    order: Sequence[int] = np.argsort(-share_N, kind="stable")[:_COLOURS].tolist()
    return tuple(number for number in order if share_N[number] > 0.05)


def _colour(number: int, palette: Palette, words: Words) -> str:
    name = colour_names.name(palette.colours_N3[number - 1]).text(words.code)
    return words.say("colour", number=number, name=name)


def _edges(soft: float, words: Words) -> str:
    if soft > _SOFT:
        return words.say("edges_soft")
    return (
        words.say("edges_sharp")
        if soft < _SHARP
        else words.say("edges_mixed", share=words.percent(soft))
    )
