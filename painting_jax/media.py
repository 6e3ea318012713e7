"""The registry of media. A new medium needs one entry in `MEDIA`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from painting_jax.errors import UserError

RGB = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One pass of the painter over the picture. Lengths are in pixels of a 64 x 64 picture.

    Attributes:
      until: Progress at which the pass ends, 0..1. It starts where the previous pass ended.
      marks: Kind of mark: "contours" (lines along edges), "construction" (guide lines of a head),
        "perspective" (horizon and lines to the vanishing points), or "strokes".
      blend: Blend mode: "cover" (opaque paint), "glaze" (transparent paint, which only darkens), or
        "lift" (an eraser, which restores the ground).
      width, length: Size of a stroke.
      gap: Distance between neighbouring strokes, in widths of a stroke.
      angle: Angle of strokes that do not follow the picture, in degrees.
      follow: Degree to which strokes follow the forms in the picture: 0 = parallel strokes, 1 =
        strokes along the forms.
      flat: Degree to which colours are flattened: 0 = a stroke takes the colour under it, 1 = it
        takes the mean colour of its segment.
      planes: Degree to which colours are those of planes of light: 1 = a stroke takes the mean
        colour of its plane.
      strength: Share of the distance to the target that a glaze covers, or darkness of lines, 0..1.
      share: Share of the strokes that are painted: those where the canvas differs most from the
        target.
      accents: Whether `share` prefers the lightest and darkest places.
      only: "lighter" or "darker" if strokes are only put where they make the canvas so; "" for all.
      values: Degree to which colours are reduced to the values of an underpainting, between the
        medium's line, the ground and white: 1 = a grisaille.
      by_region: Whether segments are painted one after the other, back to front, instead of the
        whole picture at once.
      flowing: Whether colour or pressure varies along a stroke as the picture does.
      soft: Radius of the blur of the pass, for smudged or wet paint.
    """

    until: float
    marks: str = "strokes"
    blend: str = "cover"
    width: float = 3.0
    length: float = 8.0
    gap: float = 0.8
    angle: float = 30.0
    follow: float = 0.0
    flat: float = 0.0
    planes: float = 0.0
    strength: float = 1.0
    share: float = 1.0
    accents: bool = False
    only: str = ""
    values: float = 0.0
    by_region: bool = False
    flowing: bool = False
    soft: float = 0.0


PAINTING = (
    Stage(0.06, "contours", "glaze", width=1.1, length=7, strength=0.6),
    Stage(0.2, width=9, length=18, gap=0.7, flat=0.3, values=1, angle=-35),
    Stage(0.45, width=7, length=16, gap=0.7, flat=0.6, angle=25, by_region=True),
    Stage(0.66, width=3.4, length=9, gap=0.6, follow=1),
    Stage(0.88, width=1.7, length=5, gap=0.6, follow=1, share=0.7, by_region=True),
    Stage(1.0, width=1.1, length=3.5, gap=0.6, follow=1, share=0.5, flowing=True),
)


@dataclasses.dataclass(frozen=True)
class Medium:
    """A painting medium: its prompt, and how the painter works in it.

    Attributes:
      prompt: Prompt for a text-conditioned model.
      stages: Passes of the painter, in order. The last one ends at progress 1.
      grounds: Grounds that can be painted on, colours by name. The first is the default.
      mono: Whether the medium has a single pigment. The only other colour is that of the ground.
      saturation, contrast: Adjustment of the picture before it is painted; 1 = unchanged.
      line: Light that a drawn line lets through, RGB.
      scale, direction: Default manner, names in `painting_jax.data.painter.manner`.
      blunt: Shape of a stroke: 2 = pointed, larger values are squarer.
      tooth: Share of the ground's grain that a stroke leaves uncovered, 0..1.
      weave: Lightness differences by which the canvas shows through thin paint, 0..1.
      dry: Share of the bristles that have run out of paint at the end of a broad stroke, 0..1.
      pressure: Share of its pigment that a stroke loses towards its ends, 0..1.
      bristle: Lightness differences across a stroke, 0..1.
      impasto: Strength of light and shade on the relief of the paint, 0..1.
      rim: Amount of pigment that gathers at the edges of a wash, 0..1.
      reserve: Lightness of the picture from which on the paper is left bare, 0..1; 0 = nowhere.
      darkest: Least light that one layer of a glaze lets through, 0..1.
      jitter: Colour differences between strokes, 0..1.
      looks: Looks that the conditioning picture may be given, names in
        `painting_jax.diffusion.cross_media`.
    """

    prompt: str
    stages: tuple[Stage, ...] = PAINTING
    grounds: Mapping[str, RGB] = dataclasses.field(
        default_factory=lambda: {"white": (0.97, 0.97, 0.96)}
    )
    mono: bool = False
    saturation: float = 1.0
    contrast: float = 1.0
    line: RGB = (0.35, 0.3, 0.28)
    scale: str = "broad"
    direction: str = "from the top down"
    blunt: float = 6.0
    tooth: float = 0.0
    weave: float = 0.0
    dry: float = 0.0
    pressure: float = 0.0
    bristle: float = 0.0
    impasto: float = 0.0
    rim: float = 0.0
    reserve: float = 0.0
    darkest: float = 0.03
    jitter: float = 0.015
    looks: tuple[str, ...] = (
        "monochrome",
        "pencil_line",
        "posterised",
        "blurred",
        "colour_shifted",
    )


_WHITE: RGB = (0.97, 0.97, 0.96)
_CREAM: RGB = (0.95, 0.9, 0.79)
_GREY: RGB = (0.62, 0.62, 0.62)
_PAPERS = {"white": _WHITE, "cream": _CREAM}
_GRAPHITE: RGB = (0.45, 0.45, 0.45)


def _hatching(
    strength: float, width: float, start: float, planes: float = 0.0
) -> tuple[Stage, ...]:
    """Four passes of hatching from progress `start` to the end, each across the previous one.

    The first shows planes of light to the given degree.
    """
    span = 1 - start
    thin: dict[str, Any] = {"blend": "glaze", "length": 12.0, "gap": 1.5, "flowing": True}
    fine: dict[str, Any] = {"blend": "glaze", "follow": 1, "share": 0.8, "flowing": True}
    # Light layers first: what a pencil has darkened cannot be made lighter.
    return (
        Stage(
            start + 0.35 * span,
            width=1.6 * width,
            angle=-50,
            strength=0.6 * strength,
            planes=planes,
            by_region=True,
            **thin,
        ),
        Stage(
            start + 0.64 * span,
            width=1.4 * width,
            angle=-15,
            strength=0.8 * strength,
            share=0.8,
            **thin,
        ),
        Stage(start + 0.86 * span, width=width, length=5, gap=1.0, strength=strength, **fine),
        Stage(1.0, width=0.9 * width, length=3.5, gap=0.6, **fine),
    )


MEDIA: dict[str, Medium] = {
    "acrylic": Medium(
        "Acrylic painting process step by step.",
        grounds={"white": _WHITE, "warm": (0.8, 0.6, 0.42), "grey": _GREY},
        saturation=1.35,
        contrast=1.1,
        line=(0.35, 0.4, 0.6),
        blunt=10,
        weave=0.04,
        dry=0.25,
        jitter=0.01,
        stages=(
            Stage(0.08, "contours", "glaze", width=1.2, length=7, strength=0.8),
            Stage(0.35, width=8, length=14, gap=0.75, flat=0.9, angle=0, by_region=True),
            Stage(0.58, width=4, length=8, gap=0.65, follow=1, flat=0.1),
            Stage(0.85, width=1.9, length=5, gap=0.6, follow=1, share=0.7, by_region=True),
            Stage(1, width=1.1, length=3.5, gap=0.6, follow=1, share=0.5, flowing=True),
        ),
    ),
    "oil": Medium(
        "Oil painting process step by step.",
        grounds={"warm": (0.66, 0.47, 0.32), "white": _WHITE, "grey": (0.5, 0.5, 0.48)},
        line=(0.3, 0.2, 0.13),
        bristle=0.07,
        impasto=0.5,
        weave=0.045,
        dry=0.3,
        jitter=0.015,
    ),
    "watercolor": Medium(
        "Watercolor painting process step by step.",
        grounds=_PAPERS,
        saturation=1.15,
        line=_GRAPHITE,
        tooth=0.25,
        rim=0.5,
        reserve=0.95,
        stages=(
            Stage(0.1, "contours", "glaze", width=0.8, length=8, strength=0.35),
            # Light to dark: what stays white is never painted.
            Stage(
                0.4,
                blend="glaze",
                width=9,
                length=16,
                gap=0.45,
                flat=0.6,
                strength=0.4,
                soft=1.5,
                by_region=True,
            ),
            Stage(
                0.68, blend="glaze", width=4, length=9, gap=0.65, follow=1, strength=0.6, soft=0.5
            ),
            Stage(
                0.92,
                blend="glaze",
                width=2,
                length=5,
                gap=0.6,
                follow=1,
                share=0.7,
                flowing=True,
                by_region=True,
            ),
            Stage(
                1, blend="glaze", width=1.1, length=3.5, gap=0.6, share=0.6, follow=1, flowing=True
            ),
        ),
    ),
    "pencil": Medium(
        "Pencil drawing process step by step.",
        grounds=_PAPERS,
        mono=True,
        line=_GRAPHITE,
        scale="fine",
        blunt=3,
        tooth=0.3,
        pressure=0.3,
        darkest=0.4,
        stages=(
            Stage(0.2, "contours", "glaze", width=0.9, length=7, strength=0.6),
            *_hatching(0.75, 0.9, 0.2),
        ),
    ),
    "colored_pencil": Medium(
        "Colored pencil drawing process step by step.",
        grounds=_PAPERS,
        saturation=1.3,
        line=(0.55, 0.45, 0.5),
        scale="fine",
        blunt=3,
        tooth=0.4,
        pressure=0.3,
        darkest=0.15,
        stages=(
            Stage(0.15, "contours", "glaze", width=0.9, length=7, strength=0.6),
            *_hatching(0.8, 1.1, 0.15),
        ),
    ),
    "charcoal": Medium(
        "Charcoal drawing process step by step.",
        grounds={"white": _WHITE, "grey": (0.75, 0.75, 0.75), "toned": (0.78, 0.7, 0.6)},
        mono=True,
        contrast=1.25,
        line=(0.2, 0.2, 0.2),
        blunt=4,
        tooth=0.35,
        pressure=0.3,
        stages=(
            Stage(0.08, "contours", "glaze", width=1.6, length=10, strength=0.5),
            # Values first, with the side of the stick; lights are lifted out of them.
            Stage(
                0.35,
                blend="glaze",
                width=8,
                length=15,
                gap=0.6,
                flat=0.3,
                angle=-40,
                strength=0.8,
                soft=0.8,
                by_region=True,
            ),
            Stage(0.55, blend="glaze", width=3, length=8, gap=0.7, follow=1, share=0.7, soft=0.2),
            Stage(0.68, blend="lift", width=2.2, length=6, gap=0.7, follow=1, share=0.5),
            Stage(0.76, "contours", "glaze", width=1.1, length=5, strength=0.6, by_region=True),
            Stage(
                0.92, blend="glaze", width=1.2, length=4, gap=0.6, follow=1, share=0.7, flowing=True
            ),
            Stage(1, blend="lift", width=1.1, length=4, gap=0.6, follow=1, share=0.5, flowing=True),
        ),
    ),
    "ink": Medium(
        "Ink drawing process step by step.",
        grounds=_PAPERS,
        mono=True,
        contrast=1.15,
        line=(0.05, 0.05, 0.05),
        scale="fine",
        blunt=2.5,
        pressure=0.3,
        rim=0.3,
        stages=(
            Stage(
                0.3,
                "contours",
                "glaze",
                width=0.7,
                length=6,
                strength=0.8,
                share=0.4,
                by_region=True,
            ),
            Stage(
                0.42,
                blend="glaze",
                width=0.7,
                length=8,
                gap=2.4,
                angle=-45,
                strength=0.5,
                share=0.5,
                flowing=True,
            ),
            # Washes over the dry lines, from light to dark, and the deepest blacks last.
            Stage(
                0.62,
                blend="glaze",
                width=6,
                length=12,
                gap=0.5,
                strength=0.6,
                soft=0.8,
                by_region=True,
            ),
            Stage(
                0.8,
                blend="glaze",
                width=3,
                length=7,
                gap=0.6,
                follow=1,
                share=0.8,
                strength=0.8,
                soft=0.3,
            ),
            Stage(
                0.93,
                blend="glaze",
                width=1.5,
                length=5,
                gap=0.6,
                follow=1,
                share=0.7,
                flowing=True,
                by_region=True,
            ),
            Stage(
                1, blend="glaze", width=1, length=3.5, gap=0.6, follow=1, share=0.6, flowing=True
            ),
        ),
    ),
    "pastel": Medium(
        "Pastel painting process step by step.",
        grounds={"toned": (0.55, 0.48, 0.44), "grey": (0.5, 0.53, 0.56), "white": _WHITE},
        saturation=1.2,
        line=(0.4, 0.35, 0.33),
        blunt=5,
        tooth=0.7,
        dry=0.3,
        jitter=0.02,
        stages=(
            Stage(0.08, "contours", "glaze", width=1.4, length=8, strength=0.8),
            # Darks and middle tones on the toned paper, then colour over colour, highlights last.
            Stage(0.38, width=6, length=14, gap=0.75, flat=0.5, angle=-35, by_region=True),
            Stage(0.66, width=3, length=9, gap=0.65, follow=0.6, angle=-35, soft=0.3),
            Stage(
                0.9,
                width=1.7,
                length=6,
                gap=0.6,
                follow=1,
                share=0.7,
                by_region=True,
            ),
            Stage(
                0.96, width=1.1, length=4, gap=0.6, follow=1, share=0.5, flowing=True, only="darker"
            ),
            Stage(
                1, width=1.1, length=4, gap=0.6, follow=1, share=0.5, flowing=True, only="lighter"
            ),
        ),
    ),
    "digital": Medium(
        "Digital painting process step by step.",
        grounds={"white": (1, 1, 1), "grey": (0.5, 0.5, 0.5), "dark": (0.15, 0.16, 0.2)},
        saturation=1.15,
        line=(0.2, 0.35, 0.75),
        blunt=8,
        jitter=0,
        stages=(
            Stage(0.05, "contours", "glaze", width=0.8, length=7),
            # Flats, shadows, lights, and then the forms.
            Stage(0.22, width=10, length=16, gap=0.5, flat=1, angle=0, by_region=True),
            Stage(0.5, width=4.5, length=9, gap=0.55, follow=1, only="darker"),
            Stage(0.75, width=4, length=8, gap=0.55, follow=1, only="lighter"),
            Stage(
                0.95,
                width=2,
                length=5,
                gap=0.6,
                follow=1,
                share=0.7,
                flowing=True,
                by_region=True,
            ),
            Stage(1, width=1.1, length=3, gap=0.6, follow=1, share=0.5, flowing=True),
        ),
    ),
    "loomis_portrait": Medium(
        "Loomis method portrait drawing process step by step.",
        grounds=_PAPERS,
        mono=True,
        line=_GRAPHITE,
        scale="fine",
        blunt=3,
        tooth=0.3,
        pressure=0.3,
        darkest=0.4,
        stages=(
            Stage(0.25, "construction", "glaze", width=1, length=3, strength=1),
            Stage(0.45, "contours", "glaze", width=0.9, length=6, strength=0.7),
            *_hatching(0.75, 0.9, 0.45, planes=1)[:-1],
            Stage(0.97, blend="lift", width=1.5, length=4, follow=1, share=0.5),
            Stage(1, blend="glaze", width=0.8, length=3, gap=1.2, follow=1, share=0.4),
        ),
    ),
}


def entries(names: Sequence[str]) -> list[Medium]:
    """The media that a model knows, in the order of its rows.

    Args:
      names: The model's media, `config.model.media`.

    Raises:
      UserError: If a medium is not in the registry.
    """
    for name in names:
        if name not in MEDIA:
            raise UserError(f"unknown medium {name!r} in a model: known are {', '.join(MEDIA)}")
    return [MEDIA[name] for name in names]


def row_weights(mixture: Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    """The weights of a model's media, float32[M].

    Args:
      mixture: Weights by medium.
      names: The model's media in the order of its rows, `config.model.media`.

    Raises:
      UserError: If the model does not know a medium of the mixture.
    """
    weights_M = np.zeros(len(names), np.float32)
    for name, weight in mixture.items():
        if name not in names:
            raise UserError(f"the model does not know {name!r}: it knows {', '.join(names)}")
        weights_M[list(names).index(name)] = weight
    return weights_M


def prompt(mixture: Mapping[str, float], caption: str = "") -> str:
    """The prompt for a model that is conditioned on text alone.

    Args:
      mixture: Weights by medium. A prompt cannot express weights: it names the media in order of
        decreasing weight.
      caption: Description of the subject and how it is painted; may be empty.
    """
    ranked = sorted(mixture, key=lambda name: -mixture[name])
    return " ".join(filter(None, [*(MEDIA[name].prompt for name in ranked), caption]))


def in_words(name: str) -> str:
    """Name of a medium for titles, such as "oil painting"."""
    return MEDIA[name].prompt.removesuffix(" process step by step.").lower()


# Several, since one wording depends on accidents of a network's training captions.
_DESCRIPTIONS = ("{}.", "artwork, {}.", "{}, finished and scanned.")


def descriptions(name: str) -> list[str]:
    """Texts that name a medium to a network of pictures and texts, such as "oil painting."."""
    return [text.format(in_words(name)) for text in _DESCRIPTIONS]


def chief(weights: Mapping[str, float]) -> str:
    """The medium that weighs most in a mixture; "" if there is none."""
    return max(weights, key=weights.__getitem__, default="")


def mixture(text: str) -> dict[str, float]:
    """Parses "oil" or "oil:0.7,pencil:0.3" into weights by medium that sum to 1.

    Raises:
      UserError: If a medium is unknown or named twice, a weight is not a positive number, or the
        weights do not sum to 1 (within 1e-3).
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
            raise UserError(f"the weight {weight!r} of {name} is not a number") from None
        if not 0 < weights[name] < float("inf"):
            raise UserError(f"the weight of {name} must be a positive number, not {weight}")
    total = sum(weights.values())
    if abs(total - 1) > 1e-3:
        raise UserError(f"the weights of {text!r} sum to {total:g}: they must sum to 1")
    return {name: weight / total for name, weight in weights.items()}
