"""Classifier-free guidance (arXiv 2207.12598)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Sample, noise level and conditions (a tree of arrays, batch first) to the velocity.
Velocity = Callable[[Float[Array, "b ..."], Float[Array, " b"], Any], Float[Array, "b ..."]]


def classifier_free_guidance(
    velocity: Velocity,
    sample: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    conditions: Any,
    negative: Any,
    scale: float,
    *,
    sequential: bool = False,
) -> Float[Array, "b ..."]:
    """Extrapolates from the velocity under the negative conditions to that under the conditions.

    Args:
      velocity: Velocity of the model.
      sample: Noisy sample.
      sigma_B: Noise level.
      conditions: Conditions to follow.
      negative: Conditions to lead away from, a tree of the same shapes.
      scale: Guidance scale. 1 gives the velocity under the conditions, 0 that under the negative
        conditions.
      sequential: Whether the two velocities are evaluated one after the other, with the memory of
        one, rather than in one batch of twice the size.
    """
    if sequential:
        both = jax.tree.map(lambda a, b: jnp.stack([a, b]), conditions, negative)
        # A loop, because the compiler might schedule two calls side by side.
        positive_v, negative_v = jax.lax.map(lambda one: velocity(sample, sigma_B, one), both)
    else:
        both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), conditions, negative)
        doubled = velocity(
            jnp.concatenate([sample, sample]), jnp.concatenate([sigma_B, sigma_B]), both
        )
        positive_v, negative_v = jnp.split(doubled, 2)
    return negative_v + scale * (positive_v - negative_v)
