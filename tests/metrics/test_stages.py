"""Stage boundaries of curves that have them, and of one that has none."""

import itertools

import numpy as np
import pytest

from painting_jax.metrics import stages

GRID = np.linspace(0, 1, 33)


def _bent(first: int, second: int, slopes=(-0.2, -1.5, -0.3)) -> np.ndarray:
    """A curve with bends at two grid points."""
    pace = np.where(
        np.arange(32) < first, slopes[0], np.where(np.arange(32) < second, slopes[1], slopes[2])
    )
    return np.concatenate([[0], np.cumsum(pace / 32)]) + 1


def _brute_force(curve_K: np.ndarray) -> tuple[tuple[int, int], np.ndarray, float]:
    """The best continuous line with two bends, by least squares at every pair."""
    best = (np.inf, None, None)
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
            best = (error, (i, j), fitted)
    straight = np.polyval(np.polyfit(GRID, curve_K, 1), GRID)
    return best[1], best[2], 1 - best[0] / ((curve_K - straight) ** 2).sum()


@pytest.mark.parametrize(("first", "second"), [(5, 14), (2, 30), (10, 12), (16, 28)])
def test_known_bends_are_found(first, second):
    found = stages.stages(_bent(first, second)[None].astype(np.float32))
    np.testing.assert_allclose(found.boundary_B2[0], [first / 32, second / 32], rtol=1e-6)
    share = [first / 32, (second - first) / 32, 1 - second / 32]
    np.testing.assert_allclose(found.share_B3[0], share, rtol=1e-6)
    assert found.gain_B[0] > 0.999


def test_fit_equals_a_search_of_every_pair():
    rng = np.random.default_rng(0)
    curves_BK = np.stack(
        [_bent(*sorted(rng.choice(range(3, 30, 3), 2, replace=False))) for _ in range(6)]
    )
    curves_BK = (curves_BK + 0.03 * rng.normal(size=curves_BK.shape)).astype(np.float32)
    found = stages.stages(curves_BK)
    for b, curve_K in enumerate(curves_BK.astype(np.float64)):
        bends, fitted_K, gain = _brute_force(curve_K)
        np.testing.assert_allclose(found.boundary_B2[b] * 32, bends, rtol=1e-6)
        np.testing.assert_allclose(found.fitted_BK[b], fitted_K, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.gain_B[b], gain, rtol=1e-5)


def test_a_straight_line_has_no_stages():
    lines_BK = np.stack([1 - GRID, np.full(33, 0.7), np.zeros(33)]).astype(np.float32)
    found = stages.stages(lines_BK)
    np.testing.assert_array_equal(found.gain_B, 0)
    np.testing.assert_allclose(found.share_B3, 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(found.fitted_BK, lines_BK, atol=1e-6)


def test_scale_and_offset_of_the_distance_do_not_matter():
    curve_K = _bent(6, 20)
    found = stages.stages(np.stack([curve_K, 50 * curve_K, curve_K + 3]).astype(np.float32))
    np.testing.assert_array_equal(found.boundary_B2, np.repeat(found.boundary_B2[:1], 3, axis=0))
