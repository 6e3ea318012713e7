"""Plain names of colours, such as "dark blue-green", by rules on lightness, chroma and hue.

The hues and tones follow the method of ISCC-NBS (Kelly and Judd, Color: universal language and
dictionary of names, 1976), with fewer words and borders in CIE Lab.
"""

import dataclasses

import numpy as np

from painting_jax.instruction import colour_words
from painting_jax.instruction.mixing import colours

# Chroma below which a colour is black, grey or white, and below which it is a tinged grey.
_NEUTRAL, _TINGED = 4.0, 10.0
# Upper borders of hues, in degrees of OKLab.
_HUES = (
    (16, "pinkish_red"),
    (36, "red"),
    (52, "red_orange"),
    (74, "orange"),
    (91, "orange_yellow"),
    (112, "yellow"),
    (133, "yellow_green"),
    (166, "green"),
    (212, "blue_green"),
    (236, "greenish_blue"),
    (281, "blue"),
    (307, "violet"),
    (335, "purple"),
    (354, "magenta"),
    (360, "pinkish_red"),
)

# Everyday words: for which hues, above and below which lightness, below which chroma; and how much
# lighter than other hues the word's colours are.
_EVERYDAY = (
    (("red",), 0, 48, 32, "reddish_brown", -8),
    (("red", "pinkish_red", "magenta"), 62, 101, 200, "pink", 12),
    (("purple",), 65, 101, 200, "lilac", 12),
    (("yellow",), 0, 62, 200, "olive", 0),
    (("yellow",), 0, 101, 200, "yellow", 22),
    (("yellow_green",), 0, 52, 200, "olive_green", -4),
    (("yellow_green",), 0, 101, 200, "yellow_green", 8),
)


@dataclasses.dataclass(frozen=True)
class ColourName:
    """A name in parts, which a translator can put in any order.

    Attributes:
      hue: Key of the hue, or "black", "grey", "white".
      tone: Key of the tone, "" for the plain hue.
    """

    hue: str
    tone: str

    def text(self, language: str = "en") -> str:
        """The name in a language of `colour_words.WORDS`, in lower case as it stands there."""
        words = colour_words.WORDS[language]
        hue = words["hues"][self.hue]
        return words["tones"][self.tone].format(hue) if self.tone else hue


def name(rgb: tuple[int, int, int] | np.ndarray) -> ColourName:
    """Names a colour, sRGB 0..255."""
    rgb = np.asarray(rgb, np.uint8)
    lightness, a, b = colours.lab_of_srgb(rgb).tolist()
    chroma = float(np.hypot(a, b))
    if chroma < _NEUTRAL or lightness < 8:
        return _neutral(lightness)
    angle = float(colours.hue_angle(rgb))
    if chroma < _TINGED:
        return _tinged(lightness, angle)
    return _chromatic(lightness, chroma, next(hue for border, hue in _HUES if angle <= border))


def _neutral(lightness: float) -> ColourName:
    if lightness < 18:
        return ColourName("black", "")
    if lightness > 93:
        return ColourName("white", "")
    return ColourName("grey", _depth(lightness))


def _depth(lightness: float) -> str:
    return "dark" if lightness < 40 else "light" if lightness > 72 else ""


def _tinged(lightness: float, angle: float) -> ColourName:
    if lightness < 15:
        return ColourName("black", "")
    kind = "greenish" if 115 <= angle < 190 else "cool" if 190 <= angle < 320 else "warm"
    if lightness > 93:
        return ColourName("white", kind)
    depth = _depth(lightness)
    return ColourName("grey", f"{depth}_{kind}" if depth else kind)


def _chromatic(lightness: float, chroma: float, hue: str) -> ColourName:
    hue, usual = _everyday(hue, lightness, chroma)
    if lightness > 82 and chroma < 35:
        return ColourName(hue, "pale")
    # What is pink is light, and what is brown is dark: the word holds the lightness already.
    depth = "dark" if lightness < 37 + usual else "light" if lightness > 70 + usual else ""
    if chroma < 22 and hue != "beige":
        return ColourName(hue, f"{depth}_greyish" if depth else "greyish")
    if chroma > 68 and not depth:
        return ColourName(hue, "vivid")
    return ColourName(hue, depth)


def _everyday(hue: str, lightness: float, chroma: float) -> tuple[str, float]:
    """The everyday word of a hue at this lightness, and how much lighter than most it is."""
    if hue in ("red_orange", "orange", "orange_yellow"):
        return _warm(hue, lightness, chroma)
    for hues, above, below, most, word, usual in _EVERYDAY:
        if hue in hues and above < lightness < below and chroma < most:
            return word, usual
    return hue, 0


def _warm(hue: str, lightness: float, chroma: float) -> tuple[str, float]:
    if lightness < 68 and chroma < 40 + 1.2 * (62 - lightness):
        is_ochre = hue == "orange_yellow" and lightness > 55 and chroma > 35
        return ("ochre", 0) if is_ochre else ("brown", -6)
    if chroma < 40:
        return "beige", 10
    if hue == "orange_yellow" and chroma < 62:
        return "ochre", 4
    return hue, 6
