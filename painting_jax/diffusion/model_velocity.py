"""The velocity that a model is sampled with: that of its network, with guidance."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from painting_jax.diffusion import flow_matching
from painting_jax.diffusion.guidance import classifier_free_guidance
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
    skip: Bool[Array, ""] | None = None,
    residuals: Residuals = (None, None),
    sequential: bool = False,
) -> tuple[Float[Array, "b t h w c"], Residuals]:
    """The velocity of noisy latents, and the residuals of its passes for the next step.

    Args:
      model: Model of the network.
      network: Network.
      noisy_BTHWC: Noisy latents.
      sigma: Noise level.
      timestep: Noise level as the network takes it, in 0..1000.
      conditions: Conditions to follow.
      negative: Conditions that guidance leads away from.
      scale: Scale of guidance; None = none, in one pass.
      skip: Whether the residuals given replace the blocks, in all passes.
      residuals: Residual of each pass, of an earlier step; None where none is to be kept.
      sequential: As in `classifier_free_guidance`.
    """

    def one_pass(noisy_BTHWC, sigma_B, given):
        conditions, residual_BSD = given
        reuse = None if residual_BSD is None else Reuse(skip, residual_BSD)
        timestep_B = jnp.broadcast_to(timestep, sigma_B.shape)
        prediction, new_BSD = model.family.predict(
            network, noisy_BTHWC, timestep_B, conditions, reuse
        )
        velocity = flow_matching.velocity(
            prediction, noisy_BTHWC, sigma_B, clean_prediction=model.clean_prediction
        )
        return velocity, None if reuse is None else new_BSD

    sigma_B = jnp.broadcast_to(sigma, noisy_BTHWC.shape[:1])
    positive = (conditions, residuals[0])
    if scale is None:
        velocity, residual_BSD = one_pass(noisy_BTHWC, sigma_B, positive)
        return velocity, (residual_BSD,)
    return classifier_free_guidance(
        one_pass,
        noisy_BTHWC,
        sigma_B,
        positive,
        (negative, residuals[1]),
        scale,
        sequential=sequential,
        has_aux=True,
    )


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
