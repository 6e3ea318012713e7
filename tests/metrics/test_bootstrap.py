"""Bootstrap intervals cover what they should."""

import math

import numpy as np
import pytest

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
    """Against a plain resampling of pictures, studentised."""
    rng = np.random.default_rng(3)
    picture_N = np.append(rng.integers(0, 12, 48), np.arange(12))
    values = rng.normal(size=60) + picture_N
    found = bootstrap.interval(values, pictures_N=np.array([f"picture {p}" for p in picture_N]))
    groups = [values[picture_N == p] for p in range(12)]

    def mean_and_error(groups):
        mean = np.concatenate(groups).mean()
        apart = [(group - mean).sum() for group in groups]
        count = sum(map(len, groups))
        return mean, math.sqrt(12 / 11 * np.square(apart).sum()) / count

    mean, error = mean_and_error(groups)
    studentised = []
    for _ in range(4000):
        again, error_again = mean_and_error([groups[i] for i in rng.integers(0, 12, 12)])
        studentised.append((again - mean) / error_again)
    low, high = mean - error * np.percentile(studentised, [97.5, 2.5])
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=0.06 * (high - low))
    np.testing.assert_allclose(found.mean, values.mean(), rtol=1e-6)
    assert (found.n, found.pictures) == (60, 12)


def _coverage(pictures: int, draw, *, trials: int = 250) -> float:
    """Share of samples whose interval holds the mean, 0: processes in media, of few pictures."""
    rng = np.random.default_rng(pictures)
    held = 0
    for _ in range(trials):
        picture_N = np.repeat(np.arange(pictures), rng.integers(2, 6, pictures))
        values_N = draw(rng, pictures)[picture_N] + 0.3 * rng.normal(size=len(picture_N))
        found = bootstrap.interval(values_N, pictures_N=picture_N)
        held += found.low <= 0 <= found.high
    return held / trials


@pytest.mark.parametrize("pictures", [2, 3, 5, 10, 20])
def test_intervals_hold_the_mean_as_often_as_they_say(pictures):
    """Percentile intervals of 2, 3 and 5 pictures hold it in about 50, 70 and 82 % of cases."""
    assert 0.9 <= _coverage(pictures, lambda rng, n: rng.normal(size=n)) <= 0.99
    # Skewed, as errors are.
    assert 0.84 <= _coverage(pictures, lambda rng, n: rng.exponential(size=n) - 1) <= 0.99


def test_twenty_processes_of_two_photos_are_two_observations():
    rng = np.random.default_rng(6)
    photo_N = np.repeat([0, 1], 10)
    values_N = np.array([0.2, 0.6])[photo_N] + 0.01 * rng.normal(size=20)
    found = bootstrap.interval(values_N, pictures_N=photo_N)
    assert (found.n, found.pictures) == (20, 2)
    # Student's t with one degree of freedom: 12.7 standard errors to either side.
    assert found.high - found.low == pytest.approx(2 * 12.706 * 0.2, rel=0.05)
    assert not found.supports_claims


@pytest.mark.parametrize("wrong", [0, 1])
def test_shares_have_an_interval_though_resamples_have_no_spread(wrong):
    right_N = np.ones(12)
    right_N[:wrong] = 0
    found = bootstrap.interval(right_N).within(0, 1)
    assert found.low <= found.mean <= found.high <= 1
    assert (found.low < 1) == bool(wrong)
    assert found.low > 0.5


def test_an_interval_stays_within_what_a_mean_can_be():
    found = bootstrap.interval(np.array([0.1, 0.9]))
    assert found.low < 0
    assert found.high > 1
    assert found.within(0, 1)[:3] == (0.5, 0, 1)
    alone = bootstrap.interval(np.array([0.1])).within(0, 1)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_few_pictures_name_no_better_method():
    first, second = np.arange(4.0), np.arange(4.0) + 1
    assert math.isnan(bootstrap.paired(first, second).first_better)
    five = bootstrap.paired(np.arange(5.0), np.arange(5.0) + 1)
    assert five.first_better == 1
    # Five processes of four pictures are no five pictures.
    pictures_N = np.array([0, 0, 1, 2, 3])
    found = bootstrap.paired(np.arange(5.0), np.arange(5.0) + 1, pictures_N=pictures_N)
    assert math.isnan(found.first_better)


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
