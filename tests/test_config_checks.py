"""Experiments that make no sense are refused for the field that is wrong."""

import re

import jax
import pytest

from configs import demo
from painting_jax.config_checks import check
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
        ("optimizer.warmup_steps", -1, "at least 0"),
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
        ("data.buckets", ("16:9", "1"), "aspects from 1:4 to 4:1, such as ('16:9', '1:1', '9:16')"),
        ("data.buckets", ("0:1",), "aspects from 1:4 to 4:1"),
        ("data.buckets", ("5:1",), "aspects from 1:4 to 4:1"),
        (
            "data.buckets",
            ("1:1",),
            "(): models of the family painting are trained and paint in one",
        ),
        ("log.eval_every", 0, "at least 1"),
        ("profile_steps", -1, "at least 0"),
    ],
)
def test_senseless_values_are_refused(field, value, right):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(
        UserError, match=rf"^config\.{field}={re.escape(str(value))}: it must be {re.escape(right)}"
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
    ],
)
def test_numbers_at_the_edge_of_sense_are_taken(field, value):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    check(config, _MESH)
