"""Experiments that make no sense are refused for the field that is wrong."""

import re

import jax
import pytest

from configs import demo
from painting_jax.config_checks import check, check_model
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh

_MESH = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
_NAN, _INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("seed", -1, "from 0 to 2147483647"),
        ("seed", 1 << 63, "from 0 to 2147483647"),
        ("optimizer.learning_rate", -1.0, "a number above 0"),
        ("optimizer.learning_rate", _NAN, "a number above 0"),
        ("optimizer.learning_rate", _INF, "a number above 0"),
        ("optimizer.warmup_steps", -1, "from 0 to"),
        ("optimizer.end_learning_rate_fraction", 1.5, "from 0 to 1"),
        ("optimizer.b1", 1.5, "from 0 to below 1"),
        ("optimizer.b1", -0.1, "from 0 to below 1"),
        ("optimizer.b2", 1.0, "from 0 to below 1"),
        ("optimizer.b2", _NAN, "from 0 to below 1"),
        ("optimizer.weight_decay", -0.1, "a number, at least 0"),
        ("optimizer.weight_decay", _NAN, "a number, at least 0"),
        ("optimizer.clip_norm", -1.0, "above 0"),
        ("optimizer.clip_norm", 0.0, "above 0"),
        ("optimizer.clip_norm", _NAN, "above 0"),
        ("optimizer.ema_decay", 1.1, "from 0 to 1"),
        ("optimizer.ema_decay", _NAN, "from 0 to 1"),
        ("objective.mean", _NAN, "a number"),
        ("objective.mean", _INF, "a number"),
        ("objective.std", -1.0, "a number, at least 0"),
        ("objective.std", _NAN, "a number, at least 0"),
        ("objective.shift", -5.0, "a number above 0"),
        ("objective.shift", 0.0, "a number above 0"),
        ("objective.huber", -1.0, "a number, at least 0"),
        ("objective.structure", _NAN, "a number, at least 0"),
        ("objective.augment", 2.0, "from 0 to 1"),
        ("objective.drop.text", -0.5, "from 0 to 1"),
        ("data.caption_probability", _NAN, "from 0 to 1"),
        ("sampling.shift", 0.0, "a number above 0"),
        ("sampling.guidance", _NAN, "a number, 1 for none"),
        ("sampling.sampler", "heun", "unipc, euler, distilled, lcm or rectified_flow"),
        ("log.eval_every", 0, "from 1 to"),
        ("profile_steps", -1, "from 0 to"),
        ("steps", 1 << 31, "from 1 to 2147483647"),
        ("data.batch_size", 100_000_000, "from 1 to 1048576"),
        ("model.layers", 10_000_000, "from 1 to 1024"),
        ("lora.targets", ("(",), "the ends of some layers' names"),
        ("lora.targets", (), "the ends of some layers' names"),
        ("sampling.guide_on", ("medium", "medium"), "some of medium, reference, segments, text"),
        ("sampling.steps", 1001, "from 1 to 1000"),
        ("sampling.guidance", 1e9, "a number, 1 for none, at most 1000 from 0"),
        ("data.data_dir", "", "the path of a folder"),
        ("data.dataset", "/etc", "BUILDER or BUILDER/NAME"),
        ("init_from", "gs://bucket/run", "a local path"),
        ("pretrained.path", "https://host/model", "a local path, or a hub id"),
        ("optimizer.warmup_steps", 1401, "at most config.steps=1400"),
        ("optimizer.learning_rate", 1e-40, "a number above 0, from 1e-30"),
        ("log.samples", 1000, "from 1 to 256"),
        ("data.buckets", ("16:9", "1"), "aspects from 1:4 to 4:1, such as ('16:9', '1:1', '9:16')"),
        ("data.buckets", ("0:1",), "aspects from 1:4 to 4:1"),
        ("data.buckets", ("5:1",), "aspects from 1:4 to 4:1"),
        (
            "data.buckets",
            ("1:1",),
            "(): models of the family painting are trained and paint in one",
        ),
    ],
)
def test_senseless_values_are_refused(field, value, right):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(
        UserError,
        match=rf"^config\.{field}={re.escape(str(value))}: it must be {re.escape(right)}",
    ):
        check(config, _MESH)


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
        ({"model.heads": 3}, "config.model.dim=128: it must be a multiple of 2 x 3 heads"),
        ({"data.width": 40}, "config.data.width=40: it must be a multiple of the patch, 16"),
        ({"model.patch": (1, 16, 15)}, "one frame and even sides"),
        (
            {"model.patch": (2, 16, 16), "model.pixel_layers": 0},
            "config.data.frames=9: it must be a multiple of the patch, 2",
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
        ({"tensor": 8}, {}, "config.mesh.tensor=8: tensor must divide the 4 heads: 1, 2, 4"),
        (
            {"fsdp": 4, "sequence": 2},
            {"model.dim": 36, "model.heads": 2},
            "config.mesh.fsdp=4 config.mesh.sequence=2: fsdp x sequence must divide the 36 ",
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
    with pytest.raises(UserError, match="guide_on=medium: it must be a list of texts, some of"):
        check(config, _MESH)
