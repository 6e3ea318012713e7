"""A Wan transformer as a painter: what it is told, and how a picture enters it.

The published models take a picture in one of two ways, which their sizes tell apart (arXiv
2503.20314; the reference implementation is `WanImageToVideoPipeline` of diffusers):
  concatenated  a mask and the picture's latents are channels beside the noisy ones (Wan2.1 and
                Wan2.2 A14B image to video)
  first frame   the picture is the first latent frame, kept clean and told noise level 0 (Wan2.2
                TI2V). It takes no parameter, so a text-to-video model can learn it, too.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from painting_jax.models.codec import Codec
from painting_jax.models.segments import segment_features
from painting_jax.models.wan.transformer import WanConfig, WanTransformer

ImageConditioning = Literal["concatenated", "first frame"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WanConditions:
    """What steers a batch of videos in the order that the model makes them, finished picture first.

    The published models know text and picture; the others are of models trained further.

    Attributes:
      text_BLD: embeddings of the prompt, padded to 512 tokens with zeros.
      image_BTHWC: mask and latents to concatenate, or the first latent frame (T = 1); see
        `diffusion.wan_conditions`. None = text alone.
      image_BLE: CLIP tokens of the picture, for models that take them.
      medium_BM: weights over the media.
      segments_BHW: label map in painting order, at the pictures' resolution.
      progress_BT: share of the painting time, of each latent frame.
    """

    text_BLD: Float[Array, "b l d"]
    image_BTHWC: Float[Array, "b t h w c"] | None = None
    image_BLE: Float[Array, "b i e"] | None = None
    medium_BM: Float[Array, "b m"] | None = None
    segments_BHW: UInt8[Array, "b h w"] | None = None
    progress_BT: Float[Array, "b t"] | None = None


def image_conditioning(config: WanConfig, codec: Codec) -> ImageConditioning:
    """How a transformer takes a picture of a picture space.

    Raises:
      ValueError: if its channels are of neither way.
    """
    if config.in_channels == codec.channels:
        return "first frame"
    if config.in_channels == 2 * codec.channels + codec.temporal:
        return "concatenated"
    raise ValueError(
        f"a transformer of {config.in_channels} channels does not go with latents of "
        f"{codec.channels}: {codec.channels} or {2 * codec.channels + codec.temporal} would"
    )


def with_first_frame(
    latents_BTHWC: Float[Array, "b t h w c"], first_B1HWC: Float[Array, "b 1 h w c"]
) -> Float[Array, "b t h w c"]:
    """The latents with their first frame replaced."""
    return jnp.concatenate([first_B1HWC.astype(latents_BTHWC.dtype), latents_BTHWC[:, 1:]], 1)


def velocity(
    transformer: WanTransformer,
    noisy_BTHWC: Float[Array, "b t h w c"],
    timestep_B: Float[Array, " b"],
    conditions: WanConditions,
) -> Float[Array, "b t h w c"]:
    """The velocity of noisy latents, in training and in sampling alike.

    Args:
      transformer: of any published kind; what its channels leave room for decides how
        `conditions.image_BTHWC` enters.
      noisy_BTHWC: latents. Where the picture is the first frame, that frame is taken from the
        conditions whatever it is here.
      timestep_B: noise level in 0..1000.
      conditions: as the transformer takes them.

    Returns:
      float32. 0 on a first frame that is the picture, so that a sampler that starts from the
      picture there leaves it alone.

    Raises:
      ValueError: if the channels of latents and image condition are not the transformer's.
    """
    image_BTHWC = conditions.image_BTHWC
    channels, taken = noisy_BTHWC.shape[-1], transformer.config.in_channels
    first_frame = image_BTHWC is not None and taken == channels == image_BTHWC.shape[-1]
    latents_BTHWC, timestep_BF = noisy_BTHWC, timestep_B[:, None]
    if first_frame:
        latents_BTHWC = with_first_frame(noisy_BTHWC, image_BTHWC)
        timestep_BF = timestep_BF * (jnp.arange(noisy_BTHWC.shape[1]) > 0)
    elif image_BTHWC is not None:
        latents_BTHWC = jnp.concatenate([noisy_BTHWC, image_BTHWC], -1)
    if latents_BTHWC.shape[-1] != taken:
        given = "no picture" if image_BTHWC is None else f"a picture of {image_BTHWC.shape[-1]}"
        raise ValueError(
            f"the transformer takes {taken} channels: latents of {channels} and {given} do not fit"
        )
    segments_BHWC = None
    if conditions.segments_BHW is not None:
        spatial = conditions.segments_BHW.shape[1] // noisy_BTHWC.shape[2]
        segments_BHWC = segment_features(conditions.segments_BHW, spatial)
    velocity_BTHWC = transformer(
        latents_BTHWC,
        timestep_BF,
        conditions.text_BLD,
        image_BLD=conditions.image_BLE,
        medium_BM=conditions.medium_BM,
        segments_BHWC=segments_BHWC,
        progress_BT=conditions.progress_BT,
    )
    if first_frame:
        return with_first_frame(velocity_BTHWC, jnp.zeros_like(velocity_BTHWC[:, :1]))
    return velocity_BTHWC
