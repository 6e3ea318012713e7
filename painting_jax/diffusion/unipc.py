"""UniPC (arXiv 2302.04867): a second-order predictor and corrector, Wan's default sampler.

The solver of diffusers' `UniPCMultistepScheduler` as Wan configures it: bh2, order 2, flow
prediction turned into clean predictions, first order at the last step. Each step is linear in what
was seen so far, so its weights are worked out on the host beforehand, in float64, and the device
only adds up.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Velocity = Callable[[Float[Array, "b ..."], Float[Array, " b"]], Float[Array, "b ..."]]


class Steps(NamedTuple):
    """The steps of a schedule, or a slice of them; N of them along the first axis.

    Attributes:
      level: what the velocity is told.
      sigma: the noise level.
      corrector: weights of the last corrected sample and of the clean predictions two steps ago,
        one step ago and now, whose sum is the sample corrected.
      predictor: weights of the corrected sample and of the clean predictions one step ago and now,
        whose sum is the sample at the next noise level.
    """

    level: Float[Array, " n"]
    sigma: Float[Array, " n"]
    corrector: Float[Array, "n 4"]
    predictor: Float[Array, "n 3"]


class State(NamedTuple):
    """What a step hands on; `sample` is the result.

    Attributes:
      sample: predicted at the noise level that comes next.
      corrected: the sample at the last noise level, corrected.
      before: the clean prediction at the last noise level but one.
      last: the clean prediction at the last noise level.
    """

    sample: Float[Array, "b ..."]
    corrected: Float[Array, "b ..."]
    before: Float[Array, "b ..."]
    last: Float[Array, "b ..."]


def start(noise: Float[Array, "b ..."]) -> State:
    """The state before the first step."""
    nothing = jnp.zeros_like(noise)
    return State(noise, noise, nothing, nothing)


def steps(sigmas: Float[np.ndarray, " n1"], levels: Float[np.ndarray, " n"] | None = None) -> Steps:
    """The weights of all steps.

    Args:
      sigmas: noise levels, falling to 0 from below 1.
      levels: what the velocity is told at each step; None = the noise level.
    """
    sigmas = np.asarray(sigmas)
    if not 0 < sigmas[0] < 1 or sigmas[-1] != 0 or np.any(np.diff(sigmas) >= 0):
        raise ValueError(f"noise levels must fall to 0 from below 1, not {sigmas}")
    count = len(sigmas) - 1
    levels = sigmas[:-1] if levels is None else np.asarray(levels)
    sigma = sigmas.astype(np.float64)
    with np.errstate(divide="ignore"):
        log_snr = np.log1p(-sigma) - np.log(sigma)
    corrector, predictor = np.zeros((count, 4)), np.zeros((count, 3))
    corrector[0, 0] = 1  # nothing to correct with
    for i in range(count):
        order = min(2, i + 1, count - i)
        predictor[i] = _predictor(sigma, log_snr, i, order)
        if i + 1 < count:
            corrector[i + 1] = _corrector(sigma, log_snr, i, order)
    return Steps(*(x.astype(np.float32) for x in (levels, sigmas[:-1], corrector, predictor)))


def _exponentials(h: float) -> tuple[float, float, float]:
    """e^-h - 1, and the first two moments of the bh2 solver divided by it."""
    growth = np.expm1(-h)
    first = -growth / h - 1
    second = -first / h - 1 / 2
    return growth, first / growth, 2 * second / growth


def _predictor(sigma, log_snr, i: int, order: int) -> np.ndarray:
    h = log_snr[i + 1] - log_snr[i]
    growth = (1 - sigma[i + 1]) * np.expm1(-h)
    weights = np.array([sigma[i + 1] / sigma[i], 0, -growth])
    if order == 2:
        ratio = (log_snr[i - 1] - log_snr[i]) / h
        weights += growth / (2 * ratio) * np.array([0, -1, 1])
    return weights


def _corrector(sigma, log_snr, i: int, order: int) -> np.ndarray:
    """Weights that correct the sample at level i + 1, predicted from level i."""
    h = log_snr[i + 1] - log_snr[i]
    growth, first, second = _exponentials(h)
    growth *= 1 - sigma[i + 1]
    weights = np.array([sigma[i + 1] / sigma[i], 0, -growth, 0])
    to_now, to_before = np.array([0, 0, -1, 1]), np.array([0, 1, -1, 0])
    if order == 1:
        return weights - growth / 2 * to_now
    ratio = (log_snr[i - 1] - log_snr[i]) / h
    # Two conditions on two weights: they sum to `first`, and `ratio` times one of them plus the
    # other is `second`.
    on_before = (second - first) / (ratio - 1)
    on_now = first - on_before
    return weights - growth * (on_before / ratio * to_before + on_now * to_now)


def advance(velocity: Velocity, state: State, steps: Steps) -> State:
    """Takes the steps one after another.

    Steps may be taken in several calls, with slices of `Steps`: for a model that changes on the
    way, or to report progress.

    Args:
      velocity: of a sample, told `Steps.level`, one a sample of the batch.
      state: as of `start`, or of the steps before.
      steps: to take.
    """

    def step(state: State, step: Steps):
        level_B = jnp.full((state.sample.shape[0],), step.level)
        clean = state.sample - step.sigma * velocity(state.sample, level_B)
        last, two_ago, one_ago, now = step.corrector
        corrected = (
            last * state.corrected + two_ago * state.before + one_ago * state.last + now * clean
        )
        here, one_ago, now = step.predictor
        sample = here * corrected + one_ago * state.last + now * clean
        return State(sample, corrected, state.last, clean), None

    return jax.lax.scan(step, state, jax.tree.map(jnp.asarray, steps))[0]
