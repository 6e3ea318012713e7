"""Classifier-free guidance (arXiv 2207.12598)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

# Sample, noise level and conditions (a tree of arrays, batch first) to the velocity, or to the
# velocity and a tree of arrays, batch first.
Pass = Callable[[Float[Array, "b ..."], Float[Array, " b"], Any], Any]


def classifier_free_guidance(
    one_pass: Pass,
    sample: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    conditions: Any,
    negative: Any,
    scale: Any,
    *,
    sequential: bool = False,
    has_aux: bool = False,
) -> Any:
    """Extrapolates from the velocity under the negative conditions to that under the conditions.

    Args:
      one_pass: Velocity of the model.
      sample: Noisy sample.
      sigma_B: Noise level.
      conditions: Conditions to follow.
      negative: Conditions to lead away from, a tree of the same shapes.
      scale: Guidance scale. 1 gives the velocity under the conditions, 0 that under the negative
        conditions.
      sequential: Whether the passes are evaluated one after the other, with the memory of one,
        rather than in one batch of twice the size.
      has_aux: Whether a pass gives a tree of arrays beside the velocity.

    Returns:
      The velocity; with `has_aux`, also what either pass gives beside it, as a pair.
    """
    if sequential:
        stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), conditions, negative)
        # A loop, because the compiler might schedule two calls side by side.
        both = jax.lax.map(lambda one: one_pass(sample, sigma_B, one), stacked)
        positive, negative = (jax.tree.map(lambda x, n=n: x[n], both) for n in range(2))
    else:
        doubled = jax.tree.map(_interleaved, conditions, negative)
        both = one_pass(_interleaved(sample, sample), _interleaved(sigma_B, sigma_B), doubled)
        positive, negative = (jax.tree.map(lambda x, n=n: x[n::2], both) for n in range(2))
    if not has_aux:
        return _extrapolated(positive, negative, scale)
    (positive_v, positive_aux), (negative_v, negative_aux) = positive, negative
    return _extrapolated(positive_v, negative_v, scale), (positive_aux, negative_aux)


def _interleaved(a: Shaped[Array, "b ..."], b: Shaped[Array, "b ..."]) -> Shaped[Array, "b2 ..."]:
    """Row by row, so that both passes of a row stay on the devices that hold it."""
    return jnp.stack([a, b], 1).reshape(2 * len(a), *a.shape[1:])


def _extrapolated(
    positive_v: Float[Array, "b ..."], negative_v: Float[Array, "b ..."], scale: Any
) -> Float[Array, "b ..."]:
    """The velocity `scale` times as far from the negative one as that under the conditions."""
    return negative_v + scale * (positive_v - negative_v)
