"""Texture: that of finished areas stays, and real paint is told from blurred."""

import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_weights
from painting_jax.metrics import texture
from painting_jax.models.vgg.modeling import VGG16


@pytest.fixture(scope="module")
def trunk() -> VGG16:
    try:
        return lpips_weights.load_hed().trunk
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


def _finished(frames_THWC: np.ndarray, count: int | None = None) -> np.ndarray:
    """The finished cells at each time; frames from `count` on are padding."""
    mask_1T = (np.arange(len(frames_THWC)) < (count or len(frames_THWC)))[None]
    return np.asarray(texture.finished(frames_THWC[None], mask_1T)[0], np.float32)


@nnx.jit
def _grams(trunk, frames_THWC, before_TIJ, after_TIJ):
    maps = trunk(frames_THWC.astype("float32") / 255)
    return texture.grams(maps, before_TIJ), texture.grams(maps, after_TIJ)


def _drift(trunk: VGG16, frames_THWC: np.ndarray, count: int | None = None) -> float:
    done_TIJ = _finished(frames_THWC, count)
    before_TIJ = np.concatenate([np.zeros_like(done_TIJ[:1]), done_TIJ[:-1]])
    before, after = _grams(trunk, frames_THWC, before_TIJ, done_TIJ)
    return float(texture.drift(before, after, done_TIJ.mean((1, 2))))


@nnx.jit
def _statistics(trunk, pictures_NHWC):
    return texture.statistics(trunk(pictures_NHWC.astype("float32") / 255))


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
    still_THWC = np.repeat(halves_BTHWC[0, -1:], 5, axis=0)
    assert _drift(small_trunk, still_THWC) == pytest.approx(0, abs=1e-6)


def test_nothing_finished_before_the_end_has_no_drift_to_measure(small_trunk, halves_BTHWC):
    share_T = np.linspace(0, 1, 6)[:, None, None, None]
    blank_HWC, last_HWC = np.full_like(halves_BTHWC[0, -1], 255), halves_BTHWC[0, -1] // 2
    fade_THWC = (blank_HWC * (1 - share_T) + last_HWC * share_T).astype(np.uint8)
    assert np.isnan(_drift(small_trunk, fade_THWC))


def test_drift_is_the_relative_change_of_gram_matrices(small_trunk, halves_BTHWC):
    for frames_THWC in halves_BTHWC:
        done_TIJ = _finished(frames_THWC) > 0
        maps = nnx.jit(lambda trunk, x: trunk(x))(small_trunk, frames_THWC.astype(np.float32) / 255)
        drifts, areas = [], []
        for t in range(len(frames_THWC) - 1):
            areas.append(done_TIJ[t].mean())
            of_stages = []
            for side, features in zip((8, 4, 2, 1), maps[:4], strict=True):
                area = np.kron(done_TIJ[t], np.ones((side, side), bool))
                pair = np.asarray(features[t : t + 2])
                old, new = (f[area].T @ f[area] / max(area.sum(), 1) for f in pair)
                size = (np.linalg.norm(old) + np.linalg.norm(new)) / 2
                of_stages.append(np.linalg.norm(old - new) / max(size, 1e-9))
            drifts.append(np.mean(of_stages))
        expected = np.average(drifts, weights=areas)
        assert expected > 0
        np.testing.assert_allclose(_drift(small_trunk, frames_THWC), expected, rtol=1e-4)


def test_grain_that_comes_and_goes_drifts(trunk, halves_BTHWC):
    noise = np.random.default_rng(0).normal(0, 16, halves_BTHWC.shape)
    noise[:, ::2] = 0
    grainy = np.clip(halves_BTHWC + noise, 0, 255).astype(np.uint8)
    for clean_THWC, grainy_THWC in zip(halves_BTHWC, grainy, strict=True):
        assert _drift(trunk, grainy_THWC) > 1.25 * _drift(trunk, clean_THWC)


def test_padding_changes_no_drift(small_trunk, halves_BTHWC):
    for frames_THWC in halves_BTHWC:
        expected = _drift(small_trunk, frames_THWC[:3])
        np.testing.assert_allclose(_drift(small_trunk, frames_THWC, 3), expected, rtol=1e-5)


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
    all_NS = _statistics(trunk, np.concatenate([recorded, held_out, blurred]))
    recorded_NS, sharp_NS, blurred_NS = np.split(np.asarray(all_NS), 3)
    textures = texture.add(texture.empty(all_NS.shape[1]), recorded_NS, np.ones(8, bool))
    sharp_N, blurred_N = texture.to_set(textures, sharp_NS), texture.to_set(textures, blurred_NS)
    assert sharp_N.mean() < 1.3
    assert np.all(blurred_N > sharp_N)
    assert blurred_N.mean() > 1.3 * sharp_N.mean()
