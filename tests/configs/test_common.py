import importlib
import pathlib

import jax
import pytest

import configs
from configs import common
from painting_jax.models.wan import transformer as wan
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training import state as state_lib
from painting_jax.training.config_check import check

_EXPERIMENTS = sorted(
    path.stem
    for path in pathlib.Path(configs.__file__).parent.glob("*.py")
    if path.stem not in ("__init__", "common", "published")
)


def test_argument_gives_the_types_of_the_defaults():
    parsed = common.parse_arg(
        "local,size=128,rate=0.5,name=x=y", local=False, size=1, rate=1.0, name=""
    )
    assert parsed.to_dict() == {"local": True, "size": 128, "rate": 0.5, "name": "x=y"}


@pytest.mark.parametrize("text", [None, "", ","])
def test_no_argument_leaves_the_defaults(text):
    assert common.parse_arg(text, local=False, size=64).to_dict() == {"local": False, "size": 64}


@pytest.mark.parametrize(("text", "value"), [("on=true", True), ("on=0", False), ("on=1", True)])
def test_switches_may_be_spelt_out(text, value):
    assert common.parse_arg(text, on=not value).on is value


def test_unknown_argument_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'colour'.*known are size"):
        common.parse_arg("colour=red", size=64)


def test_argument_whose_value_is_forgotten_is_refused():
    with pytest.raises(ValueError, match="config argument size needs a value: size=64"):
        common.parse_arg("on,size", on=False, size=64)


def test_argument_of_another_type_is_refused():
    with pytest.raises(ValueError, match="big"):
        common.parse_arg("size=big", size=64)


_PUBLISHED = [name for name in _EXPERIMENTS if name.startswith("wan")]
_ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])


def experiment(name: str, arg: str | None = None):
    return importlib.import_module(f"configs.{name}").get_config(arg)


@pytest.mark.parametrize("name", _EXPERIMENTS)
def test_every_experiment_has_every_field_and_fits_its_pictures(name):
    config = experiment(name)
    assert set(_fields(config)) == set(_fields(common.base())), "common.base() has every field"
    check(config, _ONE_DEVICE)


@pytest.mark.parametrize("name", sorted(set(_EXPERIMENTS) - set(_PUBLISHED)))
def test_every_picture_space_experiment_builds_its_model(name):
    task = FromScratch(experiment(name))
    state = jax.eval_shape(lambda: state_lib.init_state(task))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) > 100_000


@pytest.mark.parametrize("name", _PUBLISHED)
def test_arguments_choose_what_is_trained_of_a_published_model(name):
    config = experiment(name, "lora,rank=7,steps=30")
    assert (config.lora.enabled, config.lora.rank, config.steps) == (True, 7, 30)
    assert not experiment(name).lora.enabled
    whole = wan.SIZES[name]
    assert config.model.dim == whole.dim
    assert config.model.in_channels == whole.in_channels
    assert config.pretrained.path.startswith("Wan-AI/Wan2")


@pytest.mark.parametrize("name", _PUBLISHED)
def test_tiny_shrinks_every_size_and_names_no_weights(name):
    config, whole = experiment(name, "lora,tiny"), experiment(name)
    check(config, _ONE_DEVICE)
    assert not config.pretrained.path
    for field in ("dim", "layers", "heads", "ffn_dim", "text_dim"):
        assert config.model[field] < whole.model[field]
    assert config.data.frames < whole.data.frames
    assert config.model.in_channels == whole.model.in_channels


def _fields(config, prefix=""):
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
