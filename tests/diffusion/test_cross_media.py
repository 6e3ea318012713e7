"""The looks a reference may be given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from painting_jax.diffusion import cross_media
from painting_jax.models.layers import gaussian_blur


@pytest.fixture(scope="module")
def photo_BHWC() -> jnp.ndarray:
    crops = data.astronaut()[None, :256:4, 128:384:4], data.coffee()[None, :256:4, :256:4]
    return jnp.asarray(np.concatenate(crops) / 127.5 - 1, jnp.float32)


@pytest.mark.parametrize("sigma", [0.6, 1.5, 3.0])
def test_the_blur_equals_scipys(photo_BHWC, sigma):
    expected = ndimage.gaussian_filter(
        np.asarray(photo_BHWC, np.float64),
        (0, sigma, sigma, 0),
        mode="nearest",
        radius=[0, max(1, round(3 * sigma)), max(1, round(3 * sigma)), 0],
    )
    blurred = jax.jit(gaussian_blur, static_argnums=1)(photo_BHWC, sigma)
    np.testing.assert_allclose(blurred, expected, atol=1e-5)


@pytest.mark.parametrize("look", cross_media.LOOKS)
def test_every_look_is_another_picture_in_range(photo_BHWC, look):
    changed = jax.jit(cross_media.LOOKS[look])(jax.random.key(0), photo_BHWC)
    assert changed.shape == photo_BHWC.shape
    assert float(jnp.abs(changed).max()) <= 1
    assert float(jnp.abs(changed - photo_BHWC).mean()) > 0.02


def test_monochrome_and_lines_have_no_colour(photo_BHWC):
    for look in (cross_media.monochrome, cross_media.pencil_line):
        changed = np.asarray(jax.jit(look)(jax.random.key(0), photo_BHWC))
        np.testing.assert_array_equal(changed[..., 0], changed[..., 1])
        np.testing.assert_array_equal(changed[..., 0], changed[..., 2])


def test_lines_are_dark_on_mostly_white(photo_BHWC):
    lines = np.asarray(jax.jit(cross_media.pencil_line)(jax.random.key(0), photo_BHWC))
    assert np.median(lines) > 0.9
    assert lines.min() < 0


def test_a_flat_picture_has_no_lines():
    flat = jnp.full((1, 32, 32, 3), -0.2)
    np.testing.assert_allclose(jax.jit(cross_media.pencil_line)(jax.random.key(0), flat), 1)


def test_a_colour_shift_keeps_the_luminance():
    muted = 0.2 * jax.random.uniform(jax.random.key(1), (4, 8, 8, 3), minval=-1, maxval=1)
    shifted = jax.jit(cross_media.colour_shifted)(jax.random.key(0), muted)
    np.testing.assert_allclose(
        cross_media.luminance(shifted), cross_media.luminance(muted), atol=1e-5
    )


def test_posterising_leaves_few_levels(photo_BHWC):
    changed = np.asarray(jax.jit(cross_media.posterised)(jax.random.key(0), photo_BHWC))
    assert all(len(np.unique(picture.round(4))) <= 7 for picture in changed)


def test_a_picture_gets_one_of_its_own_looks_with_the_probability(photo_BHWC):
    many = jnp.repeat(photo_BHWC[:1], 200, 0)
    names = list(cross_media.LOOKS)
    only_lines = jnp.tile(jnp.array([float(name == "pencil_line") for name in names]), (200, 1))
    augment = jax.jit(cross_media.augment)
    result, told_B = (np.asarray(x) for x in augment(jax.random.key(0), many, only_lines, 0.5))
    unchanged = np.all(result == np.asarray(many), axis=(1, 2, 3))
    assert 0.35 < unchanged.mean() < 0.65
    np.testing.assert_array_equal(told_B, ~unchanged)
    changed = result[~unchanged]
    np.testing.assert_array_equal(changed[..., 0], changed[..., 1])
    never, told_B = augment(jax.random.key(0), many, only_lines, 0.0)
    assert not told_B.any()
    np.testing.assert_array_equal(never, many)
