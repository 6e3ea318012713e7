"""The velocity that a model is sampled with: that of its network, with guidance."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from painting_jax.diffusion import flow_matching
from painting_jax.diffusion.guidance import both_passes, classifier_free_guidance, extrapolated
from painting_jax.models.block_residual import Reuse
from painting_jax.models.family import VideoModel

# The residual of the network's blocks in each pass: under the conditions, and with guidance under
# the negative ones. None for a network without one.
Residuals = tuple[Float[Array, "b s d"] | None, ...]


def guided_velocity(
    model: VideoModel,
    network: nnx.Module,
    noisy_BTHWC: Float[Array, "b t h w c"],
    sigma: Float[Array, ""],
    timestep: Float[Array, ""],
    conditions: Any,
    negative: Any,
    scale: Float[Array, ""] | float | None,
    *,
    sequential: bool = False,
) -> Float[Array, "b t h w c"]:
    """The velocity of noisy latents.

    Args:
      model: Model of the network.
      network: Network.
      noisy_BTHWC: Noisy latents.
      sigma: Noise level.
      timestep: Noise level as the network takes it, in 0..1000.
      conditions: Conditions to follow.
      negative: Conditions that guidance leads away from.
      scale: Scale of guidance; None = none, in one pass.
      sequential: Whether the two passes of guidance come one after the other, see `both_passes`.
    """

    def one_pass(noisy_BTHWC, sigma_B, conditions):
        return _velocity(model, network, noisy_BTHWC, sigma_B, timestep, conditions, None)[0]

    sigma_B = jnp.broadcast_to(sigma, noisy_BTHWC.shape[:1])
    if scale is None:
        return one_pass(noisy_BTHWC, sigma_B, conditions)
    return classifier_free_guidance(
        one_pass, noisy_BTHWC, sigma_B, conditions, negative, scale, sequential=sequential
    )


def reusing_velocity(
    model: VideoModel,
    network: nnx.Module,
    noisy_BTHWC: Float[Array, "b t h w c"],
    sigma: Float[Array, ""],
    timestep: Float[Array, ""],
    conditions: Any,
    negative: Any,
    scale: Float[Array, ""] | float | None,
    *,
    skip: Bool[Array, ""] | None,
    residuals: Residuals,
    sequential: bool = False,
) -> tuple[Float[Array, "b t h w c"], Residuals]:
    """The velocity as in `guided_velocity`, and the residuals of its passes for the next step.

    Args:
      skip: Whether the residuals given replace the blocks, in all passes; None = there are none.
      residuals: Residual of each pass, of an earlier step.
    """

    def one_pass(noisy_BTHWC, sigma_B, given):
        conditions, residual_BSD = given
        reuse = None if skip is None else Reuse(skip, residual_BSD)
        return _velocity(model, network, noisy_BTHWC, sigma_B, timestep, conditions, reuse)

    sigma_B = jnp.broadcast_to(sigma, noisy_BTHWC.shape[:1])
    if scale is None:
        velocity, residual = one_pass(noisy_BTHWC, sigma_B, (conditions, residuals[0]))
        return velocity, (residual,)
    given = [(conditions, residuals[0]), (negative, residuals[1])]
    (positive_v, positive_r), (negative_v, negative_r) = both_passes(
        one_pass, noisy_BTHWC, sigma_B, *given, sequential=sequential
    )
    return extrapolated(positive_v, negative_v, scale), (positive_r, negative_r)


def residual_shapes(
    model: VideoModel,
    network: nnx.Module,
    noisy_BTHWC: Float[Array, "b t h w c"],
    conditions: Any,
    passes: int,
) -> tuple[jax.ShapeDtypeStruct | None, ...]:
    """Shapes of the residuals of so many passes; nothing is computed."""
    level_B = jax.ShapeDtypeStruct(noisy_BTHWC.shape[:1], jnp.float32)

    def residual(noisy_BTHWC, level_B, conditions):
        return model.family.predict(network, noisy_BTHWC, level_B, conditions)[1]

    return (jax.eval_shape(residual, noisy_BTHWC, level_B, conditions),) * passes


def _velocity(model: VideoModel, network, noisy_BTHWC, sigma_B, timestep, conditions, reuse):
    timestep_B = jnp.broadcast_to(timestep, sigma_B.shape)
    prediction, residual_BSD = model.family.predict(
        network, noisy_BTHWC, timestep_B, conditions, reuse
    )
    velocity = flow_matching.velocity(
        prediction, noisy_BTHWC, sigma_B, clean_prediction=model.clean_prediction
    )
    return velocity, residual_BSD
