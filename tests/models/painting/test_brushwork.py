"""Soft paints in strokes: they keep the colours, follow the medium, and are the same every time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.media import MEDIA
from painting_jax.models.layers import gaussian_blur
from painting_jax.models.painting.brushwork import BRUSHES, Brush, brush_of, in_strokes

WIDTH = 6.0


@pytest.fixture(scope="module")
def soft_BHWC():
    blocks_BHWC = np.random.default_rng(0).uniform(-1, 1, (1, 6, 6, 3))
    picture_BHWC = jnp.asarray(blocks_BHWC.repeat(16, 1).repeat(16, 2), jnp.float32)
    return jax.jit(gaussian_blur, static_argnums=1)(picture_BHWC, WIDTH / 1.5)


OIL = BRUSHES["oil"]


def laid(paint_BHWC, brush=OIL, width=WIDTH):
    brushes = Brush(*(np.full(len(paint_BHWC), part, np.float32) for part in brush))
    [strokes_BHWC] = _of_widths(width)([paint_BHWC], brushes)
    return np.asarray(strokes_BHWC)


@functools.cache
def _of_widths(*widths):
    return jax.jit(lambda paints, brushes: in_strokes(paints, widths, brushes))


def steepest(paint_BHWC) -> float:
    return float(np.abs(np.diff(np.asarray(paint_BHWC), axis=2)).max())


def test_every_medium_has_a_brush():
    assert BRUSHES.keys() == MEDIA.keys()


def test_strokes_keep_the_colours_of_every_part(soft_BHWC):
    difference = laid(soft_BHWC) - np.asarray(soft_BHWC)
    parts = difference.reshape(1, 4, 24, 4, 24, 3).mean((2, 4))
    # Of a range of 2.
    assert np.abs(parts).max() < 0.25
    assert np.abs(parts).mean() < 0.06


def test_strokes_have_borders_where_the_paint_is_soft(soft_BHWC):
    assert steepest(laid(soft_BHWC)) > 3 * steepest(soft_BHWC)


def test_one_colour_stays_one_but_for_bristles():
    strokes_BHWC = laid(jnp.full((1, 64, 64, 3), 0.4))
    assert 0 < np.abs(strokes_BHWC - 0.4).max() <= 0.056


def test_without_strength_the_paint_stays_soft(soft_BHWC):
    np.testing.assert_array_equal(laid(soft_BHWC, Brush(0.0, 1.0, 4.5)), soft_BHWC)


def test_strokes_are_the_same_every_time_and_alike_in_batches(soft_BHWC):
    once, again = laid(soft_BHWC), laid(soft_BHWC)
    np.testing.assert_array_equal(once, again)
    both = laid(jnp.concatenate([soft_BHWC, soft_BHWC[:, ::-1]]))
    np.testing.assert_allclose(both[0], once[0], atol=1e-6)


def test_several_paints_are_each_laid_with_their_own_brush(soft_BHWC):
    brush = Brush(jnp.ones(1), jnp.ones(1), jnp.full(1, 4.5))
    together = _of_widths(WIDTH, 2 * WIDTH)([soft_BHWC, soft_BHWC], brush)
    for strokes_BHWC, width in zip(together, (WIDTH, 2 * WIDTH), strict=True):
        np.testing.assert_allclose(strokes_BHWC, laid(soft_BHWC, width=width), atol=1e-6)


def test_a_mixture_of_media_has_the_mean_brush():
    media = ("oil", "pencil", "engraving")
    weights_BM = jnp.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 2], [0, 0, 0]])
    table = np.array(brush_of(weights_BM, media)).T
    oil, pencil = np.array(BRUSHES["oil"]), np.array(BRUSHES["pencil"])
    np.testing.assert_allclose(table[:2], [oil, (oil + pencil) / 2], rtol=1e-6)
    # Media of the user's own, and none, have the brush of oil.
    np.testing.assert_allclose(table[2:], [oil, oil], rtol=1e-6)
