"""Colours of spectra, CIE Lab, sRGB: equal to what others publish and compute."""

import numpy as np
import pytest
from skimage import color

from painting_jax.instruction.mixing import colours, pigments, spectra

# Sharma, Wu, Dalal, The CIEDE2000 color-difference formula, 2005, table 1.
_SHARMA = (
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.02), (50, 0, -82.7485), 3.4412),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
)
# CIE Lab that spectral.js 3.0.0 (MIT; another observer's table, at 380 to 750 nm) has for the
# spectra of these mixtures.
_SPECTRAL_JS = (
    (("bone_black",), (1,), (11.42, 0.04, -1.38)),
    (("hansa_yellow",), (1,), (85.49, 1.93, 106.38)),
    (("cadmium_red",), (1,), (49.59, 66.3, 59.62)),
    (("hansa_yellow", "ultramarine"), (4, 1), (46.71, -32.88, 42.25)),
    (("bismuth_yellow", "phthalo_blue"), (7, 1), (47.41, -54.99, 24.12)),
    (("cadmium_red", "titanium_white"), (1, 3), (71.41, 38.45, 18.95)),
    (("phthalo_blue", "titanium_white"), (1, 7), (64.78, -16.23, -39.3)),
    (("dioxazine_purple", "titanium_white"), (1, 5), (49.8, 26.11, -40.34)),
    (("cobalt_blue", "cadmium_orange"), (3, 2), (28.47, 5.82, 15.77)),
    (("titanium_white",), (1,), (98.21, -0.66, 0.32)),
    (("red_oxide", "ultramarine"), (1, 1), (28.71, 15.35, 8.7)),
)


@pytest.mark.parametrize(("lab", "other", "published"), _SHARMA)
def test_differences_are_those_that_sharma_published(lab, other, published):
    found = colours.difference(np.array(lab, float), np.array(other, float))
    assert found == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(("names", "parts", "lab"), _SPECTRAL_JS)
def test_spectra_have_the_colours_that_another_library_gives_them(names, parts, lab):
    mixed = [pigments.known()[name] for name in names]
    found = pigments.mixture_lab(mixed, np.array([parts], float))[0]
    assert colours.difference(found, np.array(lab)) < 0.5


def test_what_reflects_everything_is_white_and_what_reflects_nothing_black():
    count = len(spectra.wavelengths())
    np.testing.assert_allclose(colours.lab_of_spectrum(np.ones(count)), [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(colours.lab_of_spectrum(np.zeros(count)), [0, 0, 0], atol=1e-6)


def test_srgb_comes_back_from_lab():
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    np.testing.assert_array_equal(colours.srgb_of_lab(colours.lab_of_srgb(rgb)), rgb)


def test_lab_is_that_of_skimage():
    rgb = np.random.default_rng(1).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    rgb[0] = np.arange(30)[:, None]
    np.testing.assert_allclose(colours.lab_of_srgb(rgb), color.rgb2lab(rgb), atol=0.05)
    np.testing.assert_allclose(
        colours.lab_of_srgb(rgb[3, 4]), colours.lab_of_srgb(rgb)[3, 4], atol=1e-3
    )


def test_hues_of_the_primaries_are_those_of_css():
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    np.testing.assert_allclose(colours.hue_angle(rgb), [29.23, 142.5, 264.05], atol=0.1)
