"""How to come to the colours of a palette with a set of paints, in words."""

import pathlib

from painting_jax.errors import UserError
from painting_jax.instruction import colour_words
from painting_jax.instruction.language import Words
from painting_jax.instruction.mixing import own_paints, paint_sets
from painting_jax.instruction.mixing.paints import NEAREST, PaintSet
from painting_jax.instruction.mixing.recipes import Portion, Recipe

# Sets that can stand for each other, so that a page offers all of them.
_ALIKE = (
    ("oil_acrylic", "acrylic_beginner", "oil_beginner"),
    ("watercolor",),
    ("colored_pencil", "marker"),
)


def chosen(medium: str, paints: str | None) -> list[PaintSet]:
    """The sets that a tutorial shows, the first of which it begins with; none if nothing is mixed.

    Args:
      medium: Name of a medium.
      paints: Name of a built-in set, or path of a list of one's own; None for the medium's.

    Raises:
      UserError: If the set is unknown, or the list cannot be read.
    """
    if paints is None:
        own = paint_sets.of_medium(medium)
    elif paints in paint_sets.SETS:
        own = paint_sets.SETS[paints]
    elif pathlib.Path(paints).expanduser().is_file():
        return [own_paints.load(pathlib.Path(paints).expanduser(), medium)]
    else:
        raise UserError(
            f"--paints={paints} is no file and no built-in set: choose from "
            f"{', '.join(paint_sets.SETS)}, or write one paint a line into a file"
        )
    if own is None:
        return []
    alike = next((names for names in _ALIKE if own.name in names), ())
    return [own, *(paint_sets.SETS[name] for name in alike if name != own.name)]


def title(paint_set: PaintSet, words: Words) -> str:
    """The name of a set in a language; that of a list of one's own is its file's."""
    return colour_words.paint_set(paint_set.name, words.code)


def said(recipe: Recipe, paint_set: PaintSet, words: Words) -> tuple[str, str]:
    """A recipe in words, and a remark on how near it comes."""
    if not recipe.portions:
        text = words.say("mix", "bare")
    elif paint_set.method == NEAREST:
        text = _paint(recipe.portions[0], words)
    else:
        several = len(recipe.portions) > 1
        named = [(_parts if several else _paint)(portion, words) for portion in recipe.portions]
        text = words.listed(named)
        for place, count in enumerate(recipe.water):
            text += words.say("mix", "water_again" if place else "water", count=count)
    note = words.say("mix", "difference", value=f"{recipe.difference:.1f}")
    if recipe.reach != "same":
        note = f"{words.say('mix', recipe.reach)} {note}"
    if recipe.is_estimated:
        note = f"{note} {words.say('mix', 'estimated')}"
    return text, note


def _parts(portion: Portion, words: Words) -> str:
    one_or_many = "one" if portion.parts == 1 else "many"
    return words.say("mix", one_or_many, count=portion.parts, paint=_paint(portion, words))


def _paint(portion: Portion, words: Words) -> str:
    paint = portion.paint
    name = colour_words.paint(paint.name, words.code)
    name = f"{name} ({paint.index})" if paint.index else name
    return words.say("mix", "tint", paint=name) if portion.is_tint else name
