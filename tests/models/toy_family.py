"""A video model of another kind, as somebody would add one: a folder's worth in one file."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from painting_jax.models.codec import PixelCodec
from painting_jax.models.family import Work


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    dim: int
    media: int


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ToyConditions:
    reference_BHWC: jax.Array
    medium_BM: jax.Array
    progress_BT: jax.Array


class ToyModel(nnx.Module):
    """Two linear layers on each pixel: of its noisy value, the reference, medium and progress."""

    def __init__(self, config: ToyConfig, *, rngs: nnx.Rngs):
        self.linear_1 = nnx.Linear(3 + 3 + config.media + 2, config.dim, rngs=rngs)
        self.linear_2 = nnx.Linear(config.dim, 3, rngs=rngs)

    def __call__(self, noisy_BTHWC, timestep_B, conditions: ToyConditions):
        shape = noisy_BTHWC.shape[:-1]
        medium = conditions.medium_BM[:, None, None, None]
        progress = conditions.progress_BT[:, :, None, None, None]
        timestep = timestep_B[:, None, None, None, None] / 1000
        seen = (conditions.reference_BHWC[:, None], medium, progress, timestep)
        inputs = [jnp.broadcast_to(x, (*shape, x.shape[-1])) for x in seen]
        hidden = jax.nn.silu(self.linear_1(jnp.concatenate([noisy_BTHWC, *inputs], -1)))
        return self.linear_2(hidden)


class ToyFamily:
    published = False
    components = ()
    droppable = ("medium",)
    told_progress = True
    conditions = ToyConditions
    network_decoder = None

    def config(self, model, media):
        return ToyConfig(model.dim, len(media))

    def codec_config(self, model):
        return 1

    def has_codec(self, config):
        return False

    def make_codec(self, config):
        return PixelCodec(config)

    def make_image_encoder(self, config):
        raise AssertionError("there is none")

    def make_transformer(self, config, *, rngs, dtype=jnp.float32, **execution):
        return ToyModel(config, rngs=rngs)

    def conditioning_frames(self, config, codec):
        return 0

    def condition(self, config, encoders, batch, reference_BHWC):
        return ToyConditions(reference_BHWC, batch["medium_BM"], jnp.flip(batch["progress_BT"], 1))

    def drop(self, conditions, dropped_B, encoders):
        medium_BM = jnp.where(dropped_B["medium"][:, None], 0, conditions.medium_BM)
        return dataclasses.replace(conditions, medium_BM=medium_BM)

    def predict(self, transformer, noisy_BTHWC, timestep_B, conditions, reuse=None):
        return transformer(noisy_BTHWC, timestep_B, conditions), None

    def restore_conditioning_frames(self, latents_BTHWC, conditions):
        return latents_BTHWC

    def for_sampling(self, params, sampling):
        return params

    def with_media(self, config, params, fresh, names):
        raise AssertionError("not asked for here")

    def work(self, config, codec, video_THW, text_tokens):
        frames, height, width = video_THW
        tokens = frames * height * width
        return Work(tokens, forward=2.0 * tokens * config.dim * 20, attention=0.0)


TOY = ToyFamily()
