"""Classifier-free guidance (arXiv 2207.12598), on any of the conditions."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from painting_jax.models.painting import conditioning as conditions_lib
from painting_jax.models.painting.modeling import Conditions

# The velocity of a sample at a noise level under conditions: a tree of arrays, batch first.
Velocity = Callable[[Float[Array, "b ..."], Float[Array, "b ..."], Any], Float[Array, "b ..."]]


def guided(
    velocity: Velocity, scale: float, on: Sequence[str], *, in_turn: bool = False
) -> Velocity:
    """Extrapolates from the velocity without some conditions to the one with them.

    Args:
      velocity: of the model.
      scale: 1 = as the model is; above 1 the conditions count for more.
      on: names of the conditions guided on, of `conditions.FIELDS`.
      in_turn: as of `contrasted`.
    """
    if scale == 1:
        return velocity
    from_without = contrasted(velocity, scale, in_turn=in_turn)

    def with_guidance(sample, sigma_B, conditions: Conditions):
        gone_B = jnp.ones(sigma_B.shape, bool)
        without = conditions_lib.drop(conditions, dict.fromkeys(on, gone_B))
        return from_without(sample, sigma_B, conditions, without)

    return with_guidance


def contrasted(velocity: Velocity, scale: float, *, in_turn: bool = False) -> Callable:
    """The velocity of a sample at a noise level, from other conditions (a negative prompt) to some.

    Args:
      velocity: of the model.
      scale: 1 = of the conditions; 0 = of the others; above 1 extrapolates.
      in_turn: evaluate under the two one after the other, with the memory of one, instead of in
        one batch of twice the size.

    Returns:
      A function of sample, noise level, conditions and the other conditions, trees alike.
    """

    def from_others(sample, sigma_B, conditions, others):
        if in_turn:
            both = jax.tree.map(lambda a, b: jnp.stack([a, b]), conditions, others)
            # A loop, because two calls might be scheduled side by side.
            wanted, unwanted = jax.lax.map(lambda one: velocity(sample, sigma_B, one), both)
        else:
            both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), conditions, others)
            twice = velocity(
                jnp.concatenate([sample, sample]), jnp.concatenate([sigma_B, sigma_B]), both
            )
            wanted, unwanted = jnp.split(twice, 2)
        return unwanted + scale * (wanted - unwanted)

    return from_others
