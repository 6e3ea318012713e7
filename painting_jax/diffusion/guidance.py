"""Classifier-free guidance (arXiv 2207.12598), on any of the conditions."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.diffusion import conditions as conditions_lib
from painting_jax.models.painting_model import Conditions

Velocity = Callable[[Float[Array, "b ..."], Float[Array, " b"], Conditions], Float[Array, "b ..."]]


def guided(velocity: Velocity, scale: float, on: Sequence[str]) -> Velocity:
    """Extrapolates from the velocity without some conditions to the one with them.

    Both are computed in one batch of twice the size.

    Args:
      velocity: of the model.
      scale: 1 = as the model is; above 1 the conditions count for more.
      on: names of the conditions guided on, of `conditions.FIELDS`.
    """
    if scale == 1:
        return velocity

    def with_guidance(sample, sigma_B, conditions):
        gone_B = jnp.ones(sigma_B.shape, bool)
        without = conditions_lib.drop(conditions, dict.fromkeys(on, gone_B))
        both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), conditions, without)
        twice = velocity(jnp.concatenate([sample, sample]), jnp.tile(sigma_B, 2), both)
        conditioned, unconditioned = jnp.split(twice, 2)
        return unconditioned + scale * (conditioned - unconditioned)

    return with_guidance
