"""The container recipe, read and held against the repository; `make container-check` follows it."""

import re
import shlex
import tomllib

import pytest

from launch import container_recipe, image
from tests import tiny

_EXTRAS = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


@pytest.fixture(scope="module")
def recipe():
    return container_recipe.read()


def test_every_file_that_is_copied_exists(recipe):
    copied = [source for source, _ in recipe.copies]
    assert copied
    assert not [source for source in copied if not (tiny.ROOT / source).exists()]


def test_everything_that_pip_and_a_training_read_is_copied(recipe):
    copied = {source for source, _ in recipe.copies}
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", "constraints.txt", "painting_jax", "configs"} <= copied
    assert {project["readme"], *project["license-files"]} <= copied


@pytest.mark.parametrize("extra", ["tpu", "cuda"])
def test_the_extras_that_pip_installs_exist_and_are_constrained(recipe, extra):
    assert recipe.arguments == {"EXTRA": "tpu"}
    [command] = recipe.commands
    words = shlex.split(command.replace("$EXTRA", extra))
    assert words[:2] == ["pip", "install"]
    assert words[words.index("-c") + 1] == "constraints.txt"
    [named] = re.findall(r"^\.\[(\w+)\]$", words[-1])
    assert named == extra
    assert extra in _EXTRAS


def test_the_base_has_a_python_that_the_package_supports(recipe):
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text())["project"]
    [version] = re.findall(r"^python:3\.(\d+)-slim$", recipe.base)
    [least] = re.findall(r"^>=3\.(\d+)$", project["requires-python"])
    assert int(version) >= int(least)


def test_the_entry_point_is_the_command_of_the_manifests(recipe):
    assert recipe.entrypoint == image.COMMAND
