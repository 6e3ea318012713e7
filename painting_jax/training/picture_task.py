"""Training a model in picture space, all of it and from random parameters."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from etils import epath
from flax import nnx
from ml_collections import ConfigDict

from painting_jax.data.pipeline import Source
from painting_jax.data.tokenizer import Tokenizer
from painting_jax.data.words import TokenIds
from painting_jax.diffusion import conditions, painting, reverse_painting
from painting_jax.models import pixel_head
from painting_jax.models.codec import PixelCodec
from painting_jax.models.painting_model import PaintingConfig, PaintingModel
from painting_jax.training.objective import make_objective


def model_config(config: ConfigDict) -> PaintingConfig:
    """The model's sizes from an experiment's config."""
    codec = PixelCodec()
    return PaintingConfig(
        dim=config.model.dim,
        layers=config.model.layers,
        heads=config.model.heads,
        ffn_dim=config.model.ffn_dim,
        patch=tuple(config.model.patch),
        codec_channels=codec.channels,
        codec_spatial=codec.spatial,
        codec_temporal=codec.temporal,
        vocabulary=config.model.vocabulary,
        text_dim=config.model.text_dim,
        media=len(config.model.media),
        pixel_layers=config.model.pixel_layers,
    )


class PictureTask:
    """A `Task`: a `PaintingModel` whose latents are the pixels. Nothing is frozen."""

    whole = True
    origin = "random parameters"

    def __init__(self, config: ConfigDict):
        self.config = config
        self.objective = make_objective(config)
        self.codec = PixelCodec()
        self.transformer = model_config(config).transformer()
        self.frames = config.data.frames
        self._graph = nnx.split(nnx.eval_shape(lambda: self._make(nnx.Rngs(0))))[0]

    def _make(self, rngs: nnx.Rngs) -> PaintingModel:
        model = self.config.model
        return PaintingModel(
            model_config(self.config), rngs=rngs, dtype=jnp.dtype(model.dtype), remat=model.remat
        )

    def load_params(self, mesh):
        del mesh

    def load_frozen(self, mesh, words):
        del mesh, words
        return {}

    def words(self, workdir, sources, mesh):
        del mesh
        return TokenIds(self._tokenizer(epath.Path(workdir), sources), self.config.data.text_length)

    def _tokenizer(self, workdir: epath.Path, sources: Sequence[Source]) -> Tokenizer:
        """The run's own, else that of `init_from`, else one learned from the captions."""
        folder = workdir / "tokenizer"
        if folder.exists() or not sources:
            return Tokenizer.load(folder)
        if self.config.init_from:
            tokenizer = Tokenizer.load(epath.Path(self.config.init_from) / "tokenizer")
        else:
            size = self.config.model.vocabulary
            tokenizer = Tokenizer.train(sources[0].captions(), size=size)
        if jax.process_index() == 0:
            tokenizer.save(folder)
        return tokenizer

    def init_params(self):
        return nnx.to_pure_dict(nnx.state(self._make(nnx.Rngs(self.config.seed)), nnx.Param))

    def model(self, params, frozen):
        del frozen
        return nnx.merge(self._graph, params)

    def encode(self, batch, reference_BHWC, frozen):
        del frozen
        return reverse_painting.encode_painting(batch, reference_BHWC, self.codec, self.objective)

    def drop(self, key, given, frozen):
        del frozen
        return conditions.drop_randomly(key, given, self.objective.drop)

    def export(self, params, workdir, *, final):
        """Does nothing: no one but this library knows such a model."""
        del params, workdir, final

    def paint(self, params, frozen, batch, seed_B, *, steps, guidance):
        sampling = self.config.sampling
        if self.config.model.pixel_layers:
            head = pixel_head.firm(params["pixel_head"], sampling.firmness)
            params = params | {"pixel_head": head}
        return painting.paint(
            self.model(params, frozen),
            batch,
            seed_B,
            codec=self.codec,
            objective=self.objective,
            steps=steps,
            shift=sampling.shift,
            guidance_scale=guidance,
            guide_on=tuple(sampling.guide_on),
        )
