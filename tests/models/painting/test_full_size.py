"""Painting at the full size of a picture, from tokens that see a small one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from painting_jax.models.painting import modeling
from painting_jax.models.painting.full_size import HeadDecoder
from painting_jax.models.painting.pixel_head import PixelHead, Window
from tests.models.painting.test_modeling import CONFIG, apply, inputs, trained
from tests.models.painting.test_pixel_head import head, picture, worked_out
from tests.models.painting.test_pixel_head import inputs as head_inputs

DECODER = HeadDecoder()


@nnx.jit(static_argnames=("in_strips",))
def whole(model: PixelHead, given: dict, in_strips: bool):
    return model(**given, in_strips=in_strips)


@nnx.jit
def part(model: PixelHead, given: dict, window: Window):
    return model(**given, window=window)


@nnx.jit
def at_full_size(model, noisy, sigma, conditions):
    return model.at_full_size(noisy, sigma, conditions)


def enlarged(times: int, patch=(1, 4, 4), text_dim: int = 0):
    """A head, and a picture so many times as large as its tokens' with their grid of 2 x 3."""
    model = head(3, patch, text_dim)
    given = head_inputs(
        2 * patch[1] * times, 3 * patch[2] * times, (1, *(times * p for p in patch[1:]))
    )
    return model, given


@pytest.mark.parametrize(("times", "text_dim"), [(1, 0), (3, 0), (2, 4)])
def test_a_larger_picture_is_painted_like_the_mixture_worked_out_pixel_by_pixel(times, text_dim):
    model, given = enlarged(times, text_dim=text_dim)
    patch = (1, 4 * times, 4 * times)
    expected = worked_out(model, given, patch, float(times))
    np.testing.assert_allclose(whole(model, given, in_strips=False), expected, atol=2e-5)


def test_strips_change_nothing():
    model, given = enlarged(3)
    np.testing.assert_allclose(
        whole(model, given, in_strips=True), whole(model, given, in_strips=False), atol=1e-5
    )


def test_a_window_is_that_part_of_the_whole():
    model, given = enlarged(2)
    window = Window(jnp.array([[0, 3], [2, 1]]), 2, 3)
    # Quarters of patches are 4 x 4 pixels.
    video = np.asarray(whole(model, given, in_strips=False))
    expected = [video[0, :, :8, 12:24], video[1, :, 8:16, 4:16]]
    np.testing.assert_allclose(part(model, given, window), np.stack(expected), atol=1e-5)


@pytest.mark.parametrize("size", [(16, 26), (18, 27), (16, 48), (2, 3)])
def test_a_picture_that_the_grid_does_not_divide_is_refused(size):
    model, given = head(3, (1, 4, 4)), head_inputs(8, 12, (1, 4, 4))
    given["picture"] = picture(np.zeros((2, *size, 3), np.float32), np.zeros((2, *size), np.uint8))
    with pytest.raises(ValueError, match="pixels for"):
        model(**given)


def test_a_full_size_of_the_latents_is_painted_as_without():
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    plain = apply(model, noisy, sigma, conditions)
    conditions = dataclasses.replace(conditions, full=conditions.picture)
    np.testing.assert_allclose(at_full_size(model, noisy, sigma, conditions), plain, atol=1e-5)


def at_twice_the_size(conditions):
    """The conditions of pictures whose latents are the given ones."""
    full = jax.tree.map(
        lambda x: x.repeat(2, 1).repeat(2, 2) if x.ndim > 1 else x, conditions.picture
    )
    return dataclasses.replace(conditions, full=full)


def test_a_training_example_is_asked_for_a_part_of_the_full_size(monkeypatch):
    model = trained(CONFIG)
    noisy, sigma, conditions = inputs()
    conditions = at_twice_the_size(conditions)
    in_strokes = np.asarray(at_full_size(model, noisy, sigma, conditions))
    # In training, soft paints are not laid in strokes, whose places nobody can foretell.
    monkeypatch.setattr(modeling, "brush_of", lambda medium_BM, media: None)
    without_strokes = nnx.jit(lambda model, *given: model.at_full_size(*given))
    large = np.asarray(without_strokes(model, noisy, sigma, conditions))
    assert 1e-3 < np.abs(large - in_strokes).mean() < 0.2
    asked = DECODER.with_window(jax.random.key(0), conditions, CONFIG.patch)
    both = np.asarray(apply(model, noisy, sigma, asked))
    np.testing.assert_allclose(both[:, :3], apply(model, noisy, sigma, conditions), atol=1e-5)
    # The target is cut out of the video where the window is: here the video is the prediction.
    target = DECODER.target(noisy, jnp.asarray(large), asked)
    np.testing.assert_array_equal(target[:, :3], noisy)
    np.testing.assert_allclose(both[:, 3:], target[:, 3:], atol=1e-5)


def test_windows_lie_anywhere_in_the_picture():
    _, _, conditions = inputs()
    conditions = at_twice_the_size(conditions)
    keys = jax.random.split(jax.random.key(1), 64)
    windows = jax.vmap(lambda key: DECODER.with_window(key, conditions, CONFIG.patch).window)(keys)
    # 4 x 6 quarters, of which a window has 2 x 3.
    corners = np.asarray(windows.corner_B2).reshape(-1, 2)
    assert set(corners[:, 0]) == {0, 1, 2}
    assert set(corners[:, 1]) == {0, 1, 2, 3}
