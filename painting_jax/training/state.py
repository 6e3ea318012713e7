"""The training state: parameters, their average, the optimizer's state, the step."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.sharding.rules import tree_shardings
from painting_jax.training.task import Task


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """What a step changes and a checkpoint holds.

    Attributes:
      step: int32, optimizer steps done.
      params: tree of the trained parameters.
      ema_params: their exponential moving average, which is sampled from.
      opt_state: of the optimizer.
    """

    step: jax.Array
    params: dict
    ema_params: dict
    opt_state: optax.OptState


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
        end_value=optimizer.end_learning_rate_fraction * optimizer.learning_rate,
    )


def init_state(task: Task, params: dict | None = None) -> TrainState:
    """A fresh state, of the task's own parameters or of given ones."""
    if params is None:
        params = task.init_params()
    return TrainState(
        step=jnp.int32(0),
        params=params,
        # A copy: the state is donated, and no buffer may be donated twice.
        ema_params=jax.tree.map(jnp.copy, params),
        opt_state=make_optimizer(task.config).init(params),
    )


def abstract_state(task: Task, mesh: Mesh) -> TrainState:
    """Shapes, dtypes and shardings of the state, with nothing allocated."""
    shapes = jax.eval_shape(lambda: init_state(task))
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        tree_shardings(shapes, mesh),
    )
