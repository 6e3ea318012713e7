"""One step on any mesh; accumulation; the held-out loss."""

import jax
import numpy as np
import pytest

from painting_jax.data import pipeline
from painting_jax.data.tokenizer import Tokenizer
from painting_jax.data.words import TokenIds
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import batch_sharding, replicated
from painting_jax.training import state as state_lib
from painting_jax.training.picture_task import PictureTask
from painting_jax.training.step import TrainMetrics, make_loss, make_train_step

MESHES = {
    "one device": {"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1},
    "fsdp 2, tensor 2, data 2": {"data": 2, "fsdp": 2, "tensor": 2, "sequence": 1},
    "data 2, sequence 4": {"data": -1, "fsdp": 1, "tensor": 1, "sequence": 4},
}


def batches(config, count: int) -> list[dict]:
    source = pipeline.Source(config.data.data_dir, "train")
    tokenizer = Tokenizer.train(source.captions(), size=config.model.vocabulary)
    examples = pipeline.Examples(
        config.data.frames,
        config.data.height,
        config.data.width,
        TokenIds(tokenizer, config.data.text_length),
        config.model.media,
        0.3,
    )
    dataset = pipeline.training_batches(
        source, examples, batch_size=config.data.batch_size, seed=config.seed
    )
    return [{k: v for k, v in dataset[i].items() if k != "index_B"} for i in range(count)]


def run(config, sizes: dict, steps: int) -> tuple[list[float], state_lib.TrainState]:
    """Losses of the first steps, and the state after them, on a mesh of these sizes."""
    devices = jax.devices() if -1 in sizes.values() else jax.devices()[: np.prod([*sizes.values()])]
    mesh = make_mesh(sizes, devices)
    with jax.set_mesh(mesh):
        task = PictureTask(config)
        layout = jax.tree.map(lambda leaf: leaf.sharding, state_lib.abstract_state(task, mesh))
        state = jax.jit(lambda: state_lib.init_state(task), out_shardings=layout)()
        step = jax.jit(make_train_step(task))
        losses = []
        for batch in batches(config, steps):
            empty = jax.device_put(TrainMetrics.empty(), replicated(mesh))
            on_device = jax.device_put(batch, batch_sharding(mesh))
            state, metrics, finite = step(state, empty, on_device, {})
            assert finite
            losses.append(float(metrics.compute()["loss"]))
    return losses, state


@pytest.fixture(scope="module")
def one_device(tiny_config):
    return run(tiny_config(), MESHES["one device"], 4)


@pytest.mark.parametrize("mesh", list(MESHES)[1:])
def test_eight_devices_have_the_losses_of_one(tiny, one_device, mesh):
    losses, state = run(tiny, MESHES[mesh], 4)
    np.testing.assert_allclose(losses, one_device[0], rtol=1e-5)
    kernels = state.params["transformer"]["blocks"]["attn1"]["to_q"]["kernel"]
    if "fsdp" in mesh:
        assert kernels.addressable_shards[0].data.size == kernels.size // 4


def test_accumulated_parts_make_the_same_step(tiny, one_device):
    tiny.optimizer.gradient_accumulation_steps = 4
    losses, state = run(tiny, MESHES["one device"], 4)
    np.testing.assert_allclose(losses, one_device[0], rtol=1e-4)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-3),
        state.params,
        one_device[1].params,
    )


def test_the_average_follows_the_parameters(one_device):
    moved = jax.tree.map(
        lambda a, b: float(np.abs(np.asarray(a) - np.asarray(b)).max()),
        one_device[1].params,
        one_device[1].ema_params,
    )
    assert max(jax.tree.leaves(moved)) > 0


def test_loss_by_noise_level_averages_to_the_loss(tiny):
    with jax.set_mesh(make_mesh(MESHES["one device"], jax.devices()[:1])):
        metrics = TrainMetrics.single_from_model_output(
            loss_B=np.array([1.0, 2.0, 3.0, 6.0]),
            sigma_B=np.array([0.1, 0.3, 0.3, 0.99]),
            gradient_norm=1.0,
        ).compute()
    assert metrics["loss"] == 3
    assert metrics["loss_noise_0_25"] == 1
    assert metrics["loss_noise_25_50"] == 2.5
    assert np.isnan(metrics["loss_noise_50_75"])
    assert metrics["loss_noise_75_100"] == 6


def test_the_held_out_loss_depends_on_its_seed_and_examples_alone(tiny):
    [batch] = batches(tiny, 1)
    task = PictureTask(tiny)
    params = task.init_params()
    loss = jax.jit(make_loss(task))
    first = np.asarray(loss(params, {}, batch, 0))
    np.testing.assert_array_equal(first, loss(params, {}, batch, 0))
    assert not np.allclose(first, loss(params, {}, batch, 1))
    reordered = {name: array[::-1] for name, array in batch.items()}
    assert first.shape == (tiny.data.batch_size,)
    assert not np.allclose(first, loss(params, {}, reordered, 0))


def test_a_mesh_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="there are 8"):
        make_mesh({"data": 3, "fsdp": 1, "tensor": 1, "sequence": 1})
    with pytest.raises(UserError, match="one of them may be -1"):
        make_mesh({"data": -1, "fsdp": -1, "tensor": 1, "sequence": 1})
