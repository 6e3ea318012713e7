"""All steps of a sampler, one after the other."""

from painting_jax.diffusion.samplers import Sampler, Velocity


def integrate(sampler: Sampler, velocity: Velocity, noise):
    """The sample that a velocity field leads to from noise."""
    state = sampler.start(noise)
    for index in range(len(sampler.timesteps)):
        state = sampler.advance(velocity, state, sampler.step(index))
    return sampler.sample(state)
