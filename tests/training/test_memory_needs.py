"""The memory of a training, estimated from shapes and compared with what there is."""

import math
import time

import jax
import pytest

from configs import demo, wan21_i2v_14b, wan21_t2v_1_3b, wan22_i2v_a14b
from painting_jax import memory
from painting_jax.errors import UserError
from painting_jax.models.wan.transformer import SIZES
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training import memory_needs
from painting_jax.training.state import init_state

_GIB = 2**30
_ONE = make_mesh({}, jax.devices()[:1])


def test_the_state_is_counted_exactly():
    config = demo.get_config()
    state = jax.eval_shape(lambda: init_state(FromScratch(config)))
    size = sum(4 * math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
    needs = memory_needs.estimate(config, _ONE)
    assert needs.state == 5 * size
    held = sum(leaf.dtype.itemsize * math.prod(leaf.shape) for leaf in jax.tree.leaves(state))
    # The gradient comes on top of what the state holds.
    assert needs.state == pytest.approx(held + size, rel=1e-3)


def test_published_sizes_are_near_what_is_known_of_them():
    """16.4 billion parameters in bfloat16; of the autoencoder, which decodes alone, the half."""
    needs = memory_needs.estimate(wan21_i2v_14b.get_config("lora"), _ONE)
    assert needs.frozen == pytest.approx(32.8e9, rel=0.01)
    rank, dim, hidden = 32, SIZES["wan21_i2v_14b"].dim, SIZES["wan21_i2v_14b"].ffn_dim
    attentions, feed_forward = 8 * 2 * dim, 2 * (dim + hidden)
    assert needs.state == 5 * 4 * 40 * rank * (attentions + feed_forward)
    # Of the layers with adapters, 14.05 billion parameters have a byte less in int8.
    in_int8 = wan21_i2v_14b.get_config("lora")
    in_int8.pretrained.dtype = "int8"
    assert needs.frozen - memory_needs.estimate(in_int8, _ONE).frozen == pytest.approx(
        14.05e9, 1e-3
    )
    # Both experts are held, 14.29 billion parameters each.
    needs = memory_needs.estimate(wan22_i2v_a14b.get_config("lora"), _ONE)
    assert needs.frozen == pytest.approx(2 * 28.6e9 + 0.5e9, rel=0.01)


def test_a_mesh_shares_parameters_and_activations():
    config = demo.get_config()
    config.data.batch_size = 8
    alone = memory_needs.estimate(config, _ONE)
    shared = memory_needs.estimate(config, make_mesh({"fsdp": 8}, jax.devices()[:8]))
    assert shared.activations == alone.activations // 8
    assert alone.state / 8 <= shared.state < alone.state / 4
    assert shared.batches == alone.batches


@pytest.mark.parametrize(
    ("changes", "smaller"),
    [
        ({"optimizer.gradient_accumulation_steps": 4}, "activations"),
        ({"model.remat": "full"}, "activations"),
        ({"data.batch_size": 2}, "batches"),
        ({"model.dtype": "bfloat16"}, "activations"),
        ({"model.dim": 64}, "state"),
        ({"optimizer.ema": False}, "state"),
        ({"optimizer.momentum_dtype": "bfloat16"}, "state"),
    ],
)
def test_what_is_advised_lowers_the_estimate(changes, smaller):
    config = demo.get_config()
    before = getattr(memory_needs.estimate(config, _ONE), smaller)
    config.update_from_flattened_dict(changes)
    assert getattr(memory_needs.estimate(config, _ONE), smaller) < before


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"data.batch_size": 2**20}, "lower config.data.batch_size=1048576 or the size of videos"),
        ({"model.layers": 1024, "model.dim": 8192}, "less than config.model.layers=1024"),
        ({"model.dim": 65536}, "take a smaller model"),
        (
            {"data.height": 8192, "data.width": 8192, "data.batch_size": 512},
            "9 frames of 8192x8192",
        ),
    ],
)
def test_what_no_machine_can_do_is_refused_at_once(monkeypatch, changes, advice):
    monkeypatch.setattr(memory, "host", lambda: 16 * _GIB)
    config = demo.get_config()
    config.update_from_flattened_dict(changes)
    before = time.monotonic()
    with pytest.raises(UserError) as caught:
        memory_needs.check(config, _ONE)
    assert time.monotonic() - before < 10
    said = str(caught.value)
    assert said.startswith("this training needs at least ")
    assert "this machine has 16.0 GiB: " in said
    assert advice in said
    assert "mesh.fsdp" not in said, "a machine's memory does not grow with its devices"
    assert "\n" not in said


def test_a_devices_limit_counts_where_it_has_one(monkeypatch):
    monkeypatch.setattr(memory, "of_device", lambda device: 16 * _GIB)
    monkeypatch.setattr(memory, "host", lambda: 1024 * _GIB)
    with pytest.raises(UserError) as caught:
        memory_needs.check(wan21_i2v_14b.get_config("lora"), _ONE)
    assert "a device has 16.0 GiB" in str(caught.value)
    assert "config.mesh.fsdp" in str(caught.value)
    monkeypatch.setattr(memory, "of_device", lambda device: 80 * _GIB)
    memory_needs.check(wan21_i2v_14b.get_config("lora"), _ONE)
    with pytest.raises(UserError, match=r"train a LoRA with config\.lora\.enabled=True"):
        memory_needs.check(wan21_i2v_14b.get_config(), _ONE)


@pytest.mark.parametrize("experiment", [demo, wan21_t2v_1_3b])
def test_small_experiments_fit_on_a_laptop(monkeypatch, experiment):
    monkeypatch.setattr(memory, "host", lambda: 8 * _GIB)
    arg = None if experiment is demo else "lora,tiny"
    memory_needs.check(experiment.get_config(arg), _ONE)
    memory_needs.check(experiment.get_config(arg), make_mesh({"data": -1}))
