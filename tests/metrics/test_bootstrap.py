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


def test_one_value_is_its_own_interval():
    assert bootstrap.interval(np.array([0.5])) == (0.5, 0.5, 0.5, 1)


def test_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).uniform(size=20)
    assert bootstrap.interval(values, seed=3) == bootstrap.interval(values, seed=3)
