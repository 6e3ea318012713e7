"""A plan is made of the program that would run; what cannot be planned is said in one line."""

import importlib.util
import json

import pytest

from configs import demo, wan21_i2v_14b, wan22_ti2v_5b
from painting_jax.errors import UserError
from painting_jax.planning import report, topologies
from painting_jax.planning.plan import plan
from tests.verbs import Verb

_CONFIG = "--config=configs/wan21_i2v_14b.py:lora"

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU's compiler, libtpu, is not there"
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    return Verb("plan", tmp_path_factory.mktemp("printed"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--config"),
        ((_CONFIG,), "--topology"),
        ((_CONFIG, "--topology=v9:4x4"), "v5e, v6e, tpu7x"),
        ((_CONFIG, "--topology=v5p:4x4"), "3 dimensions"),
        ((_CONFIG, "--topology=v5e"), "2 dimensions"),
        ((_CONFIG, "--topology=v5e:0x4"), "2 dimensions"),
        ((_CONFIG, "--topology=gpu:0"), "gpu:COUNT"),
        ((_CONFIG, "--topology=gpu:8"), "--memory and --peak"),
        ((_CONFIG, "--topology=gpu:8", "--memory=0"), "memory"),
        ((_CONFIG, "--topology=v5p:2x2x1", "--config.model.remat=some"), "model.remat"),
    ],
)
def test_what_cannot_be_planned_is_one_line(planned, arguments, said):
    planned.refuses(*arguments, said=said)


def test_gpus_are_estimated_and_labelled_so(planned):
    gpu = ("--topology=gpu:8", "--memory=80", "--peak=989")
    done = planned(_CONFIG, *gpu)
    assert done.returncode == 0
    assert done.stdout.startswith("estimates by formulas, not compiled")
    rows = json.loads(planned(_CONFIG, *gpu, "--json").stdout)
    assert all(row["estimate"] for row in rows)
    assert rows[0]["fits"]
    assert "--config.mesh" in rows[0]["settings"]


@needs_compiler
@pytest.mark.parametrize("topology", ["v5p:3x3x3", "v5e:3x5", "v6e:1x7"])
def test_a_slice_that_does_not_exist_is_named(topology):
    with pytest.raises(UserError, match="no such slice"):
        topologies.devices_of(topology)


@needs_compiler
@pytest.mark.parametrize(("topology", "count"), [("v5e:1x1", 1), ("v5e:4x4", 16), ("v5p:1x1x1", 1)])
def test_slices_have_their_devices_and_one_chip_is_a_slice(topology, count):
    assert len(topologies.devices_of(topology)) == count


def _tiny(lora: str):
    config = wan21_i2v_14b.get_config(f"{lora}tiny")
    config.mesh.update(data=1, fsdp=2, sequence=2)
    config.data.batch_size = 2
    config.data.buckets = ()
    return config


@needs_compiler
@pytest.mark.parametrize("lora", ["lora,", ""])
def test_a_small_training_step_is_compiled_for_a_slice(lora):
    made = plan(_tiny(lora), "v5e:2x2")
    assert made.fits
    assert 0 < made.memory < made.memory_there
    assert made.work.kernel_flops > 0  # Splash attention, not plain.
    kinds = {(exchange.kind, exchange.axes) for exchange in made.work.calls}
    assert ("all-to-all", ("sequence",)) in kinds
    assert 0 < made.ideal_seconds < made.seconds
    assert made.mfu(made.seconds) < made.mfu(made.ideal_seconds) <= 1
    assert "predicted step" in report.as_text(made)
    assert json.dumps(report.as_json(made))


@needs_compiler
def test_painting_is_planned_too():
    made = plan(_tiny("lora,"), "v5e:2x2", "generate")
    assert made.repeated > 1
    assert made.fits


@needs_compiler
def test_the_small_model_is_planned_by_the_same_code():
    config = demo.get_config()
    config.data.batch_size = 4
    assert plan(config, "v5e:2x2").fits


@needs_compiler
def test_a_model_that_takes_no_image_tokens_is_planned():
    config = wan22_ti2v_5b.get_config("lora,tiny")
    config.mesh.data = 4
    config.data.update(batch_size=4, buckets=())
    assert plan(config, "v5e:2x2").fits


@needs_compiler
def test_a_mesh_that_does_not_match_the_slice_is_refused():
    config = _tiny("lora,")
    config.mesh.fsdp = 3
    with pytest.raises(UserError, match="needs 6 devices, there are 4"):
        plan(config, "v5e:2x2")
