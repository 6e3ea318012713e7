"""Confidence intervals of means by the percentile bootstrap (Efron, 1979).

Values of the same picture are resampled together (cluster bootstrap): the interval covers the
choice of pictures, not the choice of frames.

Runs on the host in float64, since there is only one number per example.
"""

from typing import Literal, NamedTuple

import numpy as np

LEVEL = 0.95
RESAMPLES = 4000

# Drawn clusters held in memory at once.
_AT_ONCE = 2**20


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
      mean: Mean of the n values.
      low: Lower end of the interval; NaN with a single picture.
      high: Upper end of the interval; NaN with a single picture.
      n: Number of values.
    """

    mean: float
    low: float
    high: float
    n: int


class Paired(NamedTuple):
    """A comparison of two methods on the same examples.

    Attributes:
      first: Mean of the first method.
      second: Mean of the second method.
      difference: Mean of first minus second.
      first_better: Share of resamples in which the first method's mean is better, in [0, 1]; ties
        count half. NaN with fewer than two pictures.
    """

    first: Interval
    second: Interval
    difference: Interval
    first_better: float


def interval(
    values_N: np.ndarray, *, pictures_N: np.ndarray | None = None, seed: int = 0
) -> Interval:
    """Computes the mean of the finite values with its 95 % interval.

    Without any finite value, mean and ends are NaN.

    Args:
      values_N: One value per example; NaN where it is missing.
      pictures_N: Identifier of each example's picture; None = one picture per example.
      seed: Seed of the resampling.
    """
    values_1N = np.asarray(values_N, np.float64)[None]
    intervals, _ = _intervals(values_1N, pictures_N, seed)
    return intervals[0]


def paired(
    first_N: np.ndarray,
    second_N: np.ndarray,
    *,
    better: Literal["lower", "higher"] = "lower",
    pictures_N: np.ndarray | None = None,
    seed: int = 0,
) -> Paired:
    """Compares two methods on the examples that both have.

    Args:
      first_N: Values of the first method; NaN where missing.
      second_N: Values of the second method for the same examples.
      better: Whether lower or higher values are better.
      pictures_N: Identifier of each example's picture; None = one picture per example.
      seed: Seed of the resampling.
    """
    first, second = np.asarray(first_N, np.float64), np.asarray(second_N, np.float64)
    intervals, means_3R = _intervals(np.stack([first, second, first - second]), pictures_N, seed)
    ahead_R = means_3R[2] if better == "higher" else -means_3R[2]
    share = np.mean((ahead_R > 0) + 0.5 * (ahead_R == 0)) if len(ahead_R) else np.nan
    return Paired(intervals[0], intervals[1], intervals[2], float(share))


def _intervals(
    values_VN: np.ndarray, pictures_N: np.ndarray | None, seed: int
) -> tuple[list[Interval], np.ndarray]:
    """Returns an interval per row and the resampled means [V, R].

    R is 0 with fewer than two pictures.
    """
    valid_N = np.isfinite(values_VN).all(axis=0)
    values_VN = values_VN[:, valid_N]
    n = values_VN.shape[1]
    if n == 0:
        none = Interval(float("nan"), float("nan"), float("nan"), 0)
        return [none] * len(values_VN), np.zeros((len(values_VN), 0))
    pictures_N = np.arange(n) if pictures_N is None else np.asarray(pictures_N)[valid_N]
    _, cluster_N = np.unique(pictures_N, return_inverse=True)
    count_C = np.bincount(cluster_N)
    means_V = values_VN.mean(axis=1)
    if len(count_C) == 1:
        alone = [Interval(float(mean), float("nan"), float("nan"), n) for mean in means_V]
        return alone, np.zeros((len(values_VN), 0))
    total_VC = np.stack([np.bincount(cluster_N, weights=values_N) for values_N in values_VN])
    means_VR = _resampled(np.random.default_rng(seed), total_VC, count_C)
    tail = (1 - LEVEL) / 2
    ends_2V = np.quantile(means_VR, [tail, 1 - tail], axis=1)
    intervals = [
        Interval(float(mean), float(low), float(high), n)
        for mean, low, high in zip(means_V, *ends_2V, strict=True)
    ]
    return intervals, means_VR


def _resampled(rng: np.random.Generator, total_VC: np.ndarray, count_C: np.ndarray) -> np.ndarray:
    """Means over resamples of the clusters: float64[V, R]."""
    clusters = len(count_C)
    at_once = max(1, _AT_ONCE // clusters)
    means = []
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        drawn_RC = rng.integers(0, clusters, (rows, clusters))
        # Count how often each row drew each cluster, with one bincount over (row, cluster) cells.
        cell_RC = drawn_RC + clusters * np.arange(rows)[:, None]
        weight_RC = np.bincount(cell_RC.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        means.append((total_VC @ weight_RC.T) / (weight_RC @ count_C))
    return np.concatenate(means, axis=1)
