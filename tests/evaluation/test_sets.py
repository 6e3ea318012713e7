"""Frames against recorded ones at the same progress."""

import numpy as np

from painting_jax.evaluation import sets
from painting_jax.metrics import fid, kid


def _filled(features_ND, progress_N, *, bins=3, batch=16, prefix="") -> sets.FrameSet:
    frames = sets.empty(bins, features_ND.shape[1], capacity=64)
    priority_N = kid.priorities([f"{prefix}{i}" for i in range(len(features_ND))])
    for start in range(0, len(features_ND), batch):
        rows = np.arange(start, start + batch)
        mask_N = rows < len(features_ND)
        rows = np.minimum(rows, len(features_ND) - 1)
        frames = sets.add(
            frames, features_ND[rows], progress_N[rows].astype(np.float32), priority_N[rows], mask_N
        )
    return frames


def test_every_bin_equals_its_own_frames_compared():
    rng = np.random.default_rng(0)
    sides = [rng.normal(mean, 1, (90, 6)).astype(np.float32) for mean in (0, 0.5)]
    progress_N = np.linspace(0, 1, 90)
    fid_Q, kid_Q, count_Q = sets.distances(*(_filled(x, progress_N) for x in sides))
    for q, rows in enumerate(
        (progress_N < 1 / 3, (progress_N >= 1 / 3) & (progress_N < 2 / 3), progress_N >= 2 / 3)
    ):
        moments = [fid.add(fid.empty(6), x[rows], np.ones(rows.sum(), bool)) for x in sides]
        expected = fid.distance(*moments)
        np.testing.assert_allclose(fid_Q[q], expected.distance, rtol=1e-4)
        everyone = np.ones(rows.sum(), bool)
        expected_kid = kid.discrepancy(sides[0][rows], sides[1][rows], everyone, everyone)
        np.testing.assert_allclose(kid_Q[q], expected_kid, rtol=1e-4)
        assert count_Q[q] == rows.sum()


def test_bins_with_too_few_frames_have_no_number():
    features_ND = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    late = _filled(features_ND, np.full(20, 0.9))
    fid_Q, kid_Q, count_Q = sets.distances(late, late)
    np.testing.assert_array_equal(np.isnan(fid_Q), [True, True, False])
    np.testing.assert_array_equal(np.isnan(kid_Q), [True, True, False])
    np.testing.assert_array_equal(count_Q, [0, 0, 20])
