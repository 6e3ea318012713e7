"""Do the conditions work? What a model loses when one of them comes from another example."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from painting_jax.evaluation.result import ConditionEffect
from painting_jax.metrics import bootstrap

# The condition's name, and the arrays that may carry it: a batch has one of them.
CONDITIONS = {
    "medium": ("medium_BM",),
    "segments": ("segments_BHW",),
    "text": ("text_BL", "text_BLD"),
    "reference": ("reference_BHWC",),
}

Losses = Callable[..., np.ndarray]


def effects(
    losses: Losses,
    batches: Sequence[tuple[Mapping[str, np.ndarray], int]],
    *,
    draws: int,
    seed: int,
    watch: Callable[[Sequence, str], Sequence] = lambda items, _: items,
) -> dict[str, ConditionEffect]:
    """The rise of the held-out loss when a condition is exchanged among the examples.

    An example counts for a condition only where it really got another value. The noise is the same
    with and without the exchange.

    Args:
      losses: (batch, seed=) -> float32[B], the loss of each example at noise fixed by the seed.
      batches: of the batch contract, each with the number of its first examples that count.
      draws: how many draws of noise each example's loss is averaged over.
      seed: of the exchanges, the noise and the bootstrap.
      watch: wraps an iterable, with what is done, to show progress.

    Returns:
      By condition; the interval is that of the paired differences over examples.
    """
    rng = np.random.default_rng(seed)

    def mean_loss(batch) -> np.ndarray:
        return np.mean([losses(batch, seed=seed + draw) for draw in range(draws)], axis=0)

    first, _ = batches[0]
    arrays = {name: next(k for k in keys if k in first) for name, keys in CONDITIONS.items()}
    # Exchanged among all, not batch by batch: a batch may hold a single picture's processes.
    values = {
        name: np.concatenate([batch[key][:count] for batch, count in batches])
        for name, key in arrays.items()
    }
    taken = {name: exchange(values_N, rng) for name, values_N in values.items()}
    before, rise, start = [], {name: [] for name in CONDITIONS}, 0
    for batch, count in watch(batches, "exchanging conditions"):
        loss_B = mean_loss(batch)
        before.append(loss_B[:count])
        for name, key in arrays.items():
            order_N, changed_N = (x[start : start + count] for x in taken[name])
            exchanged_N = loss_B
            if changed_N.any():
                array = np.concatenate([values[name][order_N], batch[key][count:]])
                exchanged_N = mean_loss({**batch, key: array})
            rise[name].append(np.where(changed_N, (exchanged_N - loss_B)[:count], np.nan))
        start += count
    loss_N = np.concatenate(before)
    found = {}
    for name, differences in rise.items():
        rise_N = np.concatenate(differences)
        if np.isfinite(rise_N).any():
            interval = bootstrap.interval(rise_N, seed=seed)
            found[name] = ConditionEffect(interval, float(loss_N[np.isfinite(rise_N)].mean()))
    return found


def exchange(values_N: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A permutation that gives every example another value, as far as there are enough.

    Examples are laid out by value, in random order within, and the whole is turned by the largest
    group: no value can then meet itself unless it is held by more than half of the examples.

    Args:
      values_N: any array with one entry an example.
      rng: decides the order within equal values.

    Returns:
      order_N int, the example that each one's value comes from; changed_N bool, where the value
      differs from its own.
    """
    n = len(values_N)
    _, group_N = np.unique(values_N.reshape(n, -1), axis=0, return_inverse=True)
    group_N = group_N.reshape(-1)
    by_value = np.lexsort((rng.permutation(n), group_N))
    order_N = np.empty(n, int)
    order_N[by_value] = np.roll(by_value, -np.bincount(group_N).max())
    return order_N, group_N[order_N] != group_N
