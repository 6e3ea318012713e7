"""The built-in sets of paints, by medium."""

from painting_jax.errors import UserError
from painting_jax.instruction.mixing import pigments
from painting_jax.instruction.mixing.paints import NEAREST, Paint, PaintSet


def _of_pigments(name: str, method: str, *keys: str) -> PaintSet:
    known = pigments.known()
    return PaintSet(name, method, tuple(Paint(known[key].name, key) for key in keys))


def _of_colours(name: str, **hexes: str) -> PaintSet:
    paints = [
        Paint(words.replace("_", " ").capitalize(), colour=srgb(code))
        for words, code in hexes.items()
    ]
    return PaintSet(name, NEAREST, tuple(paints))


def srgb(code: str) -> tuple[int, int, int]:
    """The colour of six hexadecimal digits, "RRGGBB"."""
    red, green, blue = bytes.fromhex(code)
    return red, green, blue


# Pencils and markers are of no brand: their colours are typical ones, which a list of one's own
# replaces. A pencil's colours are paler than a marker's: paper shows through.
_ALL = (
    _of_pigments(
        "acrylic_beginner",
        pigments.PAINT,
        *("titanium_white", "hansa_yellow", "pyrrole_red", "quinacridone_magenta"),
        *("ultramarine", "phthalo_blue", "bone_black"),
    ),
    # The palette of Anders Zorn.
    _of_pigments(
        "oil_beginner",
        pigments.PAINT,
        *("titanium_white", "yellow_oxide", "cadmium_red", "bone_black"),
    ),
    _of_pigments(
        "oil_acrylic",
        pigments.PAINT,
        *("titanium_white", "bismuth_yellow", "diarylide_yellow", "yellow_oxide"),
        *("cadmium_orange", "cadmium_red", "red_oxide", "quinacridone_magenta"),
        *("dioxazine_purple", "ultramarine", "cobalt_blue", "cerulean_blue", "phthalo_blue"),
        *("phthalo_green", "bone_black"),
    ),
    _of_pigments(
        "watercolor",
        pigments.WASH,
        *("wash_lemon_yellow", "wash_cadmium_yellow", "wash_raw_sienna", "wash_burnt_sienna"),
        *("wash_cadmium_red", "wash_alizarin", "wash_ultramarine", "wash_cobalt"),
        *("wash_cerulean", "wash_prussian", "wash_sap_green", "wash_ivory_black"),
    ),
    _of_colours(
        "colored_pencil",
        white="fbfaf6",
        cream="f4e6b8",
        lemon_yellow="f6e64a",
        golden_yellow="f5c033",
        orange="ee8a33",
        vermilion="dd4f38",
        carmine="bf2f46",
        pink="ec9fb4",
        magenta="b8437f",
        violet="6f4b94",
        lavender="a596c9",
        indigo="37406e",
        ultramarine="3a56a5",
        sky_blue="74b3dd",
        turquoise="38a3a5",
        emerald="2f8f63",
        grass_green="6aa53f",
        olive_green="7c7b3d",
        dark_green="2f5a41",
        ochre="c2954a",
        sienna="a35d3a",
        dark_brown="5d4234",
        grey="94959a",
        black="33323a",
    ),
    _of_colours(
        "marker",
        pale_skin="f8dfcb",
        warm_skin="e0b18c",
        lemon_yellow="fff04a",
        yellow="ffd21f",
        orange="ff8a1e",
        red="e2322f",
        dark_red="9e1f33",
        pink="f78fb3",
        magenta="cf2a86",
        purple="6c3a9c",
        pale_violet="bda9dd",
        navy="1f2f66",
        blue="1f57b8",
        sky_blue="5bb8ec",
        pale_blue="c4e4f3",
        turquoise="11a7a8",
        green="1f9650",
        yellow_green="9ccb3b",
        dark_green="175b3a",
        ochre="c8913a",
        brown="7d4a2c",
        dark_brown="46302a",
        pale_grey="cfd2d6",
        grey="8d9196",
        dark_grey="4a4d53",
        black="16161a",
    ),
)
SETS: dict[str, PaintSet] = {paint_set.name: paint_set for paint_set in _ALL}

# The set that a tutorial takes if its user names none. Media that are missing use one colour or,
# on a screen, any.
_OF_MEDIUM = {
    "acrylic": "acrylic_beginner",
    "oil": "oil_acrylic",
    "watercolor": "watercolor",
    "colored_pencil": "colored_pencil",
    "pastel": "colored_pencil",
}


def named(name: str) -> PaintSet:
    """A built-in set.

    Raises:
      UserError: If there is none of this name.
    """
    if name not in SETS:
        raise UserError(f"unknown set of paints {name!r}: there are {', '.join(SETS)}")
    return SETS[name]


def of_medium(medium: str) -> PaintSet | None:
    """The usual set of a medium in `painting_jax.media`; None if it needs no palette."""
    return SETS[_OF_MEDIUM[medium]] if medium in _OF_MEDIUM else None
