"""Samplers: integrate the velocity from noise to a clean sample, one step at a time.

Steps are separate so that the model can change between them (Wan2.2 A14B has one expert for high
noise and one for low noise) and so that progress can be shown. Adding a sampler is an entry in
`SAMPLERS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, UInt32

from painting_jax.diffusion import schedules, unipc
from painting_jax.diffusion.schedules import Schedule

# Numbers of steps up to this share one compiled program.
_TABLE = 64


class Sampler(NamedTuple):
    """A sampler with its schedule.

    Attributes:
      timesteps: Decreasing timesteps, in 0..1000, at which the model is evaluated.
      steps: Tree of arrays with the N steps along the first axis of each, `timestep` and `sigma`
        among others.
      start: Noise to the state before the first step.
      advance: Velocity of the state's latents at the step's noise level, state and one step to the
        next state. It is the same function for all samplers of a kind, so that compiled programs
        are shared.
      sample: State to its latents, which are the result after the last step.
    """

    timesteps: Float[np.ndarray, " n"]
    steps: Any
    start: Callable[[Float[Array, "b ..."]], Any]
    advance: Callable[[Float[Array, "b ..."], Any, Any], Any]
    sample: Callable[[Any], Float[Array, "b ..."]]

    def padded_steps(self) -> Any:
        """The steps in a table whose length is a multiple of 64; rows beyond the last repeat it.

        A program that takes its steps from the table serves any number of them.
        """
        padding = -len(self.timesteps) % _TABLE
        return jax.tree.map(
            lambda x: np.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1), mode="edge"), self.steps
        )

    def expert_steps(self, boundary: float | None) -> list[range]:
        """Steps taken by each of a model's experts, high noise first.

        Args:
          boundary: Noise level, 0..1, below which the second expert takes over; None for a model
            with one transformer.
        """
        count = len(self.timesteps)
        if boundary is None:
            return [range(count)]
        high = int(np.sum(self.timesteps >= 1000 * boundary))
        return [range(high), range(high, count)]


class EulerStep(NamedTuple):
    """A straight step from one noise level to the next."""

    timestep: Float[Array, "*n"]
    sigma: Float[Array, "*n"]
    next_sigma: Float[Array, "*n"]


class LCMStep(NamedTuple):
    """A jump to the clean sample and back to the next noise level with fresh noise."""

    timestep: Float[Array, "*n"]
    sigma: Float[Array, "*n"]
    next_sigma: Float[Array, "*n"]
    key_data: UInt32[Array, "*n k"]


def _euler(schedule: Schedule) -> Sampler:
    steps = EulerStep(schedule.timesteps, schedule.sigmas[:-1], schedule.sigmas[1:])
    return Sampler(schedule.timesteps, steps, _same, _euler_advance, _same)


def _euler_advance(velocity: Float[Array, "b ..."], sample: Float[Array, "b ..."], step: EulerStep):
    return sample + (step.next_sigma - step.sigma) * velocity


def _lcm(steps: int, shift: float, seed: int) -> Sampler:
    """Consistency sampling (arXiv 2310.04378) on straight paths: `FlowMatchLCMScheduler`."""
    sigmas, timesteps = schedules.distilled(steps, shift)
    # The initial noise is drawn with the seed itself.
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), steps)
    key_data = np.asarray(jax.random.key_data(keys))
    taken = LCMStep(timesteps, sigmas[:-1], sigmas[1:], key_data)
    return Sampler(timesteps, taken, _same, _lcm_advance, _same)


def _lcm_advance(velocity: Float[Array, "b ..."], sample: Float[Array, "b ..."], step: LCMStep):
    clean = sample - step.sigma * velocity
    # A picture's noise is the same in every batch.
    noise = jax.random.normal(jax.random.wrap_key_data(step.key_data), sample.shape[1:])
    return (1 - step.next_sigma) * clean + step.next_sigma * noise


def _unipc(steps: int, shift: float, seed: int) -> Sampler:
    del seed
    sigmas, timesteps = schedules.unipc(steps, shift)
    return Sampler(
        timesteps,
        unipc.make_steps(sigmas, timesteps),
        start=unipc.start,
        advance=unipc.advance,
        sample=unipc.sample,
    )


def _same(sample: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
    return sample


SAMPLERS: dict[str, Callable[[int, float, int], Sampler]] = {
    # For published models: diffusers' UniPCMultistepScheduler and FlowMatchEulerDiscreteScheduler.
    "unipc": _unipc,
    "euler": lambda steps, shift, seed: _euler(schedules.euler(steps, shift)),
    # For models distilled to a few steps: Euler steps for Wan2.2, consistency steps for Wan2.1.
    "distilled": lambda steps, shift, seed: _euler(schedules.distilled(steps, shift)),
    "lcm": _lcm,
    # Euler steps at evenly spaced noise levels (rectified flow, arXiv 2209.03003).
    "rectified_flow": lambda steps, shift, seed: _euler(schedules.even(steps, shift)),
}

# Samplers for distilled models. Their defaults are 4 steps, shift 5 and no guidance.
DISTILLED = ("distilled", "lcm")


def make_sampler(kind: str, steps: int, shift: float, seed: int = 0) -> Sampler:
    """A sampler with its schedule.

    Args:
      kind: A key of `SAMPLERS`.
      steps: Number of steps.
      shift: Time shift of the noise levels.
      seed: Seed of the fresh noise of "lcm".

    Raises:
      ValueError: If noise levels coincide, which happens with many steps and a large shift.
    """
    return SAMPLERS[kind](steps, shift, seed)
