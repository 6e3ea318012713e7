"""Painting: from a picture and its conditions to the process, blank canvas first."""

from collections.abc import Callable, Sequence

import jax
from jaxtyping import Array, Int, UInt8

from painting_jax.diffusion import flow_matching, guidance, reverse_painting, samplers, schedules
from painting_jax.diffusion.reverse_painting import Objective
from painting_jax.models.codec import Codec


def paint(
    model: Callable,
    batch: dict[str, Array],
    seed_B: Int[Array, " b"],
    *,
    codec: Codec,
    objective: Objective,
    steps: int,
    shift: float,
    guidance_scale: float,
    guide_on: Sequence[str],
) -> UInt8[Array, "b t h w 3"]:
    """Paints each picture of a batch.

    Args:
      model: a `PaintingModel`.
      batch: reference_BHWC, medium_BM, text_BL, segments_BHW and progress_BT (painted order).
      seed_B: of each picture's noise; a picture's video does not depend on its neighbours.
      codec: the picture space.
      objective: the one the model was trained with.
      steps: of the sampler.
      shift: of the noise schedule.
      guidance_scale: 1 = none.
      guide_on: names of the conditions that guidance strengthens.

    Returns:
      Frames in painted order.
    """
    reference_BHWC = reverse_painting.to_float(batch["reference_BHWC"])
    conditions = reverse_painting.painting_conditions(batch, reference_BHWC, codec, objective)
    # The condition holds the mask of the latents and the latents themselves.
    shape = (*conditions.image_BTHWC.shape[1:-1], codec.channels)
    noise = jax.vmap(lambda seed: jax.random.normal(jax.random.key(seed), shape))(seed_B)

    def velocity(sample, sigma_B, conditions):
        prediction = model(sample, sigma_B, conditions)
        return flow_matching.velocity(
            prediction, sample, sigma_B, clean_prediction=objective.clean_prediction
        )

    guided = guidance.guided(velocity, guidance_scale, guide_on)
    latents_BTHWC = samplers.euler(
        lambda sample, sigma_B: guided(sample, sigma_B, conditions),
        noise,
        schedules.even(steps, shift),
    )
    return reverse_painting.reverse(reverse_painting.to_uint8(codec.decode(latents_BTHWC)))
