"""What a person asks for, checked: the studio trusts nothing that a browser says."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from painting_jax import media
from painting_jax.data.painter.manner import DIRECTIONS, ORDERS, SCALES
from painting_jax.data.painter.stages import CONSTRUCTIONS
from painting_jax.errors import UserError, one_line
from painting_jax.instruction.language import LANGUAGES
from painting_jax.instruction.mixing.paint_sets import SETS
from painting_jax.instruction.outline.detail import NAMES as DETAILS
from painting_jax.instruction.tutorial import Choices
from painting_jax.studio import limits

# Parts of a manner and what each may be. A ground belongs to a medium.
MANNERS: Mapping[str, Sequence[str]] = {
    "ground": sorted({name for entry in media.MEDIA.values() for name in entry.grounds}),
    "scale": tuple(SCALES),
    "direction": DIRECTIONS,
    "order": ORDERS,
    "construction": CONSTRUCTIONS[1:],
}
# What a person chooses of the tutorial; the first of each is taken by itself.
TUTORIALS: Mapping[str, Sequence[str]] = {
    "language": LANGUAGES,
    "paper": ("A4", "A5", "A3", "Letter", "Tabloid"),
    "detail": ("normal", *(name for name in DETAILS if name != "normal")),
    "paints": tuple(SETS),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a picture is to be painted.

    Attributes:
      model: Key of the model.
      medium: Medium or mixture, as `generate --medium` takes it.
      prompt: What the person wrote.
      manner: Chosen parts of the manner, keys of `MANNERS`.
      tutorial: What is chosen of the tutorial, keys of `TUTORIALS`.
      order: Regions in painting order, by their numbers after the edits; empty = the model's.
      edits: Merges and splits of regions, see `regions`.
      words: Order of painting in words, for published weights.
      frames: Frames of the whole process; None = the model's.
      steps: Sampling steps; None = the model's.
      size: Longer side in pixels; None = the picture's own.
      seed: Seed of the noise.
      other_look: Whether the picture is another look of what is painted.
      corners: Corners of the canvas in the photo, as shares of its width and height, clockwise from
        the top left; None = there is no photo.
      start: Progress of the first frame.
    """

    model: str
    medium: str
    prompt: str = ""
    manner: dict[str, str] = dataclasses.field(default_factory=dict)
    tutorial: dict[str, str] = dataclasses.field(default_factory=dict)
    order: tuple[int, ...] = ()
    edits: tuple[dict, ...] = ()
    words: str = ""
    frames: int | None = None
    steps: int | None = None
    size: int | None = None
    seed: int = 0
    other_look: bool = False
    corners: tuple[tuple[float, float], ...] | None = None
    start: float = 0.0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Settings":
        """The settings that a browser, or a file of the gallery, states.

        Raises:
          UserError: If one is not as it must be.
        """
        start = _number(said, "start", (0, 0.99), 0.0)
        return cls(
            model=_text(said, "model", 64),
            medium=_medium(said.get("medium")),
            prompt=_text(said, "prompt", limits.PROMPT),
            manner=_chosen(said, "manner", MANNERS),
            tutorial=_chosen(said, "tutorial", TUTORIALS),
            order=tuple(_integers(said.get("order") or [], "order", 255)),
            edits=tuple(_edits(said.get("edits") or [])),
            words=_text(said, "words", limits.PROMPT),
            frames=_integer(said, "frames", limits.FRAMES, None),
            steps=_integer(said, "steps", limits.STEPS, None),
            size=_integer(said, "size", limits.SIZE, None),
            seed=_integer(said, "seed", (0, limits.SEED), 0),
            other_look=said.get("other_look") is True,
            corners=corners_of(said.get("corners")),
            start=0.0 if start is None else round(start, 4),
        )

    @property
    def said(self) -> dict[str, Any]:
        """Them in JSON's types."""
        return dataclasses.asdict(self)

    @property
    def choices(self) -> Choices:
        """What the tutorial is to be like."""
        chosen: dict[str, Any] = self.tutorial
        return Choices(**chosen)

    @property
    def whole_prompt(self) -> str:
        """The prompt with the manner in words, as the model learned them."""
        words = [self.prompt.strip(" ,.")] if self.prompt.strip(" ,.") else []
        manner = self.manner
        if ground := manner.get("ground"):
            words.append(f"on {'an' if ground[0] in 'aeiou' else 'a'} {ground} ground")
        if scale := manner.get("scale"):
            words.append(f"{scale} strokes")
        words += [manner[part] for part in ("direction", "order", "construction") if part in manner]
        return ", ".join(words)


def _medium(said: Any) -> str:
    """A mixture from weights by medium, which need not sum to 1."""
    if not isinstance(said, dict | str) or len(said) > 200:
        raise UserError("choose a medium")
    if isinstance(said, str):
        media.mixture(said)
        return said
    weights = {name: weight for name, weight in said.items() if weight}
    if not weights or not all(_is_number(weight) and weight > 0 for weight in weights.values()):
        raise UserError("choose a medium: its share must be above 0")
    if unknown := [name for name in weights if name not in media.MEDIA]:
        raise UserError(f"unknown medium {unknown[0]!r}: known are {', '.join(media.MEDIA)}")
    if len(weights) == 1:
        return next(iter(weights))
    total = sum(weights.values())
    medium = ",".join(f"{name}:{weight / total:.4g}" for name, weight in weights.items())
    media.mixture(medium)
    return medium


def _chosen(
    said: Mapping[str, Any], name: str, known: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The parts of something for which a value is chosen, each from a list."""
    parts = said.get(name) or {}
    if not isinstance(parts, dict):
        raise UserError(f"the {name} is not understood")
    chosen = {part: value for part, value in parts.items() if value}
    for part, value in chosen.items():
        if part not in known or value not in known[part]:
            raise UserError(f"the {name} {one_line(str(value))[:60]!r} is unknown")
    return chosen


def _edits(said: Any) -> list[dict]:
    if not isinstance(said, list | tuple) or len(said) > limits.EDITS:
        raise UserError(f"regions can be split and merged {limits.EDITS} times")
    edits: list[dict] = []
    for edit in said:
        if not isinstance(edit, dict):
            raise UserError("a change of the regions is not understood")
        if "merge" in edit:
            pair = _integers(edit["merge"], "merge", 2)
            if len(pair) != 2:
                raise UserError("two regions of the picture can be merged")
            edits.append({"merge": pair})
        else:
            [region] = _integers([edit.get("split")], "split", 1)
            edits.append({"split": region, "at": list(_point(edit.get("at")))})
    return edits


def corners_of(said: Any) -> tuple[tuple[float, float], ...] | None:
    """Four corners as shares of a photo's sides, clockwise from the top left.

    Raises:
      UserError: If they are not the corners of a canvas.
    """
    if said is None:
        return None
    if not isinstance(said, list | tuple) or len(said) != 4:
        raise UserError("a canvas has four corners")
    corners = tuple(_point(corner) for corner in said)
    turns = []
    for k in range(4):
        (ax, ay), (bx, by), (cx, cy) = (corners[(k + n) % 4] for n in range(3))
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    # A lens or a hand may put a corner somewhat beyond the photo, but not on another's place.
    if min(turns) < 1e-3:
        raise UserError(
            "the corners must go round the canvas: top left, top right, bottom right, bottom left"
        )
    return corners


def _point(said: Any) -> tuple[float, float]:
    if (
        not isinstance(said, list | tuple)
        or len(said) != 2
        or not all(_is_number(share) and -0.25 <= share <= 1.25 for share in said)
    ):
        raise UserError("a point must lie in the picture")
    return round(float(said[0]), 5), round(float(said[1]), 5)


def _integers(said: Any, name: str, most: int) -> list[int]:
    if (
        not isinstance(said, list | tuple)
        or len(said) > most
        or not all(type(number) is int and 0 < number < 256 for number in said)
    ):
        raise UserError(f"{name}: name regions of the picture by their numbers")
    return list(said)


def _text(said: Mapping[str, Any], name: str, most: int) -> str:
    text = said.get(name) or ""
    if not isinstance(text, str) or len(text) > most:
        raise UserError(f"{name}: at most {most} letters")
    return one_line(text)


def _number(
    said: Mapping[str, Any], name: str, span: tuple[float, float], default: float | None
) -> float | None:
    number = said.get(name)
    if number is None:
        return default
    if not _is_number(number) or not span[0] <= number <= span[1]:
        raise UserError(f"{name}: a number from {span[0]} to {span[1]}")
    return number


def _integer(
    said: Mapping[str, Any], name: str, span: tuple[int, int], default: int | None
) -> int | None:
    number = _number(said, name, span, default)
    if number is not None and number != int(number):
        raise UserError(f"{name}: a whole number from {span[0]} to {span[1]}")
    return None if number is None else int(number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
