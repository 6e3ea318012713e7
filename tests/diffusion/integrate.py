"""All steps of a sampler, one after the other."""

import jax

from painting_jax.diffusion.samplers import Sampler, Velocity


def integrate(sampler: Sampler, velocity: Velocity, noise):
    """The sample that a velocity field leads to from noise."""
    state = sampler.start(noise)
    for index in range(len(sampler.timesteps)):
        step = jax.tree.map(lambda x, index=index: x[index], sampler.steps)
        state = sampler.advance(velocity, state, step)
    return sampler.sample(state)
