"""The training state: step, parameters, their average and the optimizer state."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from painting_jax.sharding.rules import tree_shardings
from painting_jax.tasks.task import Task
from painting_jax.training.optimizer import make_optimizer


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """What a step changes and a checkpoint holds.

    Attributes:
      step: Number of optimizer steps done, int32.
      params: Tree of the trained parameters.
      ema_params: Exponential moving average of the parameters; empty if none is kept.
      opt_state: State of the optimizer.
    """

    step: jax.Array
    params: dict
    ema_params: dict
    opt_state: optax.OptState

    @property
    def sampled_params(self) -> dict:
        """The parameters that samples use: the average, if one is kept."""
        return self.ema_params or self.params


def init_state(task: Task, params: dict | None = None) -> TrainState:
    """An initial state with the given parameters, by default the task's initial ones."""
    if params is None:
        params = task.init_params()
    return TrainState(
        step=jnp.int32(0),
        params=params,
        # The average is a copy: the state is donated, and no buffer may be donated twice.
        ema_params=jax.tree.map(jnp.copy, params) if task.config.optimizer.ema else {},
        opt_state=make_optimizer(task.config).init(params),
    )


def abstract_state(task: Task, mesh: Mesh) -> TrainState:
    """Shapes, dtypes and shardings of the state, without allocating it."""
    shapes = jax.eval_shape(functools.partial(init_state, task), task.params_shapes())
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        tree_shardings(shapes, mesh),
    )
