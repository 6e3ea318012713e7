import importlib
import pathlib

import jax
import pytest

import configs
from configs import common
from painting_jax.models.codec import PixelCodec
from painting_jax.training import state as state_lib

_EXPERIMENTS = sorted(
    path.stem
    for path in pathlib.Path(configs.__file__).parent.glob("*.py")
    if path.stem not in ("__init__", "common")
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


def test_argument_of_another_type_is_refused():
    with pytest.raises(ValueError, match="big"):
        common.parse_arg("size=big", size=64)


@pytest.mark.parametrize("name", _EXPERIMENTS)
def test_every_experiment_builds_its_model_and_fits_its_pictures(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    base = common.base()
    assert set(_fields(config)) == set(_fields(base)), "common.base() has every field"
    for height_or_width, patch in zip(
        (config.data.height, config.data.width), config.model.patch[1:], strict=True
    ):
        assert height_or_width % (patch * PixelCodec().spatial) == 0
    state = jax.eval_shape(lambda: state_lib.init_state(config))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) > 100_000


def _fields(config, prefix=""):
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
