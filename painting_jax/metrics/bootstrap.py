"""Confidence intervals of means over pictures: the bootstrap-t (Efron & Tibshirani, 1993, ch. 12).

Values of the same picture are resampled together (cluster bootstrap): the interval covers the
choice of pictures, not the choice of frames or media.

Percentile intervals of few pictures are too narrow: those of five cover the mean in about 82 % of
cases instead of 95 %. The bootstrap-t instead takes the percentiles of the studentised mean,
(m* - m) / s*, with the standard error s* of each resample. With fewer than five pictures, many
resamples repeat a single one and have no standard error. Student's t, with one degree of freedom
fewer than pictures, then takes its place, as it does if nearly all values are equal.

Runs on the host in float64, since there is only one number per example.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

LEVEL = 0.95
RESAMPLES = 4000

# With fewer pictures, a report makes no claim beyond the numbers.
FEWEST_FOR_A_CLAIM = 5

# With fewer pictures, a report says that intervals are rough.
FEW = 10

# With fewer pictures, Student's t replaces the bootstrap-t.
_FEWEST_RESAMPLED = 5

# A resample has no spread if its standard error is below this share of the sample's. Student's t
# replaces the bootstrap-t if more than this share of the resamples has none.
_NO_SPREAD = 1e-3
_MOST_WITHOUT_SPREAD = 0.01

# Drawn pictures held in memory at once.
_AT_ONCE = 2**20


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
      mean: Mean of the n values.
      low: Lower end of the interval; NaN with a single picture.
      high: Upper end of the interval; NaN with a single picture.
      n: Number of values.
      pictures: Number of pictures that the values belong to; the interval is over these.
    """

    mean: float
    low: float
    high: float
    n: int
    pictures: int

    @property
    def supports_claims(self) -> bool:
        """Whether there are enough pictures to say more than the number."""
        return self.pictures >= FEWEST_FOR_A_CLAIM

    def within(self, least: float, most: float) -> "Interval":
        """The interval without values that the mean cannot have."""
        return self._replace(low=max(self.low, least), high=min(self.high, most))


NO_INTERVAL = Interval(float("nan"), float("nan"), float("nan"), 0, 0)


class Paired(NamedTuple):
    """A comparison of two methods on the same examples.

    Attributes:
      first: Mean of the first method.
      second: Mean of the second method.
      difference: Mean of first minus second.
      first_better: Share of resamples in which the first method's mean is better, in [0, 1]; ties
        count half. NaN with fewer than `FEWEST_FOR_A_CLAIM` pictures.
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
    values_3N = np.stack([first, second, first - second])
    intervals, means_3R = _intervals(values_3N, pictures_N, seed)
    ahead_R = means_3R[2] if better == "higher" else -means_3R[2]
    share = np.nan
    if intervals[2].supports_claims:
        share = float(np.mean((ahead_R > 0) + 0.5 * (ahead_R == 0)))
    return Paired(intervals[0], intervals[1], intervals[2], share)


def _intervals(
    values_VN: np.ndarray, pictures_N: np.ndarray | None, seed: int
) -> tuple[list[Interval], list[np.ndarray]]:
    """Returns an interval per row, and the resampled means of each, float64[R].

    R is 0 with fewer than two pictures.
    """
    valid_N = np.isfinite(values_VN).all(axis=0)
    values_VN = values_VN[:, valid_N]
    n = values_VN.shape[1]
    if n == 0:
        return [NO_INTERVAL] * len(values_VN), [np.zeros(0)] * len(values_VN)
    pictures_N = np.arange(n) if pictures_N is None else np.asarray(pictures_N)[valid_N]
    _, picture_N = np.unique(pictures_N, return_inverse=True)
    count_P = np.bincount(picture_N)
    intervals, means = [], []
    for values_N in values_VN:
        mean, low, high = values_N.mean(), np.nan, np.nan
        means_R = np.zeros(0)
        if len(count_P) > 1:
            # Around zero, a small spread about a large mean keeps its digits.
            total_P = np.bincount(picture_N, weights=values_N - mean)
            rounding = 1e-13 * np.abs(values_N).max()
            (below, above), apart_R = _ends(total_P, count_P, seed, rounding=rounding)
            low, high, means_R = mean + below, mean + above, mean + apart_R
        intervals.append(Interval(float(mean), float(low), float(high), n, len(count_P)))
        means.append(means_R)
    return intervals, means


def _ends(
    total_P: np.ndarray, count_P: np.ndarray, seed: int, *, rounding: float
) -> tuple[tuple[float, float], np.ndarray]:
    """Both ends of the interval of a mean that is 0, and its resampled means, float64[R].

    Args:
      total_P: Sum of each picture's values.
      count_P: Number of each picture's values.
      seed: Seed of the resampling.
      rounding: Standard error that is mere rounding.
    """
    pictures = len(count_P)
    _, (error,) = _means_and_errors(total_P, count_P, np.ones((1, pictures)))
    if error <= rounding:
        return (0.0, 0.0), np.zeros(RESAMPLES)
    resampled = [_means_and_errors(total_P, count_P, x_RP) for x_RP in _resamples(pictures, seed)]
    means_R, errors_R = np.concatenate(resampled, axis=1)
    tail = (1 - LEVEL) / 2
    spread_R = errors_R > _NO_SPREAD * error
    if pictures < _FEWEST_RESAMPLED or np.mean(~spread_R) > _MOST_WITHOUT_SPREAD:
        half = special.stdtrit(pictures - 1, 1 - tail) * _jackknife_error(total_P, count_P)
        return (float(-half), float(half)), means_R
    low, high = np.quantile(means_R[spread_R] / errors_R[spread_R], [tail, 1 - tail])
    # The ends change places: where means come out too high, the true one lies below.
    return (float(-high * error), float(-low * error)), means_R


def _means_and_errors(
    total_P: np.ndarray, count_P: np.ndarray, weight_RP: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means of resamples and their standard errors, each float64[R].

    The mean is a ratio of sums over pictures, whose error is that of the linearised ratio.

    Args:
      total_P: Sum of each picture's values.
      count_P: Number of each picture's values.
      weight_RP: How often each resample holds each picture.
    """
    pictures = len(count_P)
    terms_P5 = np.stack([total_P, count_P, total_P**2, total_P * count_P, count_P**2], axis=1)
    total_R, count_R, squares_R, mixed_R, counts_R = (weight_RP @ terms_P5).T
    mean_R = total_R / count_R
    residual_R = squares_R - 2 * mean_R * mixed_R + mean_R**2 * counts_R
    error_R = np.sqrt(pictures / (pictures - 1) * np.maximum(residual_R, 0)) / count_R
    return mean_R, error_R


def _jackknife_error(total_P: np.ndarray, count_P: np.ndarray) -> float:
    """Standard error of the mean by leaving out one picture at a time.

    Unlike the linearised one, it is not too small if few pictures have most of the values.
    """
    pictures = len(count_P)
    without_P = (total_P.sum() - total_P) / (count_P.sum() - count_P)
    return float(np.sqrt((pictures - 1) ** 2 / pictures * without_P.var(ddof=1)))


def _resamples(pictures: int, seed: int) -> Iterable[np.ndarray]:
    """How often each resample holds each picture: float64[r, P], `RESAMPLES` rows in all."""
    fits = pictures * RESAMPLES <= _AT_ONCE
    return _kept_resamples(pictures, seed) if fits else _drawn_resamples(pictures, seed)


@functools.lru_cache(maxsize=4)
def _kept_resamples(pictures: int, seed: int) -> list[np.ndarray]:
    """The same for few pictures: a report needs them for each of its numbers."""
    return list(_drawn_resamples(pictures, seed))


def _drawn_resamples(pictures: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // pictures)
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        drawn_RP = rng.integers(0, pictures, (rows, pictures))
        # One bincount over (row, picture) cells counts how often each row drew each picture.
        cell_RP = drawn_RP + pictures * np.arange(rows)[:, None]
        count = np.bincount(cell_RP.ravel(), minlength=rows * pictures)
        yield count.reshape(rows, pictures).astype(np.float64)
