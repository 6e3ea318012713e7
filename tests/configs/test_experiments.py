"""The experiment files, found and read as `--config` finds them."""

import ast
import importlib.util

import jax
import pytest

from painting_jax import config as config_lib
from painting_jax.config_checks import check
from painting_jax.models.wan import transformer as wan
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training import state as state_lib
from tests import tiny

_FOLDER = tiny.ROOT / "configs"
_EXPERIMENTS = sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__")


_PUBLISHED = [name for name in _EXPERIMENTS if name.startswith("wan")]
_ONE_DEVICE = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])


def experiment(name: str, arg: str | None = None):
    spec = importlib.util.spec_from_file_location(name, _FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(arg)


@pytest.mark.parametrize("name", _EXPERIMENTS)
def test_every_experiment_imports_painting_jax_alone(name):
    tree = ast.parse((_FOLDER / f"{name}.py").read_text())
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {module.partition(".")[0] for module in imported} == {"painting_jax"}


@pytest.mark.parametrize("name", _EXPERIMENTS)
def test_every_experiment_has_every_field_and_fits_its_pictures(name):
    config = experiment(name)
    assert set(_fields(config)) == {field.name for field in config_lib.FIELDS}
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
