"""The families of Wan: Wan2.1 and Wan2.2 A14B share an autoencoder, Wan2.2 TI2V 5B has its own."""

import dataclasses

import jax.numpy as jnp
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.models.clip import params as clip
from painting_jax.models.clip.modeling import CLIPVision, CLIPVisionConfig
from painting_jax.models.family import Component, Work
from painting_jax.models.tensor_names import PublishedWeights
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.modeling import UMT5Encoder
from painting_jax.models.wan import conditioning, flops, params, vae, vae_params
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import WanVAE

TRANSFORMER = Component(
    "transformer",
    ("WanTransformer3DModel", "WanModel"),
    read_config=params.wan_config,
    make=lambda config, dtype, **execution: WanTransformer(
        config, rngs=nnx.Rngs(0), dtype=dtype, remat="none", **execution
    ),
    tables=lambda config: {"diffusers": params.DIFFUSERS, "comfyui": params.ORIGINAL},
    to_json=params.diffusers_config,
    tensors=r"blocks\.\d+\.(self_attn|attn1)\..*|patch_embedding\.weight",
    float32=params.FLOAT32,
    float32_converted=params.FLOAT32,
)
VAE = Component(
    "vae",
    ("AutoencoderKLWan",),
    read_config=vae_params.wan_vae_config,
    # Always float32: its errors are visible in every pixel.
    make=lambda config, dtype: WanVAE(config),
    tables=lambda config: {
        "diffusers": vae_params.diffusers(config),
        "comfyui": vae_params.original(config),
    },
    to_json=vae_params.diffusers_config,
    tensors=r"(encoder|decoder)\.(conv1|conv_in)\.weight",
    decoder=("post_quant_conv", "decoder"),
)
TEXT_ENCODER = Component(
    "text_encoder",
    ("umt5",),
    read_config=umt5.umt5_config,
    make=lambda config, dtype: UMT5Encoder(config, rngs=nnx.Rngs(0), dtype=dtype),
    tables=lambda config: {"diffusers": umt5.TABLE, "original": umt5.ORIGINAL},
    to_json=umt5.transformers_config,
    tensors=umt5.TELLING,
    stem="model",
    float32="norm",
)


def _image_encoder_config(source: PublishedWeights) -> CLIPVisionConfig:
    """The config of an image encoder; its number of heads cannot be told from its tensors."""
    if any(name.startswith("visual.") for name in source.tensors):
        raise UserError(
            f"{source.name} is an image encoder in the layout of Wan's own repositories, which is "
            "not read: use that of ComfyUI (clip_vision_h.safetensors) or of diffusers"
        )
    if not source.config:
        raise UserError(
            f"{source.name} is an image encoder without a config.json: name with --pretrained the "
            "model that it belongs to"
        )
    return clip.config(source.config)


IMAGE_ENCODER = Component(
    "image_encoder",
    ("clip_vision_model",),
    read_config=_image_encoder_config,
    # Always float32, as Wan publishes it.
    make=lambda config, dtype: CLIPVision(config, rngs=nnx.Rngs(0)),
    tables=lambda config: {"diffusers": clip.TABLE},
    tensors=r"(vision_model|visual)\..*|embeddings\.class_embedding",
    stem="model",
)


@dataclasses.dataclass(frozen=True)
class WanFamily:
    """See `models.family.Family`.

    Attributes:
      name: A key of `vae.SIZES`.
      frames: Frames of a video by default.
      max_area: Largest area of a frame, in pixels.
    """

    name: str
    frames: int
    max_area: int

    published = True
    components = (TRANSFORMER, VAE, TEXT_ENCODER, IMAGE_ENCODER)
    droppable = ("text",)
    told_progress = False
    conditions = conditioning.WanConditions
    network_decoder = None

    def config(self, model, media):
        del media
        return WanConfig(
            dim=model.dim,
            layers=model.layers,
            heads=model.heads,
            ffn_dim=model.ffn_dim,
            in_channels=model.in_channels,
            out_channels=vae.SIZES[self.name].latent_channels,
            patch=tuple(model.patch),
            text_dim=model.text_dim,
            image_dim=model.image_dim,
        )

    def codec_config(self, model):
        del model
        return vae.SIZES[self.name]

    def has_codec(self, config):
        return config.residual == vae.SIZES[self.name].residual

    def make_codec(self, config):
        return WanVAE(config)

    def make_image_encoder(self, config):
        return CLIPVision(config, rngs=nnx.Rngs(0))

    def make_transformer(self, config, *, rngs, dtype=jnp.float32, **execution):
        return WanTransformer(config, rngs=rngs, dtype=dtype, **execution)

    def conditioning_frames(self, config, codec):
        return int(conditioning.image_conditioning(config, codec) == "first frame")

    def condition(self, config, encoders, batch, reference_BHWC):
        return conditioning.condition(config, encoders, batch, reference_BHWC)

    def drop(self, conditions, dropped_B, encoders):
        if "text" not in dropped_B:
            return conditions
        return conditioning.drop_text(conditions, dropped_B["text"], encoders.empty_text_LD)

    def predict(self, transformer, noisy_BTHWC, timestep_B, conditions, reuse=None):
        return conditioning.velocity(transformer, noisy_BTHWC, timestep_B, conditions, reuse)

    def restore_conditioning_frames(self, latents_BTHWC, conditions):
        first_BTHWC = conditions.image_BTHWC
        if first_BTHWC is None or first_BTHWC.shape[-1] != latents_BTHWC.shape[-1]:
            return latents_BTHWC
        return conditioning.with_first_frame(latents_BTHWC, first_BTHWC)

    def for_sampling(self, params, sampling):
        del sampling
        return params

    def with_media(self, config, params, fresh, names):
        # Published models know media by their prompts.
        del config, fresh, names
        return params

    def work(self, config, codec, video_THW, text_tokens):
        tokens = flops.tokens(config, codec, *video_THW)
        sizes = (config, tokens, text_tokens)
        return Work(tokens, flops.forward_flops(*sizes), flops.attention_flops(*sizes))


WAN21 = WanFamily("wan21", frames=81, max_area=480 * 832)
WAN22 = WanFamily("wan22", frames=121, max_area=704 * 1280)
