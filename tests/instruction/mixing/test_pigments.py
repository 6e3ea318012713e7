"""Pigments: they mix as painters know it, and say where their numbers are from."""

import numpy as np
import pytest

from painting_jax.instruction.mixing import colours, pigments, spectra

_PAINTS = [p.key for p in pigments.known().values() if p.film == pigments.PAINT]


def mixed(**parts: float) -> np.ndarray:
    known = [pigments.known()[name] for name in parts]
    return pigments.mixture_lab(known, np.array([list(parts.values())], float))[0]


def lch(lab: np.ndarray) -> tuple[float, float, float]:
    return lab[0], np.hypot(*lab[1:]), np.degrees(np.arctan2(lab[2], lab[1])) % 360


@pytest.mark.parametrize(
    ("yellow", "blue"),
    [
        ("hansa_yellow", "phthalo_blue"),
        ("hansa_yellow", "ultramarine"),
        ("bismuth_yellow", "cerulean_blue"),
        ("wash_lemon_yellow", "wash_cerulean"),
        ("wash_cadmium_yellow", "wash_cobalt"),
    ],
)
def test_blue_and_yellow_make_green(yellow, blue):
    _, chroma, hue = lch(mixed(**{yellow: 3, blue: 1}))
    assert 100 < hue < 190
    assert chroma > 15, "a grey is what light would make"


@pytest.mark.parametrize("name", [name for name in _PAINTS if name != "titanium_white"])
def test_white_lightens_every_paint(name):
    lightness = [mixed(**{name: 1, "titanium_white": white})[0] for white in (0, 1, 2, 4, 7)]
    assert np.all(np.diff(lightness) > 0)


def test_complements_make_a_dark_grey():
    lightness, chroma, _ = lch(mixed(phthalo_green=1, quinacridone_magenta=2))
    assert lightness < 25
    assert chroma < 15


def test_only_the_ratio_of_paints_counts_and_the_amount_of_washes():
    np.testing.assert_allclose(
        mixed(cadmium_red=1, cobalt_blue=2), mixed(cadmium_red=3, cobalt_blue=6)
    )
    assert mixed(wash_ultramarine=0.1)[0] > mixed(wash_ultramarine=4)[0] + 10


@pytest.mark.parametrize("pigment", pigments.known().values(), ids=pigments.known())
def test_a_pigment_is_measured_at_every_wavelength_and_has_a_source_with_a_licence(pigment):
    for values_W in (pigment.absorption_W, pigment.scattering_W):
        assert values_W.shape == spectra.wavelengths().shape
        assert np.all(np.isfinite(values_W) & (values_W > 0))
    source = spectra.data()["sources"][pigment.source]
    assert source["text"]
    assert source["licence"]


def test_a_measured_red_is_the_red_of_its_maker_within_what_tubes_differ():
    # Golden publishes CIE Lab 43.5, 54.9, 33.2 for Pyrrole red, with gloss and under D50.
    lightness, chroma, hue = lch(mixed(pyrrole_red=1))
    assert abs(lightness - 43.5) < 6
    assert abs(hue - 31.2) < 8
    assert chroma > 55


@pytest.mark.parametrize(
    "rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (217, 138, 149), (90, 120, 60)]
)
def test_the_smoothest_spectrum_of_a_colour_has_that_colour(rgb):
    spectrum_W = pigments.smoothest_spectrum(rgb)
    assert np.all((spectrum_W > 0) & (spectrum_W < 1))
    wanted = colours.lab_of_srgb(np.array(rgb, np.uint8))
    assert colours.difference(colours.lab_of_spectrum(spectrum_W), wanted) < 3


def test_an_estimated_pigment_has_its_colour_unmixed_and_lightens_with_white():
    pink = pigments.estimated((217, 138, 149), "Old pink")
    white = pigments.known()["titanium_white"]
    labs = pigments.mixture_lab([pink, white], np.array([[1.0, 0], [1, 3]]))
    assert colours.difference(labs[0], colours.lab_of_srgb(np.array([217, 138, 149], np.uint8))) < 2
    assert labs[1, 0] > labs[0, 0] + 5
