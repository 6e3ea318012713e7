"""FID against torchmetrics and scipy, from streams."""

import jax
import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from painting_jax.errors import UserError
from painting_jax.metrics import fid


def _features(seed: int, n: int, d: int, *, mean: float = 0.4) -> np.ndarray:
    """Like those of a network: correlated, not negative, of very different sizes."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(d).normal(size=(d, d)) * np.geomspace(1, 1e-2, d)[:, None]
    return np.maximum(rng.normal(size=(n, d)) @ mixing + mean, 0).astype(np.float32)


def _streamed(features_ND: np.ndarray, batch: int = 32) -> fid.Moments:
    moments = fid.empty(features_ND.shape[1])
    for start in range(0, len(features_ND), batch):
        rows = features_ND[start : start + batch]
        padded = np.full((batch, features_ND.shape[1]), np.nan, np.float32)
        padded[: len(rows)] = rows
        moments = fid.add(moments, padded, np.arange(batch) < len(rows))
    return moments


class _Given(torch.nn.Module):
    """Takes features for pictures."""

    def __init__(self, width):
        super().__init__()
        self.num_features = width

    def forward(self, features):
        return features


def _torchmetrics(a_ND: np.ndarray, b_ND: np.ndarray) -> float:
    reference = FrechetInceptionDistance(feature=_Given(a_ND.shape[1]))
    reference.update(torch.tensor(a_ND), real=True)
    reference.update(torch.tensor(b_ND), real=False)
    return float(reference.compute())


@pytest.mark.parametrize(
    ("n", "m", "d"), [(300, 260, 16), (500, 700, 64), (70, 90, 64), (20, 300, 64), (12, 15, 192)]
)
def test_fid_equals_torchmetrics(n, m, d):
    a_ND, b_ND = _features(0, n, d), _features(1, m, d, mean=0.6)
    found = fid.distance(_streamed(a_ND), _streamed(b_ND))
    np.testing.assert_allclose(found.distance, _torchmetrics(a_ND, b_ND), rtol=1e-4)
    assert found.deficient == (min(n, m) <= d)


def test_fid_equals_the_formula_with_scipys_root():
    a_ND, b_ND = _features(0, 200, 24), _features(1, 150, 24, mean=0.5)
    covariances = [np.cov(x.astype(np.float64), rowvar=False) for x in (a_ND, b_ND)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    apart = a_ND.mean(0, dtype=np.float64) - b_ND.mean(0, dtype=np.float64)
    expected = apart @ apart + np.trace(sum(covariances) - 2 * root)
    found = fid.distance(_streamed(a_ND), _streamed(b_ND)).distance
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_moments_far_from_zero_keep_their_digits():
    features_ND = _features(0, 400, 8) + 1000
    moments = _streamed(features_ND)
    exact = features_ND.astype(np.float64)
    np.testing.assert_allclose(moments.mean_D, exact.mean(0), rtol=1e-6)
    covariance = np.asarray(moments.scatter_DD) / 399
    scale = np.cov(exact, rowvar=False).diagonal().max()
    np.testing.assert_allclose(covariance, np.cov(exact, rowvar=False), atol=2e-5 * scale)


def test_order_batches_and_merging_change_nothing():
    features_ND = _features(0, 150, 16)
    at_once = _streamed(features_ND, 256)
    shuffled = _streamed(np.random.default_rng(0).permutation(features_ND), 32)
    merged = fid.merge(_streamed(features_ND[:40]), _streamed(features_ND[40:]))
    for other in (shuffled, merged, fid.merge(fid.empty(16), at_once)):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=2e-5), at_once, other
        )


def test_a_set_is_at_no_distance_from_itself():
    for n in (5, 100):
        moments = _streamed(_features(0, n, 32))
        size = np.trace(moments.scatter_DD) / (n - 1)
        assert 0 <= fid.distance(moments, moments).distance < 1e-6 * size


def test_still_frames_and_dead_features_give_a_number():
    moments = _streamed(np.ones((6, 12), np.float32))
    other = _streamed(np.zeros((6, 12), np.float32))
    assert fid.distance(moments, other) == (12, True)


def test_one_picture_is_too_few():
    with pytest.raises(UserError, match=r"at least 2 pictures on each side, there are \(1, 9\)"):
        fid.distance(_streamed(_features(0, 1, 4)), _streamed(_features(0, 9, 4)))
