"""Texture: that of finished areas stays, and real paint is told from blurred."""

import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

from painting_jax.errors import UserError
from painting_jax.metrics import texture
from painting_jax.models.vgg import VGG16
from painting_jax.weights import hed_vgg


@pytest.fixture(scope="module")
def trunk() -> VGG16:
    try:
        return hed_vgg.load().trunk
    except UserError:
        return VGG16(widths=(16, 16, 32, 32, 32), rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def frames_BTHWC(painted_BTHWC) -> np.ndarray:
    return painted_BTHWC[:4, [0, 4, 8, 12, 14, 15, 16]]


def _all(frames_BTHWC) -> np.ndarray:
    return np.ones(frames_BTHWC.shape[:2], bool)


def test_gram_equals_a_plain_mean_of_outer_products():
    rng = np.random.default_rng(0)
    for shape in ((2, 5, 4, 3), (1, 3, 3, 7)):
        features, weight = rng.normal(size=shape), rng.integers(0, 2, shape[:3])
        weight[:, 0, 0] = 1
        found = texture.gram(features.astype(np.float32), weight)
        for n, (f, w) in enumerate(zip(features, weight > 0, strict=True)):
            expected = np.mean([np.outer(x, x) for x in f[w]], axis=0)
            np.testing.assert_allclose(found[n], expected, rtol=1e-5, atol=1e-6)
    assert not np.any(texture.gram(np.ones((1, 2, 2, 3)), np.zeros((1, 2, 2))))


def test_an_area_is_finished_once_it_keeps_its_final_colour():
    frames = np.full((1, 5, 32, 40, 3), 245, np.uint8)
    frames[0, 2:, :, :16] = 50
    frames[0, 1, :, 24:] = 50  # and undone again
    frames[0, 4:, :, 24:] = 90
    expected = np.zeros((5, 4, 5), bool)
    # A column's neighbours have to be finished, too.
    expected[:4, :, 2] = False
    expected[2:4, :, :2] = True
    expected[4] = True
    found = texture.finished(frames, np.ones((1, 5), bool))
    np.testing.assert_array_equal(found[0], expected)


def test_paint_that_stays_has_no_drift(trunk, frames_BTHWC):
    halves = frames_BTHWC.copy()
    halves[:, 1:, :, :32] = frames_BTHWC[:, -1:, :, :32]
    found = texture.drift(trunk, halves, _all(halves))
    assert np.all(found.area_BS[:, 1:] > 0.2)
    still = np.repeat(frames_BTHWC[:, -1:], 3, axis=1)
    assert not np.any(texture.drift(trunk, still, _all(still)).mean_B)
    np.testing.assert_array_equal(texture.drift(trunk, still, _all(still)).area_BS, 1)


def test_grain_that_comes_and_goes_drifts(trunk, frames_BTHWC):
    before = texture.drift(trunk, frames_BTHWC, _all(frames_BTHWC))
    noise = np.random.default_rng(0).normal(0, 10, frames_BTHWC.shape)
    noise[:, ::2] = 0
    grainy = np.clip(frames_BTHWC + noise, 0, 255).astype(np.uint8)
    after = texture.drift(trunk, grainy, _all(grainy))
    assert np.all(after.mean_B > 1.5 * before.mean_B)


def test_padding_changes_no_drift(trunk, frames_BTHWC):
    expected = texture.drift(trunk, frames_BTHWC, _all(frames_BTHWC))
    padded = np.pad(frames_BTHWC, [(0, 0), (0, 2), (0, 0), (0, 0), (0, 0)])
    found = texture.drift(trunk, padded, np.pad(_all(frames_BTHWC), [(0, 0), (0, 2)]))
    np.testing.assert_allclose(found.mean_B, expected.mean_B, rtol=1e-5)
    assert not np.any(found.area_BS[:, 6:])


def test_distance_to_a_set_equals_a_plain_computation_whatever_the_batches():
    rng = np.random.default_rng(0)
    recorded, others = rng.normal(size=(23, 6)), rng.normal(1, 2, (4, 6))
    textures = texture.empty(6)
    for start in range(0, 23, 5):
        rows = np.full((5, 6), np.nan)
        part = recorded[start : start + 5]
        rows[: len(part)] = part
        textures = texture.add(textures, rows.astype(np.float32), np.arange(5) < len(part))
    spread = ((recorded - recorded.mean(0)) ** 2).sum(1).mean()
    expected = np.sqrt(((others - recorded.mean(0)) ** 2).sum(1) / spread)
    np.testing.assert_allclose(
        texture.to_set(textures, others.astype(np.float32)), expected, rtol=1e-5
    )


def test_blurred_paint_is_further_from_recorded_paint(trunk, painted_BTHWC):
    frames = painted_BTHWC[::2, 8:16:2].reshape(-1, 64, 64, 3)
    recorded, held_out = frames[::2], frames[1::2]
    of_recorded = texture.statistics(trunk, recorded)
    textures = texture.add(
        texture.empty(of_recorded.shape[1]), of_recorded, np.ones(len(recorded), bool)
    )
    blurred = ndimage.gaussian_filter(held_out, (0, 2, 2, 0))
    sharp_N = texture.to_set(textures, texture.statistics(trunk, held_out))
    blurred_N = texture.to_set(textures, texture.statistics(trunk, blurred))
    assert sharp_N.mean() < 1.3
    assert blurred_N.mean() > 1.5 * sharp_N.mean()
