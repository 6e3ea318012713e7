"""Confidence intervals of means by the percentile bootstrap (Efron, 1979).

Where several values come from one picture they are drawn together (the cluster bootstrap): it is
other pictures that might have been chosen, not other frames of these.

On the host, in float64: there is one number an example, and any count of them.
"""

from typing import Literal, NamedTuple

import numpy as np

LEVEL = 0.95
RESAMPLES = 4000

# Drawn clusters that are held at once.
_AT_ONCE = 2**20


class Interval(NamedTuple):
    """A mean and where it would lie had other examples been drawn.

    Attributes:
      mean: of the n values.
      low: lower end of the interval; NaN of a single picture, beside which no other was drawn.
      high: upper end of the interval; NaN likewise.
      n: how many values there were.
    """

    mean: float
    low: float
    high: float
    n: int


class Paired(NamedTuple):
    """Two methods on the same pictures.

    Attributes:
      first: of the first method, over the examples that both have.
      second: of the second method, over the same.
      difference: first less second.
      first_better: the share of resamples in which the first method's mean is better, in [0, 1];
        ties count half. NaN of fewer than two pictures.
    """

    first: Interval
    second: Interval
    difference: Interval
    first_better: float


def interval(
    values_N: np.ndarray, *, pictures_N: np.ndarray | None = None, seed: int = 0
) -> Interval:
    """The mean of the finite values with its 95 % interval.

    Without any finite value all three are NaN; a single picture has no interval.

    Args:
      values_N: one value an example; NaN where there is none.
      pictures_N: what identifies each example's picture; None = each example has its own.
      seed: of the resampling.
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
    """Compares two methods on examples that both have.

    Args:
      first_N: the first method's values; NaN where there is none.
      second_N: the second method's, of the same examples.
      better: which values are.
      pictures_N: what identifies each example's picture; None = each example has its own.
      seed: of the resampling.
    """
    first, second = np.asarray(first_N, np.float64), np.asarray(second_N, np.float64)
    intervals, means_3R = _intervals(np.stack([first, second, first - second]), pictures_N, seed)
    ahead_R = means_3R[2] if better == "higher" else -means_3R[2]
    share = np.mean((ahead_R > 0) + 0.5 * (ahead_R == 0)) if len(ahead_R) else np.nan
    return Paired(*intervals, float(share))


def _intervals(
    values_VN: np.ndarray, pictures_N: np.ndarray | None, seed: int
) -> tuple[list[Interval], np.ndarray]:
    """Intervals of several values of the same examples, and the resampled means [V, R].

    R is 0 of fewer than two pictures.
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
    found = [
        Interval(float(mean), float(low), float(high), n)
        for mean, low, high in zip(means_V, *ends_2V, strict=True)
    ]
    return found, means_VR


def _resampled(rng: np.random.Generator, total_VC: np.ndarray, count_C: np.ndarray) -> np.ndarray:
    """Means of resamples of the clusters: float64[V, R]."""
    clusters = len(count_C)
    at_once = max(1, _AT_ONCE // clusters)
    means = []
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        drawn_RC = rng.integers(0, clusters, (rows, clusters))
        # How often each cluster was drawn: the same cell for the same cluster of the same row.
        cell_RC = drawn_RC + clusters * np.arange(rows)[:, None]
        weight_RC = np.bincount(cell_RC.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        means.append((total_VC @ weight_RC.T) / (weight_RC @ count_C))
    return np.concatenate(means, axis=1)
