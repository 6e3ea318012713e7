"""A tiny Wan of random numbers, sampled in this process without any file."""

import functools

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from configs import wan21_i2v_14b
from painting_jax.diffusion import sampling
from painting_jax.diffusion.sampling import Sample, Sampling
from painting_jax.diffusion.step_cache import StepCache
from painting_jax.planning import program
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import tree_shardings
from painting_jax.tasks.task import Task


def random(shapes, seed: int):
    """Arrays of these shapes."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: (0.2 * rng.normal(size=leaf.shape)).astype(leaf.dtype), shapes)


def config(*, lora: bool) -> ConfigDict:
    """Of latents of 45 tokens, which no axis of a mesh divides."""
    made = wan21_i2v_14b.get_config("lora,tiny" if lora else "tiny")
    made.data.update(height=48, width=80, batch_size=8, buckets=(), text_length=8)
    made.model.update(dim=32, heads=4, ffn_dim=32, layers=2, text_dim=16, image_dim=16)
    made.model.update(dtype="float32")
    made.pretrained.dtype = "float32"
    made.lora.rank = 4
    return made


def how(**changes) -> Sampling:
    """Ten steps with guidance, unless they are changed."""
    given = {"sampler": "unipc", "steps": 10, "shift": 3.0, "guidance": (3.0,)}
    return Sampling(**(given | changes), guide_on=("text",))


def sampled(
    asked: Sampling,
    mesh: Mesh | None = None,
    *,
    ring: int = 0,
    batch: int = 2,
    lora: bool = False,
    cache: StepCache | None = None,
    on_step=None,
) -> Sample:
    """The first pictures of a batch, painted on a mesh, by default of one device."""
    mesh = mesh or make_mesh({}, jax.devices()[:1])
    with jax.set_mesh(mesh):
        task, shapes, batch_shapes = _task(lora, ring)
        params, frozen = (_placed(of, mesh, seed) for seed, of in enumerate(shapes))
        given = jax.tree.map(lambda x: x[:batch], random(batch_shapes, 2))
        given["seed_B"] = np.arange(batch, dtype=np.int32)
        start = sampling.prepare(task.model, frozen, given, asked, mesh)
    [sample] = sampling.denoise(
        task.model,
        [lambda: task.network(params, frozen)] * len(asked.guidance),
        [start],
        asked,
        mesh,
        cache=cache,
        on_step=on_step,
    )
    return sample


@functools.cache
def _task(lora: bool, ring: int) -> tuple[Task, tuple, dict]:
    """The model; the shapes of its trained and frozen parameters, and of a batch."""
    experiment = config(lora=lora)
    experiment.mesh.update(ring=ring)
    task = program.task_of(experiment)
    shapes = jax.eval_shape(task.init_params), task.frozen()
    return task, shapes, program.encoded_batch(task)


def _placed(shapes, mesh: Mesh, seed: int):
    arrays = jax.tree_util.tree_map_with_path(_slow, random(shapes, seed))
    return jax.device_put(arrays, tree_shardings(arrays, mesh))


def _slow(path, leaf):
    """As a trained network, this one changes slowly with the noise level."""
    return 0.1 * leaf if "time_embedder" in jax.tree_util.keystr(path) else leaf
