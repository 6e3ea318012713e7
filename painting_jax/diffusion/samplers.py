"""Samplers: from noise to a clean sample along the velocity."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from painting_jax.diffusion import unipc as unipc_lib

Velocity = Callable[[Float[Array, "b ..."], Float[Array, " b"]], Float[Array, "b ..."]]


def euler(
    velocity: Velocity,
    noise: Float[Array, "b ..."],
    sigmas: Float[Array, " n1"],
    levels: Float[Array, " n"] | None = None,
) -> Float[Array, "b ..."]:
    """Follows the velocity through the noise levels in straight steps.

    Args:
      velocity: of a sample at a noise level, one level a sample of the batch.
      noise: the sample at the first noise level.
      sigmas: falling from 1 to 0; a part of them goes a part of the way.
      levels: what the velocity is told at each step in place of the noise level, such as a
        `Schedule`'s timesteps.
    """
    levels = sigmas[:-1] if levels is None else levels

    def step(sample, step):
        level, sigma, following = step
        level_B = jnp.full((sample.shape[0],), level)
        return sample + (following - sigma) * velocity(sample, level_B), None

    return jax.lax.scan(step, noise, (jnp.asarray(levels), sigmas[:-1], sigmas[1:]))[0]


def lcm(
    velocity: Velocity,
    noise: Float[Array, "b ..."],
    sigmas: Float[Array, " n1"],
    levels: Float[Array, " n"],
    keys: UInt32[Array, "n k"],
) -> Float[Array, "b ..."]:
    """Jumps from each noise level to the clean sample, and from there to the next with fresh noise.

    The steps of consistency models (arXiv 2310.04378) on straight paths, as of diffusers'
    `FlowMatchLCMScheduler`. Arguments as of `euler`, and:

    Args:
      velocity: of a sample at a noise level.
      noise: the sample at the first noise level.
      sigmas: falling from 1 to 0.
      levels: what the velocity is told at each step.
      keys: of the noise that comes after each step, as of `jax.random.key_data`.
    """

    def step(sample, step):
        level, sigma, following, key = step
        level_B = jnp.full((sample.shape[0],), level)
        clean = sample - sigma * velocity(sample, level_B)
        fresh = jax.random.normal(jax.random.wrap_key_data(key), sample.shape)
        return (1 - following) * clean + following * fresh, None

    return jax.lax.scan(step, noise, (jnp.asarray(levels), sigmas[:-1], sigmas[1:], keys))[0]


def unipc(
    velocity: Velocity,
    noise: Float[Array, "b ..."],
    sigmas: Float[np.ndarray, " n1"],
    levels: Float[np.ndarray, " n"] | None = None,
) -> Float[Array, "b ..."]:
    """Follows the velocity with a second-order predictor and corrector, in as many evaluations.

    Arguments as of `euler`, but the noise levels are known on the host, and fall from below 1.
    """
    return unipc_lib.advance(
        velocity, unipc_lib.start(noise), unipc_lib.steps(sigmas, levels)
    ).sample
