"""Texture: that of finished areas stays, and real paint is told from blurred."""

import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

from painting_jax.errors import UserError
from painting_jax.evaluation import hed_vgg
from painting_jax.metrics import texture
from painting_jax.models.vgg.modeling import VGG16


@pytest.fixture(scope="module")
def trunk() -> VGG16:
    try:
        return hed_vgg.load().trunk
    except UserError:
        return VGG16(widths=(16, 16, 32, 32, 32), rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def small_trunk() -> VGG16:
    return VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def halves_BTHWC(painted_BTHWC) -> np.ndarray:
    """Processes whose left half is finished from the second frame on."""
    frames_BTHWC = painted_BTHWC[[0, 2], ::4].copy()
    frames_BTHWC[:, 1:, :, :32] = frames_BTHWC[:, -1:, :, :32]
    return frames_BTHWC


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


def test_paint_that_stays_has_no_drift(small_trunk, halves_BTHWC):
    still = np.repeat(halves_BTHWC[:, -1:], 5, axis=1)
    found = texture.drift(small_trunk, still, _all(still))
    assert not np.any(found.mean_B)
    np.testing.assert_array_equal(found.area_BS, 1)


def test_nothing_finished_before_the_end_has_no_drift_to_measure(small_trunk, halves_BTHWC):
    share_T = np.linspace(0, 1, 6)[:, None, None, None]
    blank_HWC, last_HWC = np.full_like(halves_BTHWC[0, -1], 255), halves_BTHWC[0, -1] // 2
    fade_THWC = (blank_HWC * (1 - share_T) + last_HWC * share_T).astype(np.uint8)
    fade_BTHWC = np.stack([fade_THWC, np.repeat(last_HWC[None], 6, axis=0)])
    mean_B = texture.drift(small_trunk, fade_BTHWC, _all(fade_BTHWC)).mean_B
    np.testing.assert_array_equal(mean_B, [np.nan, 0])


def test_drift_is_the_relative_change_of_gram_matrices(small_trunk, halves_BTHWC):
    found = texture.drift(small_trunk, halves_BTHWC, _all(halves_BTHWC), blocks=(1,))
    done_BTIJ = np.asarray(texture.finished(halves_BTHWC, _all(halves_BTHWC)))
    for b, t in ((0, 1), (0, 2), (1, 2)):
        pair = halves_BTHWC[b, t : t + 2].astype(np.float32) / 255
        features = np.asarray(nnx.jit(lambda trunk, x: trunk(x)[1])(small_trunk, pair))
        area = np.kron(done_BTIJ[b, t], np.ones((4, 4), bool))
        old, new = (f[area].T @ f[area] / area.sum() for f in features)
        size = (np.linalg.norm(old) + np.linalg.norm(new)) / 2
        expected = np.linalg.norm(old - new) / size
        np.testing.assert_allclose(found.drift_BS[b, t], expected, rtol=1e-4)
        np.testing.assert_allclose(found.area_BS[b, t], done_BTIJ[b, t].mean(), rtol=1e-6)
    weighted = np.sum(found.drift_BS * found.area_BS, axis=1) / np.sum(found.area_BS, axis=1)
    np.testing.assert_allclose(found.mean_B, weighted, rtol=1e-5)


def test_grain_that_comes_and_goes_drifts(trunk, halves_BTHWC):
    noise = np.random.default_rng(0).normal(0, 10, halves_BTHWC.shape)
    noise[:, ::2] = 0
    grainy = np.clip(halves_BTHWC + noise, 0, 255).astype(np.uint8)
    both = np.concatenate([halves_BTHWC, grainy])
    found = texture.drift(trunk, both, _all(both), blocks=(0, 1, 2))
    assert np.all(found.mean_B[2:] > 1.25 * found.mean_B[:2])


def test_padding_changes_no_drift(small_trunk, halves_BTHWC):
    expected = texture.drift(small_trunk, halves_BTHWC[:, :3], np.ones((2, 3), bool))
    mask_BT = np.broadcast_to(np.arange(5) < 3, (2, 5))
    found = texture.drift(small_trunk, halves_BTHWC, mask_BT)
    np.testing.assert_allclose(found.mean_B, expected.mean_B, rtol=1e-5)
    assert not np.any(found.area_BS[:, 2:])


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


@pytest.mark.parametrize("taken", [1, 5, 22])
def test_a_set_without_some_of_its_members_equals_one_that_never_held_them(taken):
    rng = np.random.default_rng(1)
    rows_NS = rng.normal(3, 1, (23, 6)).astype(np.float32)
    everyone = np.ones(23, bool)
    whole = texture.add(texture.empty(6), rows_NS, everyone)
    found = texture.without(whole, rows_NS[:taken])
    expected = texture.add(texture.empty(6), rows_NS[taken:], everyone[taken:])
    assert int(found.count) == 23 - taken
    np.testing.assert_allclose(found.mean_S, expected.mean_S, rtol=1e-5)
    np.testing.assert_allclose(found.squares, expected.squares, rtol=1e-4, atol=1e-4)
    nobody = texture.without(whole, rows_NS)
    assert int(nobody.count) == 0
    assert not np.any(nobody.mean_S)
    assert not nobody.squares


def test_blurred_paint_is_further_from_recorded_paint(trunk, painted_BTHWC):
    frames = painted_BTHWC[::5, 8:16:2].reshape(-1, 64, 64, 3)
    recorded, held_out = frames[::2], frames[1::2]
    blurred = ndimage.gaussian_filter(held_out, (0, 2, 2, 0))
    all_NS = texture.statistics(trunk, np.concatenate([recorded, held_out, blurred]))
    recorded_NS, sharp_NS, blurred_NS = np.split(np.asarray(all_NS), 3)
    textures = texture.add(texture.empty(all_NS.shape[1]), recorded_NS, np.ones(8, bool))
    sharp_N, blurred_N = texture.to_set(textures, sharp_NS), texture.to_set(textures, blurred_NS)
    assert sharp_N.mean() < 1.3
    assert np.all(blurred_N > sharp_N)
    assert blurred_N.mean() > 1.3 * sharp_N.mean()
