"""One step on any mesh; accumulation; the held-out loss."""

import itertools

import jax
import numpy as np
import optax
import pytest

from painting_jax.data import pipeline
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import batch_sharding, replicated
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training import state as state_lib
from painting_jax.training.step import (
    TrainMetrics,
    make_held_out_loss,
    make_train_step,
    output_shardings,
)
from tests import initial_state
from tests.training import formulas

MESHES = {
    "one device": {"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1},
    "fsdp 2, tensor 2, data 2": {"data": 2, "fsdp": 2, "tensor": 2, "sequence": 1},
    # It does not divide the 12 tokens, nor the 4 of a frame.
    "sequence 8": {"data": 1, "fsdp": 1, "tensor": 1, "sequence": 8},
}


def _one_device() -> jax.sharding.Mesh:
    return make_mesh(MESHES["one device"], jax.devices()[:1])


def batches(config, count: int) -> list[dict]:
    source = pipeline.DataSource(config.data.data_dir, "train")
    tokenizer = Tokenizer.train(source.captions(), size=config.model.vocabulary)
    examples = pipeline.Examples(
        config.data.frames,
        config.data.height,
        config.data.width,
        TokenConditioner(tokenizer, config.data.text_length),
        config.model.media,
        0.3,
    )
    dataset = pipeline.training_batches(
        source, examples, batch_size=config.data.batch_size, seed=config.seed
    )
    return [{k: v for k, v in dataset[i].items() if k != "index_B"} for i in range(count)]


def run(config, sizes: dict, steps: int) -> tuple[list[dict], list[state_lib.TrainState]]:
    """Metrics of the first steps, and the states before and after each, on such a mesh."""
    devices = jax.devices() if -1 in sizes.values() else jax.devices()[: np.prod([*sizes.values()])]
    mesh = make_mesh(sizes, devices)
    with jax.set_mesh(mesh):
        task = FromScratch(config)
        state = initial_state.make(task, mesh)
        empty = jax.device_put(TrainMetrics.empty(), replicated(mesh))
        step = jax.jit(make_train_step(task), out_shardings=output_shardings(state, empty))
        measured, states = [], [state]
        for batch in batches(config, steps):
            on_device = jax.device_put(batch, batch_sharding(mesh))
            state, metrics, finite = step(state, empty, on_device, {})
            assert finite
            measured.append(metrics.compute())
            states.append(state)
        # It takes what it has returned without being compiled again.
        assert step._cache_size() == 1
    return measured, states


def assert_same_losses(measured: list[dict], others: list[dict], rtol: float) -> None:
    losses, expected = ([step["loss"] for step in steps] for steps in (measured, others))
    np.testing.assert_allclose(losses, expected, rtol)


@pytest.fixture(scope="module")
def one_device(tiny_config):
    return run(tiny_config(), MESHES["one device"], 4)


@pytest.mark.parametrize("mesh", list(MESHES)[1:])
def test_eight_devices_have_the_losses_of_one(tiny, one_device, mesh):
    measured, states = run(tiny, MESHES[mesh], 4)
    assert_same_losses(measured, one_device[0], rtol=1e-5)
    kernels = states[-1].params["transformer"]["blocks"]["attn1"]["to_q"]["kernel"]
    if "fsdp" in mesh:
        assert kernels.addressable_shards[0].data.size == kernels.size // 4


def test_accumulated_parts_make_the_same_step(tiny, one_device):
    tiny.optimizer.gradient_accumulation_steps = 4
    measured, states = run(tiny, MESHES["one device"], 4)
    assert_same_losses(measured, one_device[0], rtol=1e-4)
    # The first learning rate is 0: both gradients that the mean has after two steps are of the
    # parameters that training starts with. They differ by the order of sums alone.
    mean, expected = (
        formulas.flat(optax.tree.get(s[2].opt_state, "mu")) for s in (states, one_device[1])
    )
    norm = formulas.global_norm(expected)
    for name, value in mean.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-6 * norm, err_msg=name)


def test_a_step_clips_updates_and_averages_by_the_formulas(tiny):
    """Several steps of the demo's model; the gradients are recovered from Adam's mean."""
    tiny.optimizer.weight_decay = 0.5  # enough for a wrong mask to show
    clip = tiny.optimizer.clip_norm = 0.05
    tiny.optimizer.ema_decay = 0.2  # reached at the third step
    optimizer = tiny.optimizer
    measured, states = run(tiny, MESHES["one device"], 6)
    params = formulas.flat(states[0].params)
    average = params
    decayed = [name for name in params if name.endswith(("kernel", "token_table", "medium_table"))]
    expected = formulas.AdamW(
        params, b1=optimizer.b1, b2=optimizer.b2, decay=optimizer.weight_decay, decayed=decayed
    )
    norms = []
    for step, (before, after) in enumerate(itertools.pairwise(states)):
        old, new = (formulas.flat(optax.tree.get(s.opt_state, "mu")) for s in (before, after))
        gradient = {
            name: (new[name] - optimizer.b1 * old[name]) / (1 - optimizer.b1) for name in new
        }
        norms.append(float(measured[step]["gradient_norm"]))
        # Before the clipping, of which Adam sees what is left.
        assert formulas.global_norm(gradient) == pytest.approx(min(norms[-1], clip), rel=1e-4)
        expected.step(
            gradient,
            formulas.learning_rate(
                step,
                peak=optimizer.learning_rate,
                warmup=optimizer.warmup_steps,
                steps=tiny.steps,
                final=optimizer.end_learning_rate_fraction,
            ),
        )
        params = formulas.flat(after.params)
        average = formulas.ema(average, params, step, optimizer.ema_decay)
        for name, value in params.items():
            np.testing.assert_allclose(
                value, expected.params[name], rtol=1e-5, atol=2e-6, err_msg=f"{name}, step {step}"
            )
        for name, value in formulas.flat(after.ema_params).items():
            np.testing.assert_allclose(value, average[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert min(norms) < clip < max(norms)


def test_loss_by_noise_level_averages_to_the_loss(tiny):
    with jax.set_mesh(_one_device()):
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
    task = FromScratch(tiny)
    params = initial_state.make(task, _one_device()).params
    loss = jax.jit(make_held_out_loss(task))
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
