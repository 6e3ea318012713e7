"""The theory of Kubelka and Munk: its limits, and what it says of mixtures that were measured."""

import json
import pathlib

import numpy as np
import pytest

from painting_jax.instruction.mixing import colours, kubelka_munk, pigments, spectra

_MEASURED = pathlib.Path(__file__).parents[2] / "fixtures" / "watercolour_mixtures.json"


def test_measured_mixtures_of_24_unseen_pairs_are_predicted_within_delta_e_5():
    # No sample of these pairs of pigments was used when absorption and scattering were fitted.
    mixtures = json.loads(_MEASURED.read_text())["mixtures"]
    predicted = [
        pigments.mixture_lab(
            [pigments.known()[name] for name in mixture["pigments"]],
            np.array([mixture["amounts"]]),
        )[0]
        for mixture in mixtures
    ]
    measured = colours.lab_of_spectrum(np.array([mixture["reflectance"] for mixture in mixtures]))
    difference = colours.difference(np.array(predicted), measured)
    for mixture, value in zip(mixtures, difference, strict=True):
        print(f"{' + '.join(mixture['pigments']):45} {value:5.2f}")
    print(f"mean {difference.mean():.2f}, most {difference.max():.2f}")
    assert len({tuple(mixture["pigments"]) for mixture in mixtures}) == 24
    assert difference.mean() < 3
    assert difference.max() < 8


def test_mixing_colours_of_light_instead_would_be_far_from_what_was_measured():
    mixtures = json.loads(_MEASURED.read_text())["mixtures"]
    averaged = []
    for mixture in mixtures:
        each = [
            pigments.mixture_lab([pigments.known()[name]], np.array([[2.0 * amount]]))[0]
            for name, amount in zip(mixture["pigments"], mixture["amounts"], strict=True)
        ]
        averaged.append(np.mean(each, 0))
    measured = colours.lab_of_spectrum(np.array([mixture["reflectance"] for mixture in mixtures]))
    assert colours.difference(np.array(averaged), measured).mean() > 10


def test_a_thick_layer_hides_its_ground_and_a_thin_one_shows_it():
    absorption, scattering, ground = np.array([0.4]), np.array([0.6]), np.array([0.8])
    thick = kubelka_munk.layer(1e4 * absorption, 1e4 * scattering, ground)
    thin = kubelka_munk.layer(1e-6 * absorption, 1e-6 * scattering, ground)
    np.testing.assert_allclose(thick, kubelka_munk.hiding_layer(absorption, scattering), rtol=1e-6)
    np.testing.assert_allclose(thin, ground, rtol=1e-4)


def test_two_layers_of_a_paint_are_one_of_twice_the_amount():
    absorption, scattering, paper = np.array([0.2]), np.array([0.3]), np.array([0.85])
    once = kubelka_munk.layer(absorption, scattering, paper)
    twice = kubelka_munk.layer(absorption, scattering, once)
    both = kubelka_munk.layer(2 * absorption, 2 * scattering, paper)
    np.testing.assert_allclose(twice, both, rtol=1e-6)


def test_the_surface_and_the_absorption_are_inverted():
    inside = np.linspace(0.01, 0.99, 20)
    np.testing.assert_allclose(kubelka_munk.inside(kubelka_munk.outside(inside)), inside)
    absorption = kubelka_munk.absorption_of(inside, np.full(20, 0.3))
    np.testing.assert_allclose(kubelka_munk.hiding_layer(absorption, np.full(20, 0.3)), inside)


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_no_layer_reflects_more_than_all_light_or_less_than_none(ground):
    rng = np.random.default_rng(0)
    absorption, scattering = rng.lognormal(0, 4, (2, 2000, 1))
    seen = kubelka_munk.layer(absorption, scattering, np.array([ground]))
    assert np.isfinite(seen).all()
    assert seen.min() > -1e-6
    assert seen.max() < 1 + 1e-6


def test_the_paper_is_nearly_white():
    lightness, *_ = colours.lab_of_spectrum(spectra.paper())
    assert lightness > 92
