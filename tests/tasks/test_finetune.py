"""Every kind of published model can be trained and sampled: traced whole, compiled nowhere."""

import importlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax import media
from painting_jax.models.family import Work
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks import published
from painting_jax.tasks.registry import make_task
from painting_jax.training import state as state_lib
from painting_jax.training import throughput
from painting_jax.training.step import TrainMetrics, make_held_out_loss, make_train_step

ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
KINDS = {
    "concatenated picture and image tokens, LoRA": ("wan21_i2v_14b", "lora,tiny", 9),
    "picture as the first latent frame, all trained": ("wan21_t2v_1_3b", "tiny", 8),
    "an expert for low noise, all trained": ("wan22_i2v_a14b", "tiny", 9),
}


def shapes(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def batch(config, frames: int) -> dict[str, jax.ShapeDtypeStruct]:
    data, count = config.data, config.data.batch_size
    picture = (data.height, data.width)
    described = {
        "frames_BTHWC": ((frames, *picture, 3), jnp.uint8),
        "progress_BT": ((frames,), jnp.float32),
        "medium_BM": ((len(media.MEDIA),), jnp.float32),
        "text_BLD": ((512, config.model.text_dim), jnp.float32),
        "reference_BHWC": ((*picture, 3), jnp.uint8),
        "segments_BHW": (picture, jnp.uint8),
    }
    return {
        name: jax.ShapeDtypeStruct((count, *shape), dtype)
        for name, (shape, dtype) in described.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_trains_and_paints(kind, tmp_path):
    name, arg, frames = KINDS[kind]
    config = importlib.import_module(f"configs.{name}").get_config(arg)
    if config.pretrained.expert:
        config.pretrained.expert = "low"
    published.check_base(config)
    source = types.SimpleNamespace(captions=lambda: ["a cat"])
    published.begin_base(config, tmp_path, source)
    task = make_task(config, tmp_path)
    assert task.frames == frames
    assert task.model.conditioning_frames == config.data.frames - frames
    empty_LD = np.zeros((512, config.model.text_dim), np.float32)
    conditioner = types.SimpleNamespace(embedding=lambda prompt: empty_LD)
    frozen = shapes(task.load_frozen(ONE_DEVICE, conditioner))
    assert ("transformer" in frozen) == config.lora.enabled
    assert ("image_encoder" in frozen) == bool(config.model.image_dim)
    assert ("other_expert" in frozen) == bool(config.pretrained.expert)
    state = jax.eval_shape(lambda: state_lib.init_state(task))
    given = batch(config, frames)

    after, _, _ = jax.eval_shape(
        make_train_step(task), state, shapes(TrainMetrics.empty()), given, frozen
    )
    assert jax.tree.map(jnp.shape, after.params) == jax.tree.map(jnp.shape, state.params)
    loss_B = jax.eval_shape(make_held_out_loss(task), state.params, frozen, given, 0)
    assert loss_B.shape == (config.data.batch_size,)
    meter = throughput.Meter(task, ONE_DEVICE)
    with meter.apart("compiling"):
        pass
    meter.count(config.data.height, config.data.width)
    assert meter.since_last()["tokens_per_s"] > 0


def test_adapters_save_the_gradients_of_the_weights_alone():
    work = Work(tokens=1, forward=10.0, attention=4.0)
    assert throughput.step_flops(work, 2) == 2 * 3 * 10
    assert throughput.step_flops(work, 2, full_finetune=False) == 2 * (2 * 6 + 3 * 4)
