"""Strokes have the size of their picture."""

from painting_jax.data.painter.placing import enlarged


def test_strokes_of_a_small_picture_are_those_of_the_registry():
    assert enlarged(1.1, 64, 64) == enlarged(9, 64, 64) == 1


def test_broad_strokes_grow_with_the_picture_and_fine_ones_reach_detail():
    for side in (512, 1024):
        assert 9 * enlarged(9, side, side) > 0.06 * side
        assert 1.5 <= 1.1 * enlarged(1.1, side, side) <= 3


def test_finer_brushes_grow_less():
    grown = [enlarged(width, 512, 512) for width in (0.7, 1.1, 1.7, 3.4, 7, 9)]
    assert grown == sorted(grown)
