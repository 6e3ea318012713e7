"""KID against torchmetrics, and the sample it is taken from."""

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance

from painting_jax.metrics import kid


class _Given(torch.nn.Module):
    """Takes features for pictures."""

    num_features = 1

    def forward(self, features):
        return features


def _features(seed: int, n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(0.2 + 0.1 * seed, 0.7, (n, d)), 0).astype(np.float32)


def _everyone(x) -> np.ndarray:
    return np.ones(len(x), bool)


@pytest.mark.filterwarnings("ignore:Metric `Kernel")
@pytest.mark.parametrize(("n", "m", "d", "size"), [(60, 50, 16, 30), (40, 90, 200, 40)])
def test_kid_equals_torchmetrics_on_the_same_subsets(n, m, d, size):
    a_ND, b_MD = _features(0, n, d), _features(1, m, d)
    reference = KernelInceptionDistance(feature=_Given(), subsets=7, subset_size=size)
    reference.set_dtype(torch.float64)
    reference.update(torch.tensor(a_ND, dtype=torch.float64), real=True)
    reference.update(torch.tensor(b_MD, dtype=torch.float64), real=False)
    torch.manual_seed(3)
    mean, std = reference.compute()
    # torchmetrics draws one after the other, the recorded side first.
    torch.manual_seed(3)
    drawn = [[torch.randperm(count)[:size].numpy() for count in (n, m)] for _ in range(7)]
    everyone = np.ones(size, bool)
    found = [kid.discrepancy(a_ND[i], b_MD[j], everyone, everyone) for i, j in drawn]
    np.testing.assert_allclose(np.mean(found), mean, rtol=1e-5)
    np.testing.assert_allclose(np.std(found), std, rtol=1e-4)


def test_discrepancy_equals_a_plain_loop_and_ignores_padding():
    a_ND, b_MD = _features(0, 6, 5).astype(np.float64), _features(1, 9, 5).astype(np.float64)

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    within = [
        np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
        for x in (a_ND, b_MD)
    ]
    between = np.mean([kernel(x, y) for x in a_ND for y in b_MD])
    found = kid.discrepancy(a_ND, b_MD, _everyone(a_ND), _everyone(b_MD))
    np.testing.assert_allclose(found, sum(within) - 2 * between, rtol=1e-5)
    padded_ND = np.concatenate([a_ND, np.full((4, 5), np.nan)])
    again = kid.discrepancy(padded_ND, b_MD, np.arange(10) < 6, _everyone(b_MD))
    np.testing.assert_allclose(again, found, rtol=1e-6)


def test_a_perfect_copy_is_at_no_distance_if_the_pictures_are_the_same():
    """Of few pictures, comparing each with its copy put the estimate far below 0."""
    a_ND = _features(0, 6, 5)
    name_N, everyone = kid.priorities([f"{i}" for i in range(6)]), _everyone(a_ND)
    assert kid.discrepancy(a_ND, a_ND, everyone, everyone) < -0.1
    found = kid.discrepancy(a_ND, a_ND, everyone, everyone, name_N, name_N)
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_pictures_of_one_name_are_left_out_between_the_sets():
    """The U-statistic of Gretton et al. (2012), spelt out; names in another order."""
    a_ND, b_ND = _features(0, 7, 5).astype(np.float64), _features(1, 7, 5).astype(np.float64)
    kernel_aa, kernel_bb, kernel_ab = (
        (x @ y.T / 5 + 1) ** 3 for x, y in ((a_ND, a_ND), (b_ND, b_ND), (a_ND, b_ND))
    )
    apart = ~np.eye(7, dtype=bool)
    expected = kernel_aa[apart].mean() + kernel_bb[apart].mean() - 2 * kernel_ab[apart].mean()
    order = np.random.default_rng(0).permutation(7)
    names = kid.priorities([f"{i}" for i in range(7)])
    found = kid.discrepancy(
        a_ND, b_ND[order], _everyone(a_ND), _everyone(b_ND), names, names[order]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_small_differences_are_not_lost_in_large_means():
    a_ND, b_MD = (3 + 0.05 * _features(seed, 400, 64) for seed in (0, 1))
    a, b = a_ND.astype(np.float64), b_MD.astype(np.float64)

    def total(x, y):
        return ((x @ y.T / 64 + 1) ** 3).sum()

    own = [(((x * x).sum(1) / 64 + 1) ** 3).sum() for x in (a, b)]
    within = [(total(x, x) - y) / (400 * 399) for x, y in zip((a, b), own, strict=True)]
    expected = sum(within) - 2 * total(a, b) / 400**2
    found = kid.discrepancy(a_ND, b_MD, _everyone(a), _everyone(b))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_sample_depends_on_names_alone():
    features_ND = _features(0, 40, 3)
    priority_N = kid.priorities([f"cat/{i}" for i in range(40)])
    found = []
    for order in (np.arange(40), np.random.default_rng(0).permutation(40)):
        reservoir = kid.empty(10, 3)
        for rows in np.array_split(order, 5):
            reservoir = kid.add(reservoir, features_ND[rows], priority_N[rows], _everyone(rows))
        found.append(np.asarray(reservoir.features_RD))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], features_ND[np.argsort(priority_N)[:10]])


def test_sample_leaves_out_padding_and_says_how_full_it_is():
    priority_N = kid.priorities(["a", "b", "c"])
    features_ND = np.array([[1], [np.nan], [3]], np.float32)
    reservoir = kid.add(kid.empty(5, 1), features_ND, priority_N, np.array([True, False, True]))
    np.testing.assert_array_equal(reservoir.mask_R, [True, True, False, False, False])
    assert set(np.asarray(reservoir.features_RD)[:2, 0]) == {1, 3}


def test_every_name_is_equally_likely_and_seeds_draw_anew():
    names = [f"{i}" for i in range(4000)]
    first, second = (kid.priorities(names, seed=seed) for seed in (0, 1))
    assert abs(first.mean() / 2**32 - 0.5) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert abs(np.corrcoef(first, np.arange(4000))[0, 1]) < 0.05
