"""Experiments that make no sense are refused for the field that is wrong."""

import re

import jax
import pytest

from configs import demo, wan21_t2v_1_3b
from painting_jax.config_checks import check, check_model
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh

_MESH = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
_NAN, _INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", 1 << 63),
        ("optimizer.learning_rate", -1.0),
        ("optimizer.learning_rate", _NAN),
        ("optimizer.learning_rate", _INF),
        ("optimizer.warmup_steps", -1),
        ("optimizer.end_learning_rate_fraction", 1.5),
        ("optimizer.b1", 1.5),
        ("optimizer.b1", -0.1),
        ("optimizer.b2", 1.0),
        ("optimizer.b2", _NAN),
        ("optimizer.weight_decay", -0.1),
        ("optimizer.weight_decay", _NAN),
        ("optimizer.clip_norm", -1.0),
        ("optimizer.clip_norm", 0.0),
        ("optimizer.clip_norm", _NAN),
        ("optimizer.ema_decay", 1.1),
        ("optimizer.ema_decay", _NAN),
        ("objective.mean", _NAN),
        ("objective.mean", _INF),
        ("objective.std", -1.0),
        ("objective.std", _NAN),
        ("objective.shift", -5.0),
        ("objective.shift", 0.0),
        ("objective.huber", -1.0),
        ("objective.structure", _NAN),
        ("objective.augment", 2.0),
        ("objective.drop.text", -0.5),
        ("data.caption_probability", _NAN),
        ("sampling.shift", 0.0),
        ("sampling.guidance", _NAN),
        ("sampling.sampler", "heun"),
        ("log.eval_every", 0),
        ("profile_steps", -1),
        ("steps", 1 << 31),
        ("data.batch_size", 100_000_000),
        ("model.layers", 10_000_000),
        ("lora.targets", ("(",)),
        ("lora.targets", ()),
        ("sampling.guide_on", ("medium", "medium")),
        ("sampling.pace", ()),
        ("sampling.pace", (0.5, 0.2)),
        ("sampling.pace", (0.0, 0.5)),
        ("sampling.pace", (_NAN,)),
        ("sampling.steps", 1001),
        ("sampling.guidance", 1e9),
        ("data.data_dir", ""),
        ("data.dataset", "/etc"),
        ("init_from", "s3://bucket/run"),
        ("pretrained.path", "https://host/model"),
        ("pretrained.path", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        ("pretrained.dtype", "int8"),
        ("pretrained.expert", "low"),
        ("optimizer.warmup_steps", 1401),
        ("optimizer.learning_rate", 1e-40),
        ("log.samples", 1000),
        ("data.buckets", ("16:9", "1")),
        ("data.buckets", ("0:1",)),
        ("data.buckets", ("5:1",)),
        ("data.buckets", ("1:1",)),
    ],
)
def test_senseless_values_are_refused(field, value):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    named = re.escape(f"config.{field}={value}: ")
    with pytest.raises(UserError, match=f"^{named}"):
        check(config, _MESH)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.spatial", 0),
        ("model.spatial", 17),
        ("model.pixel_layers", 0),
        ("objective.clean_prediction", False),
        ("data.buckets", ("1:1",)),
        ("data.height", 64 + 16),
        ("data.width", 3 * 32),
        ("data.part_probability", 1.5),
    ],
)
def test_a_head_of_a_larger_size_needs_what_it_paints_with(field, value):
    config = demo.get_config()
    config.model.spatial, config.data.height, config.data.width = 4, 128, 256
    check(config, _MESH)
    config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError, match=rf"^config\.{re.escape(field)}="):
        check(config, _MESH)


def test_published_weights_are_not_trained_on_parts_of_a_process():
    config = wan21_t2v_1_3b.get_config()
    config.data.part_probability = 0.3
    with pytest.raises(UserError, match=r"^config\.data\.part_probability=0.3: it must be 0 "):
        check_model(config)


def test_a_refusal_says_what_would_be_right():
    config = demo.get_config()
    config.data.buckets = ("16:9", "1")
    with pytest.raises(UserError) as caught:
        check(config, _MESH)
    right = "aspect ratios from 1:4 to 4:1, such as ('16:9', '1:1', '9:16')"
    assert str(caught.value).startswith(f"config.data.buckets=('16:9', '1'): it must be {right}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("optimizer.clip_norm", _INF),
        ("optimizer.b1", 0.0),
        ("optimizer.weight_decay", 0.0),
        ("optimizer.ema_decay", 0.0),
        ("objective.std", 0.0),
        ("objective.mean", -2.0),
        ("sampling.guidance", 0.0),
        ("sampling.guide_on", ()),
        ("steps", 2**31 - 1),
        ("optimizer.warmup_steps", 1400),
        ("data.data_dir", "/a b/é"),
        ("data.dataset", "painted_images/default/1.0.0"),
        ("mesh.fsdp", -1),
    ],
)
def test_numbers_at_the_edge_of_sense_are_taken(field, value):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    check(config, _MESH)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.heads": 3}, "config.model.dim=128: "),
        ({"data.width": 40}, "config.data.width=40: "),
        ({"model.patch": (1, 16, 15)}, "one frame and even sides"),
        (
            {"model.patch": (2, 16, 16), "model.pixel_layers": 0},
            "config.data.frames=9: ",
        ),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused_of_experiments_and_of_runs(changes, said):
    config = demo.get_config()
    config.update_from_flattened_dict(changes)
    for refuse in (lambda: check(config, _MESH), lambda: check_model(config)):
        with pytest.raises(UserError, match=re.escape(said)):
            refuse()


@pytest.mark.parametrize(
    ("sizes", "changes", "said"),
    [
        ({"tensor": 8}, {}, "config.mesh.tensor=8: "),
        (
            {"fsdp": 4, "sequence": 2},
            {"model.dim": 36, "model.heads": 2},
            "config.mesh.fsdp=4 config.mesh.sequence=2: ",
        ),
    ],
)
def test_a_mesh_that_would_repeat_work_is_refused(sizes, changes, said):
    config = demo.get_config()
    config.update_from_flattened_dict(changes | {"data.batch_size": 8})
    with pytest.raises(UserError, match=re.escape(said)):
        check(config, make_mesh(sizes))


def test_a_value_of_another_type_is_refused():
    config = demo.get_config()
    with config.unlocked(), config.ignore_type():
        config.sampling.guide_on = "medium"
    with pytest.raises(UserError, match=r"config\.sampling\.guide_on=medium: "):
        check(config, _MESH)


def test_a_base_in_int8_is_for_adapters_alone():
    config = wan21_t2v_1_3b.get_config("lora,tiny")
    config.pretrained.dtype = "int8"
    check(config, _MESH)
    config.lora.enabled = False
    with pytest.raises(UserError) as caught:
        check(config, _MESH)
    assert str(caught.value).startswith("config.pretrained.dtype=int8: it must be another type")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_kernels_for_nvidia_gpus_are_refused_on_a_cpu(dtype):
    config = demo.get_config()
    config.model.attention, config.model.dtype = "cudnn", dtype
    with pytest.raises(UserError, match=r"^config.model.attention=cudnn: .* on cpu: set .*=auto$"):
        check(config, make_mesh({"data": 1}, jax.devices()[:1]))
