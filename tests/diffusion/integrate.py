"""All steps of a sampler, one after the other."""

from collections.abc import Callable

import jax

from painting_jax.diffusion.samplers import Sampler


def integrate(sampler: Sampler, velocity: Callable, noise):
    """The sample that a velocity field leads to from noise.

    Args:
      sampler: Sampler.
      velocity: Function of sample, noise level and timestep.
      noise: Noise.
    """
    state = sampler.start(noise)
    for index in range(len(sampler.timesteps)):
        step = jax.tree.map(lambda x, index=index: x[index], sampler.steps)
        given = velocity(sampler.sample(state), step.sigma, step.timestep)
        state = sampler.advance(given, state, step)
    return sampler.sample(state)
