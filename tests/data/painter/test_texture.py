"""Textures of tools and grounds."""

import numpy as np

from painting_jax.data.painter.texture import bristles, grain, weave


def roughness(texture, axis):
    return np.abs(np.diff(texture, axis=axis)).mean()


def test_bristle_marks_run_along_the_stroke():
    marks = bristles(60, 40)
    assert roughness(marks, 0) < 0.3 * roughness(marks, 1)
    assert roughness(marks, 0) > 0
    np.testing.assert_allclose([marks.mean(), marks.std()], [0, 1], atol=1e-4)


def test_grain_is_coarser_on_larger_pictures_and_the_same_for_all():
    small, large = grain(64, 64, 1), grain(1024, 1024, 1)
    assert roughness(large, 0) < 0.7 * roughness(small, 0)
    assert 0.4 < small.mean() < 0.6
    assert np.array_equal(grain(64, 64, 1), small)


def test_threads_of_canvas_cross_and_are_wider_on_larger_pictures():
    small, large = weave(64, 64, 1), weave(512, 512, 1)
    assert np.ptp(large) > 0.9
    assert roughness(small, 0) > 1.2 * roughness(large, 0)
    np.testing.assert_allclose(roughness(large, 0), roughness(large, 1), rtol=0.05)
