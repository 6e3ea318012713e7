"""Formulas of a training step in numpy, in float64: what the optimizer is tested against.

Trees of parameters are flat here: path -> array.
"""

from collections.abc import Collection

import jax
import numpy as np

Flat = dict[str, np.ndarray]


def flat(tree) -> Flat:
    """A tree by the paths of its leaves, in float64."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf, np.float64)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def learning_rate(step: int, *, peak: float, warmup: int, steps: int, final: float) -> float:
    """Linear to the peak in `warmup` steps, none of them at 0, then half a cosine to `final`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min((step - warmup) / (steps - warmup), 1)
    return peak * (final + (1 - final) * (1 + np.cos(np.pi * done)) / 2)


def global_norm(gradient: Flat) -> float:
    return float(np.sqrt(sum(np.square(g).sum() for g in gradient.values())))


def clipped(gradient: Flat, most: float) -> Flat:
    """The gradient, shortened to the norm `most` if it is longer."""
    share = min(1, most / global_norm(gradient))
    return {name: share * g for name, g in gradient.items()}


def ema(average: Flat, params: Flat, step: int, decay: float) -> Flat:
    """The average after step number `step`, from 0; it forgets its start faster than later."""
    kept = min(decay, (1 + step) / (10 + step))
    return {name: kept * average[name] + (1 - kept) * params[name] for name in average}


class AdamW:
    """Adam with decoupled weight decay (arXiv 1711.05101, algorithm 2).

    Args:
      params: to start from.
      b1: decay of the mean of gradients.
      b2: decay of the mean of their squares.
      decay: weight decay, times the learning rate.
      decayed: paths of the parameters that it applies to.
      eps: added to the root.
    """

    def __init__(
        self,
        params: Flat,
        *,
        b1: float,
        b2: float,
        decay: float,
        decayed: Collection[str],
        eps: float = 1e-8,
    ):
        assert set(decayed) <= params.keys()
        self.params = dict(params)
        self.mu = {name: np.zeros_like(p) for name, p in params.items()}
        self.nu = dict(self.mu)
        self.b1, self.b2, self.decay, self.decayed, self.eps = b1, b2, decay, decayed, eps
        self.count = 0

    def step(self, gradient: Flat, learning_rate: float) -> None:
        self.count += 1
        for name, g in gradient.items():
            self.mu[name] = self.b1 * self.mu[name] + (1 - self.b1) * g
            self.nu[name] = self.b2 * self.nu[name] + (1 - self.b2) * g**2
            mean = self.mu[name] / (1 - self.b1**self.count)
            square = self.nu[name] / (1 - self.b2**self.count)
            change = mean / (np.sqrt(square) + self.eps)
            if name in self.decayed:
                change = change + self.decay * self.params[name]
            self.params[name] = self.params[name] - learning_rate * change
