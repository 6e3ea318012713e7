"""Samplers whose steps are taken a few at a time: to show progress, or as the model changes."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from painting_jax.diffusion import samplers, schedules, unipc

Kind = Literal["unipc", "euler", "distilled", "lcm"]
KINDS: tuple[Kind, ...] = ("unipc", "euler", "distilled", "lcm")
# Of models that were distilled to a few steps, see `schedules.distilled`.
DISTILLED: tuple[Kind, ...] = ("distilled", "lcm")


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

    def stages(self, boundary: float | None) -> list[tuple[int, int]]:
        """Which steps each of a model's transformers takes, as begin and end.

        Args:
          boundary: noise level, 0..1, below which the second transformer takes over; None = there
            is one.
        """
        count = len(self.timesteps)
        if boundary is None:
            return [(0, count)]
        high = int(np.sum(self.timesteps >= 1000 * boundary))
        return [(0, high), (high, count)]


class _EulerSteps(NamedTuple):
    level: Float[Array, " n"]
    sigma: Float[Array, " n"]
    following: Float[Array, " n"]


class _LCMSteps(NamedTuple):
    level: Float[Array, " n"]
    sigma: Float[Array, " n"]
    following: Float[Array, " n"]
    key: UInt32[Array, "n k"]


def stepwise(kind: Kind, steps: int, shift: float, seed: int = 0) -> Stepwise:
    """The sampler of a kind.

    Args:
      kind: UniPC or Euler steps over their published schedules; "distilled" takes Euler steps
        over the schedule of a model distilled to a few steps, "lcm" steps with fresh noise.
      steps: N.
      shift: of the noise levels.
      seed: of the fresh noise.
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
    straight = timesteps, sigmas[:-1], sigmas[1:]
    if kind == "lcm":
        # The start has the noise of the seed itself.
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), steps)
        taken, advance = _LCMSteps(*straight, np.asarray(jax.random.key_data(keys))), _lcm
    else:
        taken, advance = _EulerSteps(*straight), _euler
    return Stepwise(
        timesteps, taken, start=lambda noise: noise, advance=advance, sample=lambda state: state
    )


def _sigmas(steps: _EulerSteps | _LCMSteps) -> Float[Array, " n1"]:
    return jnp.concatenate([steps.sigma, steps.following[-1:]])


def _euler(velocity: samplers.Velocity, sample, steps: _EulerSteps):
    return samplers.euler(velocity, sample, _sigmas(steps), steps.level)


def _lcm(velocity: samplers.Velocity, sample, steps: _LCMSteps):
    return samplers.lcm(velocity, sample, _sigmas(steps), steps.level, steps.key)
