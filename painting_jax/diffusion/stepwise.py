"""Samplers whose steps are taken a few at a time: to show progress, or as the model changes."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from painting_jax.diffusion import samplers, schedules, unipc

Kind = Literal["unipc", "euler", "distilled"]
KINDS: tuple[Kind, ...] = ("unipc", "euler", "distilled")


class Stepwise(NamedTuple):
    """A sampler, the steps that it is to take, and what it hands on from one to the next.

    Attributes:
      timesteps: what the model is told at each step, in 0..1000, falling.
      steps: a tree of arrays, N steps along the first axis of each; see `part`.
      start: noise to the state before the first step.
      advance: velocity (as of `samplers.euler`), state and a part of the steps to the next state.
      sample: of a state; after the last step the result.
    """

    timesteps: Float[np.ndarray, " n"]
    steps: Any
    start: Callable
    advance: Callable
    sample: Callable

    def part(self, begin: int, end: int) -> Any:
        """Some of the steps, for `advance`."""
        return jax.tree.map(lambda x: x[begin:end], self.steps)


class _EulerSteps(NamedTuple):
    level: Float[Array, " n"]
    sigma: Float[Array, " n"]
    following: Float[Array, " n"]


def stepwise(kind: Kind, steps: int, shift: float) -> Stepwise:
    """The sampler of a kind.

    Args:
      kind: UniPC or Euler steps over their published schedules; "distilled" takes Euler steps
        over the schedule of a model distilled to a few steps.
      steps: N.
      shift: of the noise levels.
    """
    if kind == "unipc":
        sigmas, timesteps = schedules.unipc(steps, shift)
        return Stepwise(
            timesteps,
            unipc.steps(sigmas, timesteps),
            start=unipc.start,
            advance=unipc.advance,
            sample=lambda state: state.sample,
        )
    if kind == "euler":
        sigmas, timesteps = schedules.euler(steps, shift)
    else:
        sigmas, timesteps = schedules.distilled(np.linspace(1000, 0, steps + 1)[:-1], shift)
    return Stepwise(
        timesteps,
        _EulerSteps(timesteps, sigmas[:-1], sigmas[1:]),
        start=lambda noise: noise,
        advance=_euler,
        sample=lambda state: state,
    )


def _euler(velocity: samplers.Velocity, sample, steps: _EulerSteps):
    sigmas = jnp.concatenate([steps.sigma, steps.following[-1:]])
    return samplers.euler(velocity, sample, sigmas, steps.level)
