"""Measures our training step and our sampling of one case."""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from benchmarks.gpu.cases import Case
from benchmarks.gpu.result import Result
from benchmarks.timing import seconds
from painting_jax.diffusion.sampling import Sampling, paint
from painting_jax.planning import program
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.task import Task, abstract_network
from painting_jax.training.state import init_state
from painting_jax.training.step import TrainMetrics, make_train_step
from painting_jax.training.throughput import step_flops


def measure(case: Case, runs: int, tiny: bool) -> Result:
    """Figures of a case, with random weights.

    Args:
      case: what is measured.
      runs: number of runs, after one that compiles.
      tiny: with a small model.
    """
    config = case.config(tiny)
    mesh = make_mesh({"data": 1}, jax.devices()[:1])
    with jax.set_mesh(mesh):
        task = program.task_of(config)
        warm, work = (_painting if case.sampling_steps else _training)(case, task, mesh)
        first = seconds(warm)
        times = [seconds(work) for _ in range(runs)]
    memory = jax.devices()[0].memory_stats() or {}
    return Result(
        times,
        memory.get("peak_bytes_in_use"),
        None if case.sampling_steps else flops(task),
        first,
        jax.devices()[0].device_kind,
        f"jax {jax.__version__}",
    )


def flops(task: Task) -> float:
    """Useful FLOPs of a training step."""
    data, model = task.config.data, task.model
    video = (data.frames, data.height, data.width)
    work = model.family.work(model.config, model.codec, video, data.text_length)
    return step_flops(work, data.batch_size, full_finetune=task.full_finetune)


def _training(case: Case, task: Task, mesh: Mesh) -> tuple[Callable, Callable]:
    del case
    step = jax.jit(make_train_step(task), donate_argnums=(0, 1))
    frozen, batch = (_random(tree) for tree in program.inputs(task, mesh))
    held = [jax.jit(lambda: init_state(task))(), TrainMetrics.empty()]

    def work() -> None:
        *held[:], finite = step(*held, batch, frozen)
        if not finite:
            raise ValueError("loss or gradient is not finite")

    return work, work


def _painting(case: Case, task: Task, mesh: Mesh) -> tuple[Callable, Callable]:
    config = task.config
    sampling = Sampling(
        config.sampling.sampler,
        case.sampling_steps,
        config.sampling.shift,
        (case.guidance,),
        tuple(config.sampling.guide_on),
        sequential=True,
    )
    graph, shapes = nnx.split(abstract_network(config, task.model))
    dtype = jnp.dtype(config.model.dtype)
    params = _random(nnx.to_pure_dict(shapes), dtype)
    frozen = _random({**program.inputs(task, mesh)[0], **program.encoders_of(task)})
    batch = _random(program.pictures_of(task)) | {
        "seed_B": np.zeros(config.data.batch_size, np.int32)
    }

    def work(sampling: Sampling = sampling) -> None:
        (video,) = paint(task.model, frozen, [lambda: (graph, params)], [batch], sampling, mesh)
        if video.std() == 0:
            raise ValueError("the painted video is empty")

    # One program takes any number of steps.
    return functools.partial(work, dataclasses.replace(sampling, steps=1)), work


def _random(tree, dtype=None):
    """Random arrays. Large ones repeat a small one: their values do not matter."""

    def draw(leaf):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.zeros(leaf.shape, leaf.dtype)
        few = 0.02 * jax.random.normal(jax.random.key(math.prod(leaf.shape)), (4099,))
        return jnp.resize(few, leaf.shape).astype(dtype or leaf.dtype)

    return jax.jit(functools.partial(jax.tree.map, draw, tree))()
