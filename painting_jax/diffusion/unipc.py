"""UniPC (arXiv 2302.04867): a second-order predictor and corrector, Wan's default sampler.

This is the solver of diffusers' `UniPCMultistepScheduler` as Wan configures it: bh2, order 2, flow
predictions converted to clean predictions, first order at the last step. Each step is linear in the
samples and predictions so far. Its weights are computed beforehand on the host in float64, and the
device only computes weighted sums.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class UniPCStep(NamedTuple):
    """One step, or N of them along the first axis of each array.

    Attributes:
      timestep: Timestep of the model, in 0..1000.
      sigma: Noise level.
      corrector: Weights of the last corrected sample and of the clean predictions two steps ago,
        one step ago and now; their weighted sum is the corrected sample.
      predictor: Weights of the corrected sample and of the clean predictions one step ago and now;
        their weighted sum is the sample at the next noise level.
    """

    timestep: Float[Array, "*n"]
    sigma: Float[Array, "*n"]
    corrector: Float[Array, "*n 4"]
    predictor: Float[Array, "*n 3"]


class State(NamedTuple):
    """State between two steps; `sample` is the result.

    Attributes:
      sample: Sample predicted at the next noise level.
      corrected: Corrected sample at the last noise level.
      before: Clean prediction at the noise level before the last.
      last: Clean prediction at the last noise level.
    """

    sample: Float[Array, "b ..."]
    corrected: Float[Array, "b ..."]
    before: Float[Array, "b ..."]
    last: Float[Array, "b ..."]


def start(noise: Float[Array, "b ..."]) -> State:
    """The state before the first step."""
    zeros = jnp.zeros_like(noise)
    return State(noise, noise, zeros, zeros)


def sample(state: State) -> Float[Array, "b ..."]:
    """The sample of a state."""
    return state.sample


def make_steps(sigmas: Float[np.ndarray, " n1"], timesteps: Float[np.ndarray, " n"]) -> UniPCStep:
    """The weights of all steps.

    Args:
      sigmas: Noise levels, decreasing from below 1 to 0.
      timesteps: Timestep of the model at each step.

    Raises:
      ValueError: If the noise levels do not decrease from below 1 to 0.
    """
    sigmas = np.asarray(sigmas)
    if not 0 < sigmas[0] < 1 or sigmas[-1] != 0 or np.any(np.diff(sigmas) >= 0):
        raise ValueError(f"noise levels must fall to 0 from below 1, not {sigmas}")
    count = len(sigmas) - 1
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
    arrays = (timesteps, sigmas[:-1], corrector, predictor)
    return UniPCStep(*(np.asarray(x, np.float32) for x in arrays))


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
    """Weights that correct the sample predicted at level i + 1 from level i."""
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


def advance(velocity: Float[Array, "b ..."], state: State, step: UniPCStep) -> State:
    """Takes one step.

    Args:
      velocity: Velocity of the state's sample.
      state: State before the step.
      step: One step of `make_steps`.
    """
    clean = state.sample - step.sigma * velocity
    last, two_ago, one_ago, now = step.corrector
    corrected = last * state.corrected + two_ago * state.before + one_ago * state.last + now * clean
    here, one_ago, now = step.predictor
    predicted = here * corrected + one_ago * state.last + now * clean
    return State(predicted, corrected, state.last, clean)
