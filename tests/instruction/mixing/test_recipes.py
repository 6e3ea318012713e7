"""Recipes: parts that can be measured, and colours that come out of them."""

import time

import numpy as np
import pytest

from painting_jax.instruction.mixing import (
    colours,
    mixtures,
    paint_sets,
    pigments,
    recipes,
    spectra,
)

_COLOURS = np.random.default_rng(1).integers(0, 256, (40, 3)).astype(np.uint8)
_EVERYDAY = np.array([list(bytes.fromhex(c)) for c in ("87b5e0", "4a6b3a", "e8c3a0", "204080")])
_SETS = pytest.mark.parametrize("paint_set", paint_sets.SETS.values(), ids=paint_sets.SETS)


def by_hand(recipe: recipes.Recipe, paint_set) -> np.ndarray:
    """CIE Lab of a recipe's mixture, from what it says alone."""
    if not recipe.portions:
        return colours.lab_of_spectrum(spectra.paper())
    if paint_set.method == "nearest":
        return recipe.portions[0].paint.lab()
    amounts: dict[str, float] = {}
    total = sum(portion.parts for portion in recipe.portions)
    for portion in recipe.portions:
        share, pigment = portion.parts / total, portion.paint.pigment
        if portion.is_tint:
            amounts["titanium_white"] = amounts.get("titanium_white", 0) + share * 7 / 8
            share /= 8
        amounts[pigment] = amounts.get(pigment, 0) + share
    thinned = np.prod([1 + water for water in recipe.water])
    values = np.array([list(amounts.values())]) * pigments.UNDILUTED / thinned
    return pigments.mixture_lab([pigments.known()[name] for name in amounts], values)[0]


@_SETS
def test_the_stated_colour_is_that_of_its_parts(paint_set):
    for wanted, recipe in zip(_COLOURS, recipes.recipes(_COLOURS, paint_set), strict=True):
        lab = by_hand(recipe, paint_set)
        np.testing.assert_array_equal(colours.srgb_of_lab(lab), recipe.colour)
        difference = colours.difference(lab, colours.lab_of_srgb(wanted))
        assert recipe.difference == pytest.approx(difference, abs=1e-3)


@_SETS
def test_parts_can_be_measured(paint_set):
    for recipe in recipes.recipes(_COLOURS, paint_set):
        parts = [portion.parts for portion in recipe.portions]
        assert sum(parts) <= 8
        assert all(part >= 1 for part in parts)
        assert all(1 <= water <= 8 for water in recipe.water)
        whites = [portion for portion in recipe.portions if portion.paint.index == "PW6"]
        assert len(parts) - len(whites) <= 3
        if paint_set.method == "nearest":
            assert parts == [1]


@_SETS
def test_a_mixture_of_the_set_is_found_again(paint_set):
    table = mixtures.of_set(paint_set)
    rows = np.random.default_rng(0).integers(0, len(table.lab_M3), 20)
    wanted = colours.srgb_of_lab(table.lab_M3[rows])
    shown = colours.lab_of_srgb(wanted)
    for recipe, row, lab in zip(recipes.recipes(wanted, paint_set), rows, shown, strict=True):
        # Those outside sRGB were moved to its edge.
        moved = colours.difference(lab, table.lab_M3[row])
        assert recipe.difference <= moved + 1.01


@_SETS
def test_no_mixture_is_visibly_nearer_than_the_one_that_is_taken(paint_set):
    table = mixtures.of_set(paint_set)
    wanted = _COLOURS[:8]
    for rgb, recipe in zip(wanted, recipes.recipes(wanted, paint_set), strict=True):
        nearest = colours.difference(table.lab_M3, colours.lab_of_srgb(rgb)).min()
        assert nearest - 1e-3 <= recipe.difference <= nearest + 1.5


def test_everyday_colours_are_met_with_the_beginners_acrylics():
    found = recipes.recipes(_EVERYDAY, paint_sets.SETS["acrylic_beginner"])
    assert [recipe.reach for recipe in found] == ["same"] * len(found)


def test_a_colour_out_of_reach_is_said_to_be():
    [blue] = recipes.recipes(np.array([[32, 64, 128]], np.uint8), paint_sets.SETS["oil_beginner"])
    assert blue.reach == "out"
    assert blue.difference > 10


def test_of_mixtures_that_look_alike_the_simplest_is_taken():
    for paint_set in paint_sets.SETS.values():
        paint = paint_set.paints[-1]
        rgb = colours.srgb_of_lab(paint.lab())[None]
        [recipe] = recipes.recipes(rgb, paint_set)
        if colours.difference(colours.lab_of_srgb(rgb[0]), paint.lab()) < 0.5 and not recipe.water:
            assert len(recipe.portions) == 1


def test_white_paper_needs_no_watercolour():
    white = colours.srgb_of_lab(colours.lab_of_spectrum(spectra.paper()))[None]
    [recipe] = recipes.recipes(white, paint_sets.SETS["watercolor"])
    assert recipe.portions == ()
    assert recipe.difference < 1


def test_water_makes_a_wash_lighter():
    table = mixtures.of_set(paint_sets.SETS["watercolor"])
    for position in range(len(paint_sets.SETS["watercolor"].paints)):
        alone = (table.parts_MI[:, position] == 1) & (table.parts_MI.sum(1) == 1)
        order = np.argsort(table.water_M[alone])
        assert np.all(np.diff(table.lab_M3[alone][order, 0]) > -0.01)


def test_no_ratio_is_listed_twice():
    table = mixtures.of_set(paint_sets.SETS["acrylic_beginner"])
    assert len(np.unique(table.parts_MI, axis=0)) == len(table.parts_MI)
    assert np.gcd.reduce(table.parts_MI, axis=1).max() == 1


@_SETS
def test_a_palette_of_recipes_takes_a_moment(paint_set):
    mixtures.of_set.cache_clear()
    start = time.process_time()
    recipes.recipes(_COLOURS[:12], paint_set)
    # It is below 1 s where nothing else runs.
    assert time.process_time() - start < 5
