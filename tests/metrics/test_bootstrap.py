"""Bootstrap intervals cover what they should."""

import math

import numpy as np

from painting_jax.metrics import bootstrap


def test_interval_agrees_with_the_normal_approximation():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = bootstrap.interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    np.testing.assert_allclose(
        [found.low, found.high], [values.mean() - half, values.mean() + half], atol=0.05 * half * 2
    )
    assert found.n == 400


def test_missing_values_are_left_out():
    found = bootstrap.interval(np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.n) == (2.0, 2)
    assert math.isnan(bootstrap.interval(np.array([np.nan])).mean)


def test_a_single_picture_has_no_interval():
    for values_N in ([0.5], [0.25, 0.75]):
        found = bootstrap.interval(np.array(values_N), pictures_N=np.zeros(len(values_N)))
        assert (found.mean, found.n) == (0.5, len(values_N))
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert math.isnan(bootstrap.paired(np.array([1.0]), np.array([2.0])).first_better)


def test_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).uniform(size=20)
    assert bootstrap.interval(values, seed=3) == bootstrap.interval(values, seed=3)


def test_values_of_one_picture_are_drawn_together():
    """Ten copies of every picture's value are no ten observations."""
    values = np.random.default_rng(2).normal(size=30)
    once = bootstrap.interval(values)
    copied = bootstrap.interval(np.repeat(values, 10), pictures_N=np.repeat(np.arange(30), 10))
    apart = bootstrap.interval(np.repeat(values, 10))
    np.testing.assert_allclose(copied[:3], once[:3], rtol=1e-6)
    assert apart.high - apart.low < 0.5 * (once.high - once.low)
    assert copied.n == 300


def test_pictures_with_more_values_weigh_more():
    """Against a plain resampling of pictures."""
    rng = np.random.default_rng(3)
    picture_N = rng.integers(0, 12, 60)
    values = rng.normal(size=60) + picture_N
    found = bootstrap.interval(values, pictures_N=np.array([f"picture {p}" for p in picture_N]))
    known = np.unique(picture_N)
    means = []
    for _ in range(4000):
        drawn = rng.choice(known, len(known))
        means.append(np.concatenate([values[picture_N == p] for p in drawn]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=0.06 * (high - low))
    np.testing.assert_allclose(found.mean, values.mean(), rtol=1e-6)


def test_a_paired_comparison_sees_what_two_intervals_hide():
    rng = np.random.default_rng(4)
    pictures = rng.normal(size=50)
    first, second = pictures + 0.1, pictures + 0.02 * rng.normal(size=50)
    found = bootstrap.paired(first, second)
    assert found.first.low < found.second.high
    assert found.difference.low > 0.08
    assert found.first_better == 0
    assert bootstrap.paired(first, second, better="higher").first_better == 1
    assert bootstrap.paired(first, first).first_better == 0.5


def test_a_paired_comparison_leaves_out_what_one_method_lacks():
    first, second = np.array([1.0, 2.0, np.nan, 4.0]), np.array([np.nan, 1.0, 1.0, 3.0])
    found = bootstrap.paired(first, second)
    assert (found.first.mean, found.second.mean, found.difference.mean) == (3.0, 2.0, 1.0)
    assert found.first.n == 2
    none = bootstrap.paired(first, np.full(4, np.nan))
    assert math.isnan(none.first_better)
    assert none.difference.n == 0


def test_a_small_spread_about_a_large_mean_is_kept():
    values = 1e6 + np.random.default_rng(5).normal(size=100)
    found = bootstrap.interval(values)
    assert 0.2 < found.high - found.low < 0.6
