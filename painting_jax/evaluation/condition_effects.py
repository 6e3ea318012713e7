"""Whether a model uses its conditions: its loss when one comes from another example."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from painting_jax.evaluation.result import ConditionEffect
from painting_jax.metrics import bootstrap

# Conditions and the arrays that can carry them; a batch has one of each.
CONDITIONS = {
    "medium": ("medium_BM",),
    "segments": ("segments_BHW",),
    "text": ("text_BL", "text_BLD"),
    "reference": ("reference_BHWC",),
}

# Arrays that are exchanged with them, where a batch has them.
_TOGETHER = {"segments": ("behind_segments_BHW",), "reference": ("behind_BHWC",)}

Losses = Callable[..., np.ndarray]


def condition_effects(
    losses: Losses,
    batches: Sequence[tuple[Mapping[str, np.ndarray], int]],
    *,
    pictures: Sequence[str],
    draws: int,
    seed: int,
    watch: Callable[[Iterable, str], Iterable] = lambda items, _: items,
) -> dict[str, ConditionEffect]:
    """Measures the rise of the held-out loss when a condition is exchanged among the examples.

    An example counts for a condition only if it received a different value. The noise is the same
    with and without the exchange.

    Args:
      losses: Function (batch, seed=) -> float32[B], the loss of each example at seeded noise.
      batches: Batches, each with the number of its first examples that count.
      pictures: Identifier of each counting example's picture, in the order of the batches.
      draws: Number of draws of noise over which each loss is averaged.
      seed: Seed of the exchanges, the noise and the bootstrap.
      watch: Wraps an iterable and a description of the work to show progress.

    Returns:
      The effects by condition: paired differences of examples, with intervals over pictures, since
      the processes of one picture rise together.
    """
    rng = np.random.default_rng(seed)

    def mean_loss(batch) -> np.ndarray:
        return np.mean([losses(batch, seed=seed + draw) for draw in range(draws)], axis=0)

    first, _ = batches[0]
    arrays = {
        name: (
            next(key for key in keys if key in first),
            *(key for key in _TOGETHER.get(name, ()) if key in first),
        )
        for name, keys in CONDITIONS.items()
    }
    # Exchange across batches: one batch may hold the processes of a single picture.
    values = {
        key: np.concatenate([batch[key][:count] for batch, count in batches])
        for keys in arrays.values()
        for key in keys
    }
    exchanges = {name: exchange(values[keys[0]], rng) for name, keys in arrays.items()}
    before, rise, start = [], {name: [] for name in CONDITIONS}, 0
    for batch, count in watch(batches, "exchanging conditions"):
        loss_B = mean_loss(batch)
        before.append(loss_B[:count])
        for name, keys in arrays.items():
            order_N, changed_N = (x[start : start + count] for x in exchanges[name])
            exchanged_B = loss_B
            if changed_N.any():
                exchanged = {
                    key: np.concatenate([values[key][order_N], batch[key][count:]]) for key in keys
                }
                exchanged_B = mean_loss({**batch, **exchanged})
            rise[name].append(np.where(changed_N, (exchanged_B - loss_B)[:count], np.nan))
        start += count
    loss_N = np.concatenate(before)
    effects = {}
    for name, differences in rise.items():
        rise_N = np.concatenate(differences)
        if np.isfinite(rise_N).any():
            interval = bootstrap.interval(rise_N, pictures_N=np.array(pictures), seed=seed)
            effects[name] = ConditionEffect(interval, float(loss_N[np.isfinite(rise_N)].mean()))
    return effects


def exchange(values_N: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws a permutation that gives every example a different value, if possible.

    Examples are sorted by value, in random order within a value, and rotated by the size of the
    largest group: a value can then meet itself only if more than half of the examples have it.

    Args:
      values_N: Any array with one entry per example.
      rng: Generator of the order within equal values.

    Returns:
      order_N int, the example that each one's value comes from; changed_N bool, whether the value
      differs from its own.
    """
    n = len(values_N)
    _, group_N = np.unique(values_N.reshape(n, -1), axis=0, return_inverse=True)
    group_N = group_N.reshape(-1)
    by_value = np.lexsort((rng.permutation(n), group_N))
    order_N = np.empty(n, int)
    order_N[by_value] = np.roll(by_value, -np.bincount(group_N).max())
    return order_N, group_N[order_N] != group_N
