"""Training is the same on any mesh: losses and parameters after five steps of plain descent.

The model is a tiny Wan on latents of 45 tokens, which no axis divides.
"""

import functools

import jax
import numpy as np
import optax
import pytest

from painting_jax.planning import program
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import replicated, tree_shardings
from painting_jax.training import state as state_lib
from painting_jax.training import step as step_lib
from painting_jax.training.step import TrainMetrics, make_train_step, output_shardings
from tests.tiny_sampler import config, random

_STEPS = 5
# Devices along the axes, and groups of the ring.
_MESHES = {
    "fsdp": ({"fsdp": 8}, 0),
    "data": ({"data": 8}, 0),
    "tensor": ({"tensor": 4, "data": 2}, 0),
    "Ulysses": ({"sequence": 4, "data": 2}, 0),
    "ring": ({"sequence": 4, "data": 2}, 4),
    "Ulysses in a ring": ({"sequence": 8}, 0),
    "all": ({"data": 1, "fsdp": 2, "tensor": 2, "sequence": 2}, 0),
    "all, ring": ({"data": 2, "fsdp": 2, "sequence": 2}, 2),
}


def _plain_descent(monkeypatch):
    for module in (state_lib, step_lib):
        monkeypatch.setattr(module, "make_optimizer", lambda config: optax.sgd(0.1))


@pytest.fixture(autouse=True)
def plain_descent(monkeypatch):
    _plain_descent(monkeypatch)


@functools.cache
def _batches():
    shapes = program.encoded_batch(program.task_of(config(lora=False)))
    return [random(shapes, 2 + n) for n in range(_STEPS)]


def _trained(experiment, sizes, ring=0, devices=None):
    """Losses and gradient norms of the steps, and the parameters after them."""
    experiment.mesh.update({"data": 1, "ring": ring} | sizes)
    mesh = make_mesh(experiment.mesh, devices)
    with jax.set_mesh(mesh):
        task = program.task_of(experiment)
        shapes = state_lib.abstract_state(task, mesh)
        params = random(shapes.params, 0)
        state = jax.jit(
            lambda params: state_lib.init_state(task, params),
            out_shardings=jax.tree.map(lambda leaf: leaf.sharding, shapes),
        )(params)
        frozen = random(task.frozen(), 1)
        frozen = jax.device_put(frozen, tree_shardings(frozen, mesh))
        empty = jax.device_put(TrainMetrics.empty(), replicated(mesh))
        step = jax.jit(make_train_step(task), out_shardings=output_shardings(state, empty))
        measured = []
        for batch in _batches():
            state, running, _ = step(state, empty, batch, frozen)
            computed = running.compute()
            measured.append((float(computed["loss"]), float(computed["gradient_norm"])))
    return np.array(measured), jax.tree.map(np.asarray, state.params)


@pytest.fixture(scope="module")
def one_device():
    """What one device makes, with adapters and without."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _plain_descent(monkeypatch)
        alone = jax.devices()[:1]
        return {lora: _trained(config(lora=lora), {}, devices=alone) for lora in (True, False)}


def _assert_same(actual, expected):
    (measured, params), (expected_measured, expected_params) = actual, expected
    np.testing.assert_allclose(measured, expected_measured, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params, expected_params)


@pytest.mark.parametrize("name", _MESHES)
def test_every_mesh_trains_as_one_device_does(one_device, name):
    _assert_same(_trained(config(lora=False), *_MESHES[name]), one_device[False])


@pytest.mark.parametrize("name", ["Ulysses in a ring", "all"])
def test_adapters_train_as_on_one_device(one_device, name):
    _assert_same(_trained(config(lora=True), *_MESHES[name]), one_device[True])
