"""How a Wan transformer is conditioned: the prompt, and two ways for a picture to enter.

The published models take a picture in one of two ways, told apart by their sizes (arXiv 2503.20314;
the reference implementation is `WanImageToVideoPipeline` of diffusers):
  concatenated  a mask and the picture's latents are channels beside the noisy ones (Wan2.1 and
                Wan2.2 A14B image to video)
  first frame   the picture is the first latent frame, kept clean, at noise level 0 (Wan2.2 TI2V).
                This takes no parameter, so a text-to-video model can learn it too. The process
                follows this frame: the model paints the finished picture next.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from painting_jax.models.block_residual import Reuse
from painting_jax.models.clip.modeling import preprocess
from painting_jax.models.codec import Codec, image_condition, to_uint8
from painting_jax.models.family import Encoders
from painting_jax.models.wan.transformer import WanConfig, WanTransformer

ImageConditioning = Literal["concatenated", "first frame"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WanConditions:
    """Conditions of a batch of videos in reverse painting order.

    Attributes:
      text_BLD: Embeddings of the prompt, padded to 512 tokens with zeros.
      image_BTHWC: Mask and latents to concatenate, or the first latent frame (T = 1).
      image_BLE: CLIP tokens of the picture, for models that take them.
    """

    text_BLD: Float[Array, "b l d"]
    image_BTHWC: Float[Array, "b t h w c"] | None = None
    image_BLE: Float[Array, "b i e"] | None = None


def image_conditioning(config: WanConfig, codec: Codec) -> ImageConditioning:
    """How a transformer takes a picture encoded by a codec.

    Raises:
      ValueError: If the number of channels fits neither way.
    """
    if config.in_channels == codec.channels:
        return "first frame"
    if config.in_channels == 2 * codec.channels + codec.temporal:
        return "concatenated"
    raise ValueError(
        f"a transformer of {config.in_channels} channels does not fit latents of "
        f"{codec.channels}: {codec.channels} or {2 * codec.channels + codec.temporal} would"
    )


def condition(
    config: WanConfig,
    encoders: Encoders,
    batch: dict[str, Array],
    reference_BHWC: Float[Array, "b h w 3"],
) -> WanConditions:
    """Conditions of a batch.

    Args:
      config: Sizes of the transformer.
      encoders: Codec, and image encoder where the transformer takes image tokens.
      batch: text_BLD and progress_BT, of which only the number of frames counts.
      reference_BHWC: The finished pictures, RGB in [-1, 1], at the size of the video.
    """
    codec, image_BLE = encoders.codec, None
    if encoders.image_encoder is not None:
        size = encoders.image_encoder.config.image_size
        image_BLE = encoders.image_encoder(preprocess(to_uint8(reference_BHWC), size))
    if image_conditioning(config, codec) == "concatenated":
        frames = batch["progress_BT"].shape[1]
        image_BTHWC = image_condition(codec, reference_BHWC, frames, everywhere=False)
    else:
        image_BTHWC = codec.encode(reference_BHWC[:, None])
    return WanConditions(batch["text_BLD"], image_BTHWC, image_BLE)


def drop_text(
    conditions: WanConditions,
    dropped_B: Bool[Array, " b"],
    empty_text: Float[Array, "*b l d"],
) -> WanConditions:
    """Replaces the prompt by the empty one in the samples where `dropped_B` is set."""
    text_BLD = jnp.where(dropped_B[:, None, None], empty_text, conditions.text_BLD)
    return dataclasses.replace(conditions, text_BLD=text_BLD)


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
    reuse: Reuse | None = None,
) -> tuple[Float[Array, "b t h w c"], Float[Array, "b s d"]]:
    """Velocity of noisy latents, and the residual of the transformer's blocks.

    Args:
      transformer: A transformer of any published kind; its channels decide how
        `conditions.image_BTHWC` enters.
      noisy_BTHWC: Noisy latents. Where the picture is the first frame, that frame is taken from the
        conditions whatever it is here.
      timestep_B: Noise level in 0..1000.
      conditions: Conditions that the transformer takes.
      reuse: A residual that may replace the blocks.

    Returns:
      The velocity in float32. It is 0 on a first frame that is the picture, so that a sampler that
      starts from the picture there leaves it unchanged. The residual is in the transformer's dtype.

    Raises:
      ValueError: If the channels of latents and image condition do not add up to the transformer's.
    """
    image_BTHWC = conditions.image_BTHWC
    channels, expected = noisy_BTHWC.shape[-1], transformer.config.in_channels
    first_frame = image_BTHWC is not None and expected == channels == image_BTHWC.shape[-1]
    latents_BTHWC, timestep_BF = noisy_BTHWC, timestep_B[:, None]
    if first_frame:
        latents_BTHWC = with_first_frame(noisy_BTHWC, image_BTHWC)
        timestep_BF = timestep_BF * (jnp.arange(noisy_BTHWC.shape[1]) > 0)
    elif image_BTHWC is not None:
        latents_BTHWC = jnp.concatenate([noisy_BTHWC, image_BTHWC], -1)
    if latents_BTHWC.shape[-1] != expected:
        picture = "no picture" if image_BTHWC is None else f"a picture of {image_BTHWC.shape[-1]}"
        raise ValueError(
            f"the transformer takes {expected} channels: latents of {channels} and {picture} do "
            "not fit"
        )
    tokens_BthwD, residual_BSD = transformer.tokens(
        latents_BTHWC,
        timestep_BF,
        conditions.text_BLD,
        image_BLD=conditions.image_BLE,
        reuse=reuse,
    )
    velocity_BTHWC = transformer.project(tokens_BthwD)
    if first_frame:
        velocity_BTHWC = with_first_frame(velocity_BTHWC, jnp.zeros_like(velocity_BTHWC[:, :1]))
    return velocity_BTHWC, residual_BSD
