"""A state to train from that is made by NumPy: a program that makes it takes seconds to compile."""

import dataclasses

import jax
import numpy as np
from jax.sharding import Mesh

from painting_jax.tasks.task import Task
from painting_jax.training.state import TrainState, abstract_state


def make(task: Task, mesh: Mesh) -> TrainState:
    """The state of step 0, with random parameters, laid out on a mesh."""
    rng = np.random.default_rng(0)
    shapes = abstract_state(task, mesh)

    def placed(leaf: jax.ShapeDtypeStruct, value: np.ndarray) -> jax.Array:
        return jax.make_array_from_callback(
            leaf.shape, leaf.sharding, lambda place: value[place].copy()
        )

    def zeros(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        return placed(leaf, np.zeros(leaf.shape, leaf.dtype))

    values = jax.tree.map(
        lambda leaf: rng.normal(0, 0.05, leaf.shape).astype(leaf.dtype), shapes.params
    )
    averages = values if shapes.ema_params else {}
    return dataclasses.replace(
        jax.tree.map(zeros, shapes),
        params=jax.tree.map(placed, shapes.params, values),
        ema_params=jax.tree.map(placed, shapes.ema_params, averages),
    )
