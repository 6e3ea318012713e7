"""Samplers: from noise to a clean sample along the velocity."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

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
