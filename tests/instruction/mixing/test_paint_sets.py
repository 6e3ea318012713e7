"""The built-in sets of paints."""

import pytest

from painting_jax.errors import UserError
from painting_jax.instruction.mixing import paint_sets, pigments
from painting_jax.media import MEDIA


def test_there_are_six_sets_two_of_them_for_beginners():
    assert len(paint_sets.SETS) == 6
    beginners = [name for name in paint_sets.SETS if name.endswith("_beginner")]
    assert len(beginners) == 2
    for name in beginners:
        assert len(paint_sets.SETS[name].paints) <= 8


def test_every_medium_in_colours_has_a_set_and_one_of_a_single_pigment_none():
    for name, medium in MEDIA.items():
        is_without = medium.mono or name == "digital"
        assert (paint_sets.of_medium(name) is None) == is_without, name


@pytest.mark.parametrize("paint_set", paint_sets.SETS.values(), ids=paint_sets.SETS)
def test_paints_of_a_set_have_names_of_their_own_and_one_kind_of_film(paint_set):
    assert len({paint.name for paint in paint_set.paints}) == len(paint_set.paints)
    for paint in paint_set.paints:
        known = pigments.known().get(paint.pigment)
        assert (known.film if known else "nearest") == paint_set.method


def test_only_paints_that_are_mixed_have_a_white():
    assert (
        paint_sets.SETS["oil_acrylic"].paints[paint_sets.SETS["oil_acrylic"].white].index == "PW6"
    )
    assert paint_sets.SETS["watercolor"].white is None
    assert paint_sets.SETS["colored_pencil"].white is None


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="'pastels': there are acrylic_beginner, "):
        paint_sets.named("pastels")
    assert paint_sets.named("marker") is paint_sets.SETS["marker"]
