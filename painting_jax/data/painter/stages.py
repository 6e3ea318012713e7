"""The stages of a painting: which lays in the masses, and what a construction changes in them."""

import dataclasses
from collections.abc import Sequence

from painting_jax.media import Stage

FREELY, IN_PERSPECTIVE, IN_PLANES = CONSTRUCTIONS = ("freely", "in perspective", "in planes")

_BROAD = 4.0  # width of strokes that lay in a mass, in pixels of a 64 x 64 picture
_RULED = 0.4  # share of the first stage that the lines of a perspective take


def masses(stages: Sequence[Stage]) -> Stage | None:
    """The stage that lays in the masses of the regions: the first strokes by region."""
    laid = (stage for stage in stages if stage.marks == "strokes" and stage.by_region)
    return next(laid, None)


def laid_behind(stages: Sequence[Stage]) -> Stage | None:
    """The stage in which regions are also painted behind nearer ones: the masses, if broad.

    Hatching leaves out what lies in front.
    """
    first = masses(stages)
    return first if first and first.width >= _BROAD else None


def constructions(stages: Sequence[Stage]) -> tuple[str, ...]:
    """The constructions of `CONSTRUCTIONS` that a medium's stages allow.

    Planes need broad strokes, and a medium that constructs a head does that alone.
    """
    if any(stage.marks == "construction" for stage in stages):
        return (FREELY,)
    return CONSTRUCTIONS if laid_behind(stages) else (FREELY, IN_PERSPECTIVE)


def constructed(stages: Sequence[Stage], construction: str) -> list[Stage]:
    """The stages of a painting that is built on one of `CONSTRUCTIONS`."""
    if construction == IN_PLANES:
        broad = laid_behind(stages)
        # The brush stops at the borders of planes that are narrower than it is.
        built = dataclasses.replace(broad, flat=0, planes=1, flowing=True)
        return [built if stage is broad else stage for stage in stages]
    if construction == IN_PERSPECTIVE:
        lines = Stage(
            _RULED * stages[0].until, "perspective", "glaze", width=0.8, length=12, strength=0.5
        )
        return [lines, *stages]
    return list(stages)
