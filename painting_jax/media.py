"""The one registry of media. Adding a medium is adding one entry."""

import dataclasses

from painting_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Medium:
    """A painting medium.

    Attributes:
      prompt: what a text-conditioned model is asked for.
    """

    prompt: str


MEDIA: dict[str, Medium] = {
    "acrylic": Medium("Acrylic painting process step by step."),
    "oil": Medium("Oil painting process step by step."),
    "watercolor": Medium("Watercolor painting process step by step."),
    "pencil": Medium("Pencil drawing process step by step."),
    "colored_pencil": Medium("Colored pencil drawing process step by step."),
    "charcoal": Medium("Charcoal drawing process step by step."),
    "ink": Medium("Ink drawing process step by step."),
    "pastel": Medium("Pastel painting process step by step."),
    "digital": Medium("Digital painting process step by step."),
    "loomis_portrait": Medium("Loomis method portrait drawing process step by step."),
}


def mixture(text: str) -> dict[str, float]:
    """Parses "oil" or "oil:0.7,pencil:0.3" into weights by medium that sum to 1.

    Raises:
      UserError: for an unknown medium, one named twice, a weight that is not a positive number,
        or weights that do not sum to 1 (within 1e-3).
    """
    weights: dict[str, float] = {}
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        name, colon, weight = part.partition(":")
        name = name.strip()
        if name not in MEDIA:
            raise UserError(f"unknown medium {name!r}: known are {', '.join(MEDIA)}")
        if name in weights:
            raise UserError(f"medium {name!r} is named twice in {text!r}")
        if not colon and len(parts) > 1:
            raise UserError(f"a mixture needs a weight for each medium, as in {name}:0.5")
        try:
            weights[name] = float(weight) if colon else 1.0
        except ValueError:
            raise UserError(f"the weight {weight!r} of {name} is no number") from None
        if not 0 < weights[name] < float("inf"):
            raise UserError(f"the weight of {name} must be a positive number, not {weight}")
    total = sum(weights.values())
    if abs(total - 1) > 1e-3:
        raise UserError(f"the weights of {text!r} sum to {total:g}: they must sum to 1")
    return {name: weight / total for name, weight in weights.items()}
