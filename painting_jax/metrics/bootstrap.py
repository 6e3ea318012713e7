"""Confidence intervals of means by the percentile bootstrap (Efron, 1979)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LEVEL = 0.95
RESAMPLES = 4000


class Interval(NamedTuple):
    """A mean and where it would lie had other examples been drawn.

    Attributes:
      mean: of the n values.
      low: lower end of the interval.
      high: upper end of the interval.
      n: how many values there were.
    """

    mean: float
    low: float
    high: float
    n: int


def interval(values_N: np.ndarray, *, seed: int = 0) -> Interval:
    """The mean of the finite values with its 95 % interval.

    For a paired comparison give the differences. Without any finite value all three are NaN; a
    single value is its own interval.

    Args:
      values_N: one value an example; NaN where there is none.
      seed: of the resampling.
    """
    values = np.asarray(values_N, np.float32)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    low, high = _percentiles(jax.random.key(seed), values, resamples=RESAMPLES)
    return Interval(float(values.mean()), float(low), float(high), len(values))


@functools.partial(jax.jit, static_argnames="resamples")
def _percentiles(key: jax.Array, values_N: jax.Array, *, resamples: int) -> jax.Array:
    n = values_N.shape[0]
    chosen_RN = jax.random.randint(key, (resamples, n), 0, n)
    means_R = jnp.mean(values_N[chosen_RN], axis=1)
    tail = (1 - LEVEL) / 2
    return jnp.quantile(means_R, jnp.array([tail, 1 - tail]))
