"""The profile and its score: against a plain loop, and what must not change them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from painting_jax.metrics import pdp

GRID = np.linspace(0, 1, 33)


def _random(seed: int, b: int = 3, n: int = 7):
    """Distances and strictly rising progress from 0 to 1, all frames valid."""
    rng = np.random.default_rng(seed)
    distance_BN = rng.uniform(0, 1, (b, n)).astype(np.float32)
    gaps = rng.uniform(0.2, 1, (b, n - 1))
    progress_BN = np.concatenate([np.zeros((b, 1)), np.cumsum(gaps, axis=1)], axis=1)
    progress_BN = (progress_BN / progress_BN[:, -1:]).astype(np.float32)
    return distance_BN, progress_BN, np.ones((b, n), bool)


def _plain_profile(distance_N, progress_N, points):
    """Linear interpolation, spelt out."""
    curve = []
    for k in range(points):
        s = k / (points - 1)
        i = int(np.clip(np.searchsorted(progress_N, s, side="right") - 1, 0, len(progress_N) - 2))
        t = (s - progress_N[i]) / (progress_N[i + 1] - progress_N[i])
        curve.append((1 - t) * distance_N[i] + t * distance_N[i + 1])
    return np.array(curve)


def test_profile_and_score_equal_a_plain_computation():
    distance_BN, progress_BN, mask_BN = _random(0)
    other_BN, _, _ = _random(1)
    ours = pdp.profile(distance_BN, progress_BN, mask_BN, points=17)
    theirs = pdp.profile(other_BN, progress_BN, mask_BN, points=17)
    plain = [_plain_profile(d, s, 17) for d, s in zip(distance_BN, progress_BN, strict=True)]
    plain_other = [_plain_profile(d, s, 17) for d, s in zip(other_BN, progress_BN, strict=True)]
    np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)
    area = [np.mean(np.abs(a - b)) for a, b in zip(plain, plain_other, strict=True)]
    np.testing.assert_allclose(pdp.score(ours, theirs), area, rtol=1e-5)


def test_monotonicity_of_known_curves():
    curves_BN = np.array([[3, 2, 1, 0], [0, 1, 2, 3], [2, 2, 2, 2], [3, 1, 2, 0]], np.float32)
    found = pdp.monotonicity(curves_BN, np.ones_like(curves_BN, bool))
    np.testing.assert_allclose(found, [1, 0, 1, 4 / 5])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_score_is_bounded_and_zero_for_the_process_itself(seed):
    distance_BN, progress_BN, mask_BN = _random(seed)
    other_BN, other_progress_BN, _ = _random(seed + 1)
    a_BK = pdp.profile(distance_BN, progress_BN, mask_BN)
    b_BK = pdp.profile(other_BN, other_progress_BN, mask_BN)
    assert np.all(pdp.score(a_BK, a_BK) == 0)
    np.testing.assert_array_equal(pdp.score(a_BK, b_BK), pdp.score(b_BK, a_BK))
    assert np.all(pdp.score(a_BK, b_BK) <= np.abs(a_BK - b_BK).max(axis=1) + 1e-6)
    assert np.all(a_BK >= distance_BN.min(1)[:, None] - 1e-6)
    assert np.all(a_BK <= distance_BN.max(1)[:, None] + 1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_padding_changes_nothing(seed, padding):
    distance_BN, progress_BN, mask_BN = _random(seed)
    rng = np.random.default_rng(seed)
    junk = rng.uniform(-5, 5, (len(mask_BN), 6)).astype(np.float32)[:, :padding]
    # One shape for all examples, so that jit compiles once: the rest of it is padding too.
    fill = np.zeros((len(mask_BN), 6 - padding), np.float32)
    padded = [np.concatenate([x, junk, fill], axis=1) for x in (distance_BN, progress_BN)]
    padded_mask = np.concatenate([mask_BN, np.zeros((len(mask_BN), 6), bool)], axis=1)
    np.testing.assert_allclose(
        pdp.profile(*padded, padded_mask),
        pdp.profile(distance_BN, progress_BN, mask_BN),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        pdp.monotonicity(padded[0], padded_mask),
        pdp.monotonicity(distance_BN, mask_BN),
        rtol=1e-5,
        atol=1e-6,
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_videos_and_of_frames_changes_nothing(seed):
    distance_BN, progress_BN, mask_BN = _random(seed)
    rng = np.random.default_rng(seed)
    videos, frames = rng.permutation(3), rng.permutation(7)
    straight_BK = np.asarray(pdp.profile(distance_BN, progress_BN, mask_BN))
    shuffled_BK = pdp.profile(
        distance_BN[videos][:, frames], progress_BN[videos][:, frames], mask_BN
    )
    np.testing.assert_allclose(shuffled_BK, straight_BK[videos], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_finer_sampling_of_the_same_course_changes_nothing(seed):
    distance_BN, progress_BN, mask_BN = _random(seed)

    def with_midpoints(x_BN):
        middle = (x_BN[:, 1:] + x_BN[:, :-1]) / 2
        return np.concatenate([x_BN, middle], axis=1)

    finer = with_midpoints(distance_BN), with_midpoints(progress_BN)
    fine_BK = pdp.profile(*finer, np.ones_like(finer[0], bool))
    np.testing.assert_allclose(
        fine_BK, pdp.profile(distance_BN, progress_BN, mask_BN), rtol=1e-4, atol=1e-5
    )
    order = np.argsort(finer[1], axis=1)
    np.testing.assert_allclose(
        pdp.monotonicity(np.take_along_axis(finer[0], order, 1), np.ones_like(order, bool)),
        pdp.monotonicity(distance_BN, mask_BN),
        rtol=1e-4,
    )


def test_band_equals_numpys_percentiles_and_ignores_padding():
    profile_NK = np.random.default_rng(0).uniform(size=(7, 5)).astype(np.float32)
    padded_NK = np.concatenate([profile_NK, np.full((3, 5), np.nan, np.float32)])
    found = pdp.band(padded_NK, np.arange(10) < 7)
    low_K, high_K = np.percentile(profile_NK, [10, 90], axis=0)
    np.testing.assert_allclose(found.mean_K, profile_NK.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.low_K, low_K, rtol=1e-5)
    np.testing.assert_allclose(found.high_K, high_K, rtol=1e-5)
    assert found.n == 7
    share_B = ((profile_NK >= low_K) & (profile_NK <= high_K)).mean(1)
    np.testing.assert_allclose(pdp.inside(profile_NK, found), share_B, rtol=1e-6)
    area_B = np.abs(profile_NK - profile_NK.mean(0)).mean(1)
    np.testing.assert_allclose(pdp.to_band(profile_NK, found), area_B, rtol=1e-5)


def test_a_set_of_one_is_its_own_band():
    profile_1K = np.random.default_rng(1).uniform(size=(1, 33)).astype(np.float32)
    band = pdp.band(profile_1K, np.ones(1, bool))
    assert pdp.inside(profile_1K, band) == 1
    assert pdp.to_band(profile_1K, band) == 0


def test_relative_profiles_are_shares_of_the_largest_distance():
    profile_BK = np.array([[0.8, 0.4, 0], [2, 4, 1], [0, 0, 0]], np.float32)
    expected = [[1, 0.5, 0], [0.5, 1, 0.25], [0, 0, 0]]
    np.testing.assert_allclose(pdp.relative(profile_BK), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_profile_does_not_depend_on_order_padding_or_the_batch(seed):
    distance_BN, progress_BN, mask_BN = _random(seed)
    expected = np.asarray(pdp.profile(distance_BN, progress_BN, mask_BN))
    rng = np.random.default_rng(seed)
    batch, order = rng.permutation(len(distance_BN)), rng.permutation(7)
    padded = [
        np.pad(x_BN[batch][:, order], [(0, 0), (0, 4)], constant_values=0.5)
        for x_BN in (distance_BN, progress_BN)
    ]
    mask_BN = np.pad(mask_BN, [(0, 0), (0, 4)])
    found = pdp.profile(*padded, mask_BN)
    np.testing.assert_allclose(found, expected[batch], rtol=1e-6, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_finer_sampling_of_the_same_curve_leaves_the_score(seed):
    """Frames in between, on the line that the profile draws anyway."""
    distance_BN, progress_BN, _ = _random(seed)
    middle = [(x_BN[:, 1:] + x_BN[:, :-1]) / 2 for x_BN in (distance_BN, progress_BN)]
    finer = [
        np.concatenate([x_BN, y_BN], axis=1).astype(np.float32)
        for x_BN, y_BN in zip((distance_BN, progress_BN), middle, strict=True)
    ]
    _scores_alike(finer, (distance_BN, progress_BN), seed)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_still_frames_leave_the_score(seed):
    """Any frame may stand for a while, if its progress does."""
    distance_BN, progress_BN, _ = _random(seed)
    stands = np.sort(np.append(np.arange(7), np.random.default_rng(seed).integers(0, 7, 6)))
    longer = [x_BN[:, stands] for x_BN in (distance_BN, progress_BN)]
    _scores_alike(longer, (distance_BN, progress_BN), seed)


def _scores_alike(changed, original, seed: int) -> None:
    """The scores of two processes against a third are the same."""
    recorded_BK = pdp.profile(*_random(seed + 1))
    found, expected = (
        pdp.score(pdp.profile(*x, np.ones(x[0].shape, bool)), recorded_BK)
        for x in (changed, original)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def _bent(first: int, second: int, slopes=(-0.2, -1.5, -0.3)) -> np.ndarray:
    """A curve with bends at two grid points."""
    pace = np.where(
        np.arange(32) < first, slopes[0], np.where(np.arange(32) < second, slopes[1], slopes[2])
    )
    return np.concatenate([[0], np.cumsum(pace / 32)]) + 1


def _brute_force(curve_K: np.ndarray) -> tuple[tuple[int, int], float]:
    """The best continuous line with two bends, by least squares at every pair."""
    best = (np.inf, None)
    for i, j in itertools.combinations(range(2, len(curve_K) - 2), 2):
        if j - i < 2:
            continue
        grid_K = np.arange(len(curve_K))
        design = np.stack(
            [np.ones_like(grid_K), grid_K, np.maximum(grid_K - i, 0), np.maximum(grid_K - j, 0)], 1
        )
        fitted = design @ np.linalg.lstsq(design.astype(float), curve_K, rcond=None)[0]
        error = ((curve_K - fitted) ** 2).sum()
        if error < best[0]:
            best = (error, (i, j))
    straight = np.polyval(np.polyfit(GRID, curve_K, 1), GRID)
    return best[1], 1 - best[0] / ((curve_K - straight) ** 2).sum()


@pytest.mark.parametrize(("first", "second"), [(5, 14), (2, 30), (10, 12), (16, 28)])
def test_known_bends_are_found(first, second):
    found = pdp.bends(_bent(first, second)[None].astype(np.float32))
    np.testing.assert_allclose(found.at_B2[0], [first / 32, second / 32], rtol=1e-6)
    assert found.gain_B[0] > 0.999


def test_fit_equals_a_search_of_every_pair():
    rng = np.random.default_rng(0)
    curves_BK = np.stack(
        [_bent(*sorted(rng.choice(range(3, 30, 3), 2, replace=False))) for _ in range(6)]
    )
    curves_BK = (curves_BK + 0.03 * rng.normal(size=curves_BK.shape)).astype(np.float32)
    found = pdp.bends(curves_BK)
    for b, curve_K in enumerate(curves_BK.astype(np.float64)):
        bends, gain = _brute_force(curve_K)
        np.testing.assert_allclose(found.at_B2[b] * 32, bends, rtol=1e-6)
        np.testing.assert_allclose(found.gain_B[b], gain, rtol=1e-5)


def test_a_straight_line_does_not_bend():
    lines_BK = np.stack([1 - GRID, np.full(33, 0.7), np.zeros(33)]).astype(np.float32)
    found = pdp.bends(lines_BK)
    np.testing.assert_array_equal(found.gain_B, 0)
    np.testing.assert_allclose(found.at_B2, [[1 / 3, 2 / 3]] * 3, rtol=1e-6)


def test_scale_and_offset_of_the_distance_do_not_matter():
    curve_K = _bent(6, 20)
    found = pdp.bends(np.stack([curve_K, 50 * curve_K, curve_K + 3]).astype(np.float32))
    np.testing.assert_array_equal(found.at_B2, np.repeat(found.at_B2[:1], 3, axis=0))
