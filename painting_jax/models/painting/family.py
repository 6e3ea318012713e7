"""The family of the small pixel models: trained from random parameters, latents are pixels."""

import jax.numpy as jnp

from painting_jax.models.codec import PixelCodec
from painting_jax.models.family import Work
from painting_jax.models.painting import conditioning, pixel_head
from painting_jax.models.painting.full_size import HeadDecoder
from painting_jax.models.painting.modeling import (
    Conditions,
    PaintingConfig,
    PaintingModel,
    with_media,
)
from painting_jax.models.wan import flops


class PaintingFamily:
    """See `models.family.Family`."""

    published = False
    components = ()
    droppable = tuple(conditioning.FIELDS)
    told_progress = True
    conditions = Conditions
    network_decoder = HeadDecoder()

    def config(self, model, media):
        codec = self.make_codec(self.codec_config(model))
        return PaintingConfig(
            dim=model.dim,
            layers=model.layers,
            heads=model.heads,
            ffn_dim=model.ffn_dim,
            patch=tuple(model.patch),
            codec_channels=codec.channels,
            codec_temporal=codec.temporal,
            vocabulary=model.vocabulary,
            text_dim=model.text_dim,
            media=tuple(media),
            pixel_layers=model.pixel_layers,
            reference_everywhere=model.get("reference_everywhere", True),
            mark_other_looks=model.get("mark_other_looks", False),
            direction_guides=model.get("direction_guides", False),
            behind_guides=model.get("behind_guides", False),
            canvas_guides=model.get("canvas_guides", False),
        )

    def codec_config(self, model):
        return model.get("spatial", 1)

    def has_codec(self, config):
        del config
        return False

    def make_codec(self, config):
        return PixelCodec(config)

    def make_image_encoder(self, config):
        raise NotImplementedError("pixel models have no image encoder")

    def make_transformer(self, config, *, rngs, dtype=jnp.float32, **execution):
        return PaintingModel(config, rngs=rngs, dtype=dtype, **execution)

    def conditioning_frames(self, config, codec):
        del config, codec
        return 0

    def condition(self, config, encoders, batch, reference_BHWC):
        return conditioning.condition(
            encoders.codec,
            batch,
            reference_BHWC,
            names=config.media,
            everywhere=config.reference_everywhere,
            mark_other_looks=config.mark_other_looks,
            behind=config.behind_guides,
            canvas=config.canvas_guides,
        )

    def drop(self, conditions, dropped_B, encoders):
        del encoders
        return conditioning.drop(conditions, dropped_B)

    def predict(self, transformer, noisy_BTHWC, timestep_B, conditions, reuse=None):
        return transformer(noisy_BTHWC, timestep_B / 1000, conditions, reuse)

    def restore_conditioning_frames(self, latents_BTHWC, conditions):
        del conditions
        return latents_BTHWC

    def for_sampling(self, params, sampling):
        if "pixel_head" not in params:
            return params
        head = pixel_head.firm(params["pixel_head"], sampling["firmness"])
        return params | {"pixel_head": head}

    def with_media(self, config, params, fresh, names):
        return with_media(params, fresh, text_dim=config.text_dim, there=names, here=config.media)

    def work(self, config, codec, video_THW, text_tokens):
        transformer = config.transformer()
        tokens = flops.tokens(transformer, codec, *video_THW)
        sizes = (transformer, tokens, text_tokens)
        return Work(tokens, flops.forward_flops(*sizes), flops.attention_flops(*sizes))


PAINTING = PaintingFamily()
