"""Reverse painting with Wan's transformers: what they are trained on and how they paint.

The video that a model makes is the process played backwards. Where the picture is the video's first
latent frame, it comes before the process: the model is given that frame, and paints the finished
picture next.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from painting_jax.diffusion.guidance import contrasted
from painting_jax.diffusion.reverse_painting import reverse, to_float, to_uint8
from painting_jax.diffusion.stepwise import stepwise
from painting_jax.models.clip.modeling import CLIPVision, preprocess
from painting_jax.models.codec import Codec
from painting_jax.models.wan import conditioning as wan_painting
from painting_jax.models.wan.conditioning import WanConditions, image_conditioning, with_first_frame
from painting_jax.models.wan.picture_condition import picture_condition
from painting_jax.models.wan.transformer import WanConfig


@dataclasses.dataclass(frozen=True)
class Eyes:
    """How a transformer sees pictures.

    Attributes:
      codec: the picture space.
      config: of the transformer.
      image_encoder: where it takes CLIP tokens.
    """

    codec: Codec
    config: WanConfig
    image_encoder: CLIPVision | None = None

    @property
    def given(self) -> int:
        """Frames at the video's beginning that the model is given."""
        return int(image_conditioning(self.config, self.codec) == "first frame")

    def conditions(
        self, text_BLD: Float[Array, "b l d"], reference_BHWC: Float[Array, "b h w 3"], frames: int
    ) -> WanConditions:
        """What the model is told.

        Args:
          text_BLD: embeddings of the prompts.
          reference_BHWC: the conditioning pictures, RGB in [-1, 1].
          frames: of the process.
        """
        image_BLE = None
        if self.image_encoder is not None:
            size = self.image_encoder.config.image_size
            image_BLE = self.image_encoder(preprocess(to_uint8(reference_BHWC), size))
        image_BTHWC = picture_condition(
            self.codec, self.config, reference_BHWC, frames + self.given
        )
        return WanConditions(text_BLD, image_BTHWC=image_BTHWC, image_BLE=image_BLE)


def encode_process(
    batch: dict[str, Array], reference_BHWC: Float[Array, "b h w 3"], eyes: Eyes
) -> tuple[Float[Array, "b t h w c"], WanConditions]:
    """Latents of recorded processes as the model is to make them, and what it is told.

    Args:
      batch: frames_BTHWC in painted order, and text_BLD.
      reference_BHWC: the conditioning pictures, RGB in [-1, 1].
      eyes: of the model.
    """
    frames_BTHWC = to_float(reverse(batch["frames_BTHWC"]))
    given = eyes.conditions(batch["text_BLD"], reference_BHWC, frames_BTHWC.shape[1])
    if eyes.given:
        frames_BTHWC = jnp.concatenate([reference_BHWC[:, None], frames_BTHWC], 1)
    return eyes.codec.encode(frames_BTHWC), given


def drop_text(
    key: PRNGKeyArray,
    conditions: WanConditions,
    empty_LD: Float[Array, "l d"],
    probability: float,
) -> WanConditions:
    """Replaces the prompt of each sample, with a probability, by the empty one."""
    gone_B = jax.random.bernoulli(key, probability, (len(conditions.text_BLD),))
    text_BLD = jnp.where(gone_B[:, None, None], empty_LD, conditions.text_BLD)
    return dataclasses.replace(conditions, text_BLD=text_BLD)


def paint_process(
    transformers: Sequence[Callable],
    batch: dict[str, Array],
    seed_B: Int[Array, " b"],
    eyes: Eyes,
    *,
    empty_LD: Float[Array, "l d"],
    steps: int,
    shift: float,
    guidance_scale: float,
    boundary: float | None = None,
) -> Float[Array, "b t h w 3"]:
    """Paints each picture of a batch with UniPC.

    Args:
      transformers: a `WanTransformer`, or two, the first of them for high noise.
      batch: reference_BHWC, text_BLD and, for the number of frames alone, progress_BT.
      seed_B: of each picture's noise; a picture's video does not depend on its neighbours.
      eyes: of the model.
      empty_LD: embedding of the empty prompt, which guidance leads away from.
      steps: of the sampler.
      shift: of the noise schedule.
      guidance_scale: 1 = none.
      boundary: of two transformers the noise level, 0..1, below which the second takes over.

    Returns:
      Frames in painted order, RGB in [-1, 1].
    """
    reference_BHWC = to_float(batch["reference_BHWC"])
    frames = batch["progress_BT"].shape[1]
    given = eyes.conditions(batch["text_BLD"], reference_BHWC, frames)
    others = drop_text(jax.random.key(0), given, empty_LD, 1.0)
    codec = eyes.codec
    height, width = (side // codec.spatial for side in reference_BHWC.shape[1:3])
    length = 1 + (frames + eyes.given - 1) // codec.temporal
    shape = (length, height, width, codec.channels)
    noise = jax.vmap(lambda seed: jax.random.normal(jax.random.key(seed), shape))(seed_B)

    def steered(transformer, sample, timestep_B):
        velocity = functools.partial(wan_painting.velocity, transformer)
        if guidance_scale == 1:
            return velocity(sample, timestep_B, given)
        return contrasted(velocity, guidance_scale)(sample, timestep_B, given, others)

    if eyes.given:
        noise = with_first_frame(noise, given.image_BTHWC)
    walk = stepwise("unipc", steps, shift)
    state = walk.start(noise)
    for transformer, stage in zip(transformers, walk.stages(boundary), strict=True):
        if stage[0] < stage[1]:
            velocity = functools.partial(steered, transformer)
            state = walk.advance(velocity, state, walk.part(*stage))
    latents_BTHWC = walk.sample(state)
    if eyes.given:
        # The sampler's sums leave it alone but for their rounding.
        latents_BTHWC = with_first_frame(latents_BTHWC, given.image_BTHWC)
    return reverse(codec.decode(latents_BTHWC)[:, eyes.given :])
