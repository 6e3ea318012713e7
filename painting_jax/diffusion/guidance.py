"""Classifier-free guidance (arXiv 2207.12598)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

# Sample, noise level and conditions (a tree of arrays, batch first) to the velocity.
Velocity = Callable[[Float[Array, "b ..."], Float[Array, " b"], Any], Float[Array, "b ..."]]
# The same, or a tree of arrays, batch first.
Pass = Callable[[Float[Array, "b ..."], Float[Array, " b"], Any], Any]


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
      sequential: As in `both_passes`.
    """
    both = both_passes(velocity, sample, sigma_B, conditions, negative, sequential=sequential)
    return extrapolated(*both, scale)


def both_passes(
    one_pass: Pass,
    sample: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    conditions: Any,
    negative: Any,
    *,
    sequential: bool,
) -> tuple[Any, Any]:
    """What the model gives under the conditions, and under the negative ones.

    Args:
      one_pass: A pass of the model.
      sample: Noisy sample.
      sigma_B: Noise level.
      conditions: Conditions to follow.
      negative: Conditions to lead away from, a tree of the same shapes.
      sequential: Whether the passes are evaluated one after the other, with the memory of one,
        rather than in one batch of twice the size.
    """
    if sequential:
        stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), conditions, negative)
        # A loop, because the compiler might schedule two calls side by side.
        given = jax.lax.map(lambda one: one_pass(sample, sigma_B, one), stacked)
        return jax.tree.map(lambda x: x[0], given), jax.tree.map(lambda x: x[1], given)
    doubled = jax.tree.map(_interleaved, conditions, negative)
    given = one_pass(_interleaved(sample, sample), _interleaved(sigma_B, sigma_B), doubled)
    return jax.tree.map(lambda x: x[::2], given), jax.tree.map(lambda x: x[1::2], given)


def _interleaved(a: Shaped[Array, "b ..."], b: Shaped[Array, "b ..."]) -> Shaped[Array, "b2 ..."]:
    """Row by row, so that both passes of a row stay on the devices that hold it."""
    return jnp.stack([a, b], 1).reshape(2 * len(a), *a.shape[1:])


def extrapolated(
    positive_v: Float[Array, "b ..."], negative_v: Float[Array, "b ..."], scale: Any
) -> Float[Array, "b ..."]:
    """The velocity `scale` times as far from the negative one as that under the conditions."""
    return negative_v + scale * (positive_v - negative_v)
