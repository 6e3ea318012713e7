"""A LoRA over a base in int8 trains as over the base in float32, on one device and on a mesh."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.diffusion.reverse_painting import CONDITIONS, LATENTS
from painting_jax.models import lora
from painting_jax.models.quantised_kernel import quantised
from painting_jax.planning import program
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import tree_shardings
from painting_jax.tasks import latents
from tests.tiny_sampler import config, random


def _experiment(dtype: str):
    made = config(lora=True)
    made.pretrained.dtype = dtype
    return made


@functools.cache
def _frozen() -> tuple[dict, dict]:
    """Random frozen arrays in float32, and the same with the kernels beside adapters in int8."""
    plain = random(program.task_of(_experiment("float32")).frozen(), 1)
    task = program.task_of(_experiment("int8"))
    transformer = plain["transformer"]
    for path in task._quantised:
        tree = {"kernel": quantised(_at(plain, path)["kernel"])}
        for name in reversed(path.split("/")):
            tree = {name: tree}
        transformer = lora.join_params(transformer, tree)
    return plain, plain | {"transformer": transformer}


@functools.cache
def _batch() -> dict:
    return random(program.encoded_batch(program.task_of(_experiment("int8"))), 2)


def _at(frozen: dict, path: str) -> dict:
    return functools.reduce(lambda tree, name: tree[name], path.split("/"), frozen["transformer"])


def _loss(dtype: str, frozen: dict, sizes: dict, devices=None) -> tuple[float, dict]:
    """Loss with random adapters, and its gradient."""
    experiment = _experiment(dtype)
    experiment.mesh.update({"data": 1} | sizes)
    mesh = make_mesh(experiment.mesh, devices)
    with jax.set_mesh(mesh):
        task = program.task_of(experiment)
        params = random(jax.eval_shape(task.init_params), 0)
        clean, conditions = (_batch()[name] for name in (LATENTS, CONDITIONS))
        sigma_B = np.linspace(0.1, 0.9, len(clean), dtype=np.float32)

        def loss(params, frozen, clean, conditions):
            given = task.model.family.conditions(**conditions)
            return jnp.square(task.predict(params, frozen, clean, sigma_B, given) - clean).mean()

        params, frozen = (
            jax.device_put(tree, tree_shardings(tree, mesh)) for tree in (params, frozen)
        )
        found = jax.jit(jax.value_and_grad(loss))(params, frozen, clean, conditions)
        return jax.tree.map(np.asarray, found)


def test_a_loss_over_int8_is_near_one_over_float32_and_the_same_on_any_mesh():
    plain, in_int8 = _frozen()
    expected, gradient = _loss("float32", plain, {}, jax.devices()[:1])
    alone, in_int8_gradient = _loss("int8", in_int8, {}, jax.devices()[:1])
    np.testing.assert_allclose(alone, expected, rtol=0.02)
    assert alone != expected
    for rounded, exact in zip(*map(jax.tree.leaves, (in_int8_gradient, gradient)), strict=True):
        assert np.linalg.norm(rounded - exact) < 0.1 * np.linalg.norm(exact)
    shared, shared_gradient = _loss("int8", in_int8, {"fsdp": 2, "tensor": 2, "sequence": 2})
    np.testing.assert_allclose(shared, alone, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), shared_gradient, in_int8_gradient
    )


def test_the_plan_has_the_kernels_in_int8_and_the_rest_in_bfloat16():
    held, task = {}, None
    for dtype in ("bfloat16", "int8"):
        task = program.task_of(_experiment(dtype))
        frozen = task.frozen()
        leaves = jax.tree.leaves(frozen["transformer"])
        held[dtype] = sum(leaf.dtype.itemsize * math.prod(leaf.shape) for leaf in leaves)
    shapes = [_at(frozen, path)["kernel"].shape for path in task._quantised]
    scales = sum(4 * layers * outputs for layers, _, outputs in shapes)
    assert held["bfloat16"] - held["int8"] == sum(map(math.prod, shapes)) - scales


def test_latents_cached_for_bfloat16_are_those_for_int8():
    assert latents._fields(_experiment("int8")) == latents._fields(_experiment("bfloat16"))
