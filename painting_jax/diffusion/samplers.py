"""Samplers: from noise to a clean sample along the velocity."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.diffusion.flow_matching import shifted


def schedule(steps: int, shift: float) -> Float[Array, " n"]:
    """Noise levels from 1 to 0, `steps` + 1 of them, evenly spaced before the shift."""
    return shifted(jnp.linspace(1.0, 0.0, steps + 1), shift)


def euler(
    velocity: Callable[[Float[Array, "b ..."], Float[Array, " b"]], Float[Array, "b ..."]],
    noise: Float[Array, "b ..."],
    sigmas: Float[Array, " n"],
) -> Float[Array, "b ..."]:
    """Follows the velocity through the noise levels in straight steps.

    Args:
      velocity: of a sample at a noise level, one level a sample of the batch.
      noise: the sample at the first noise level.
      sigmas: falling from 1 to 0.
    """

    def step(sample, levels):
        sigma, following = levels
        sigma_B = jnp.full((sample.shape[0],), sigma)
        return sample + (following - sigma) * velocity(sample, sigma_B), None

    return jax.lax.scan(step, noise, (sigmas[:-1], sigmas[1:]))[0]
