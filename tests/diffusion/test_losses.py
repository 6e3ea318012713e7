"""The structure loss: how much is drawn where."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from skimage.filters import gaussian
from skimage.measure import block_reduce

from painting_jax.diffusion.losses import structure_loss, velocity_loss
from painting_jax.models.edge_energy import edge_energies

loss = jax.jit(structure_loss)


def drawing(shape=(1, 2, 64, 64, 3)) -> np.ndarray:
    """A picture with edges everywhere, in [-1, 1]."""
    picture = skimage.data.camera()[100 : 100 + 2 * shape[2] : 2, 200 : 200 + 2 * shape[3] : 2]
    return np.broadcast_to(picture[None, None, ..., None] / 127.5 - 1, shape).astype(np.float32)


def by_cells(square: np.ndarray, pixels: int) -> np.ndarray:
    """Means over cells of so many pixels, the last of a row or column cut by the border."""
    cut = [np.array_split(np.arange(n), -(-n // pixels)) for n in square.shape]
    return np.array([[square[np.ix_(rows, cols)].mean() for cols in cut[1]] for rows in cut[0]])


@pytest.mark.parametrize("size", [(64, 64), (32, 48), (128, 96)])
def test_energies_are_root_mean_squares_of_slopes_in_cells(size):
    rng = np.random.default_rng(0)
    video = rng.uniform(-1, 1, (2, 3, *size, 3)).astype(np.float32)
    for scale, cell, ours in zip((1, 2, 4), (4, 2, 2), jax.jit(edge_energies)(video), strict=True):
        small = block_reduce(video[1, 2].astype(np.float64).mean(-1), scale, np.mean)
        expected = by_cells(np.diff(small, axis=1) ** 2, cell)
        expected = np.sqrt(expected + by_cells(np.diff(small, axis=0) ** 2, cell) + 1e-3)
        np.testing.assert_allclose(ours[1, 2], expected, rtol=2e-5)


def test_what_equals_the_target_has_none_and_a_slope_of_zero():
    video = drawing()
    value, slope = jax.value_and_grad(lambda x: loss(x, video).sum())(jnp.asarray(video))
    assert value == 0
    np.testing.assert_array_equal(slope, 0)


def test_a_blurred_drawing_is_farther_than_one_whose_strokes_moved():
    video = drawing()
    blurred = gaussian(video, (0, 0, 2, 2, 0)).astype(np.float32)
    moved = np.roll(video, 1, (2, 3))
    assert np.square(blurred - video).mean() < np.square(moved - video).mean()
    assert loss(blurred, video)[0] > 1.5 * loss(moved, video)[0]


@pytest.mark.parametrize("size", [(8, 8), (10, 30), (17, 9)])
def test_small_and_odd_pictures_have_energies_too(size):
    video = np.random.default_rng(0).uniform(-1, 1, (1, 1, *size, 3)).astype(np.float32)
    assert np.isfinite(loss(video, np.zeros_like(video))[0])
    assert loss(video, np.zeros_like(video))[0] > 0


@pytest.mark.parametrize("huber", [0.0, 0.3])
def test_a_place_without_weight_does_not_count(huber):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 3, 4, 6, 5)).astype(np.float32) for _ in range(3)]
    sigma_B = np.array([0.3, 0.8], np.float32)
    options = {"clean_prediction": False, "huber": huber}
    weights_BHW = np.zeros((2, 4, 6), np.float32)
    weights_BHW[:, 1:3] = 1
    weighted_B = velocity_loss(*arrays, sigma_B, weights_BHW=weights_BHW, **options)
    inside_B = velocity_loss(*(array[:, :, 1:3] for array in arrays), sigma_B, **options)
    np.testing.assert_allclose(weighted_B, inside_B, rtol=1e-5)
    everywhere_B = velocity_loss(
        *arrays, sigma_B, weights_BHW=np.full((2, 4, 6), 0.7, np.float32), **options
    )
    np.testing.assert_allclose(everywhere_B, velocity_loss(*arrays, sigma_B, **options), rtol=1e-5)
