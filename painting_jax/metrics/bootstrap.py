"""Confidence intervals of means by the percentile bootstrap (Efron, 1979).

Where several values come from one picture they are drawn together (the cluster bootstrap): it is
other pictures that might have been chosen, not other frames of these.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LEVEL = 0.95
RESAMPLES = 4000

# Resamples that are held at once.
_AT_ONCE = 250


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


class Paired(NamedTuple):
    """Two methods on the same pictures.

    Attributes:
      first: of the first method, over the examples that both have.
      second: of the second method, over the same.
      difference: first less second.
      first_better: the share of resamples in which the first method's mean is better, in [0, 1];
        ties count half. NaN without any pair.
    """

    first: Interval
    second: Interval
    difference: Interval
    first_better: float


def interval(
    values_N: np.ndarray, *, pictures_N: np.ndarray | None = None, seed: int = 0
) -> Interval:
    """The mean of the finite values with its 95 % interval.

    Without any finite value all three are NaN; a single picture is its own interval.

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
    share = np.mean((ahead_R > 0) + 0.5 * (ahead_R == 0)) if intervals[0].n else np.nan
    return Paired(*intervals, float(share))


def _intervals(
    values_VN: np.ndarray, pictures_N: np.ndarray | None, seed: int
) -> tuple[list[Interval], np.ndarray]:
    """Intervals of several values of the same examples, and the resampled means [V, R]."""
    valid_N = np.isfinite(values_VN).all(axis=0)
    values_VN = values_VN[:, valid_N]
    n = values_VN.shape[1]
    if n == 0:
        none = Interval(float("nan"), float("nan"), float("nan"), 0)
        return [none] * len(values_VN), np.zeros((len(values_VN), 0))
    pictures_N = np.arange(n) if pictures_N is None else np.asarray(pictures_N)[valid_N]
    _, cluster_N = np.unique(pictures_N, return_inverse=True)
    clusters = int(cluster_N.max()) + 1
    # Room for a power of two, so that few shapes are compiled.
    room = 1 << (clusters - 1).bit_length()
    count_C = np.bincount(cluster_N, minlength=room)
    mean_V = values_VN.mean(axis=1)
    # Deviations are drawn, not values: float32 would cut a small spread off a large mean.
    total_VC = np.stack(
        [
            np.bincount(cluster_N, weights=values_N - mean, minlength=room)
            for values_N, mean in zip(values_VN, mean_V, strict=True)
        ]
    )
    drawn_VR = _resampled(
        jax.random.key(seed), total_VC.astype(np.float32), count_C.astype(np.int32), clusters
    )
    means_VR = mean_V[:, None] + np.asarray(drawn_VR, np.float64)
    tail = (1 - LEVEL) / 2
    ends_2V = np.quantile(means_VR, [tail, 1 - tail], axis=1)
    found = [
        Interval(float(mean), float(low), float(high), n)
        for mean, low, high in zip(mean_V, *ends_2V, strict=True)
    ]
    return found, means_VR


@jax.jit
def _resampled(
    key: jax.Array, total_VC: jax.Array, count_C: jax.Array, clusters: jax.Array
) -> jax.Array:
    """Means of resamples of the first `clusters` clusters: float32[V, R]."""
    room = len(count_C)

    def one(key):
        chosen_C = jax.random.randint(key, (room,), 0, clusters)
        inside_C = jnp.arange(room) < clusters
        count = jnp.sum(jnp.where(inside_C, count_C[chosen_C], 0))
        return jnp.sum(jnp.where(inside_C, total_VC[:, chosen_C], 0), axis=1) / count

    keys = jax.random.split(key, RESAMPLES)
    return jax.lax.map(one, keys, batch_size=_AT_ONCE).T
