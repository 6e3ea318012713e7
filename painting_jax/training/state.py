"""The training state: parameters, their average, the optimizer's state, the step."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax import media
from painting_jax.diffusion import cross_media
from painting_jax.diffusion.reverse_painting import Objective
from painting_jax.models.codec import PixelCodec
from painting_jax.models.painting_model import PaintingConfig, PaintingModel
from painting_jax.sharding.rules import tree_shardings


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """What a step changes and a checkpoint holds.

    Attributes:
      step: int32, optimizer steps done.
      params: tree of the model's parameters.
      ema_params: their exponential moving average, which is sampled from.
      opt_state: of the optimizer.
    """

    step: jax.Array
    params: dict
    ema_params: dict
    opt_state: optax.OptState


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
        media=len(media.MEDIA),
        pixel_layers=config.model.pixel_layers,
    )


def make_model(config: ConfigDict, rngs: nnx.Rngs) -> PaintingModel:
    """The model of an experiment."""
    return PaintingModel(
        model_config(config),
        rngs=rngs,
        dtype=jnp.dtype(config.model.dtype),
        remat=config.model.remat,
    )


def graph(config: ConfigDict) -> nnx.GraphDef:
    """The model's structure without its parameters, to be merged with them."""
    return nnx.split(nnx.eval_shape(lambda: make_model(config, nnx.Rngs(0))))[0]


def make_objective(config: ConfigDict) -> Objective:
    """The training objective of an experiment."""
    return Objective(
        clean_prediction=config.objective.clean_prediction,
        law=config.objective.law,
        mean=config.objective.mean,
        std=config.objective.std,
        shift=config.objective.shift,
        reference_everywhere=config.objective.reference_everywhere,
        augment=config.objective.augment,
        looks_MA=tuple(
            tuple(float(look in medium.looks) for look in cross_media.LOOKS)
            for medium in media.MEDIA.values()
        ),
        drop=config.objective.drop.to_dict(),
        huber=config.objective.huber,
        structure=config.objective.structure,
    )


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """AdamW with warm-up, cosine decay and clipping by the global norm."""
    optimizer = config.optimizer
    return optax.chain(
        optax.clip_by_global_norm(optimizer.clip_norm),
        optax.adamw(
            learning_rate(config),
            b1=optimizer.b1,
            b2=optimizer.b2,
            weight_decay=optimizer.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        ),
    )


def learning_rate(config: ConfigDict) -> optax.Schedule:
    """Linear warm-up, then a cosine to the final share."""
    optimizer = config.optimizer
    warmup = min(optimizer.warmup_steps, config.steps // 2)
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=optimizer.learning_rate,
        warmup_steps=warmup,
        decay_steps=config.steps,
        end_value=optimizer.final * optimizer.learning_rate,
    )


def init_state(config: ConfigDict, params: dict | None = None) -> TrainState:
    """A fresh state, of random parameters or of given ones."""
    if params is None:
        model = make_model(config, nnx.Rngs(config.seed))
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return TrainState(
        step=jnp.int32(0),
        params=params,
        # A copy: the state is donated, and no buffer may be donated twice.
        ema_params=jax.tree.map(jnp.copy, params),
        opt_state=make_optimizer(config).init(params),
    )


def abstract_state(config: ConfigDict, mesh: Mesh) -> TrainState:
    """Shapes, dtypes and shardings of the state, with nothing allocated."""
    shapes = jax.eval_shape(lambda: init_state(config))
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        tree_shardings(shapes, mesh),
    )
