"""A LoRA that a run goes on with, and those that it cannot go on with."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

from configs import wan21_t2v_1_3b
from painting_jax.checkpoints import lora_files
from painting_jax.errors import UserError
from painting_jax.models import lora
from painting_jax.tasks import initial_lora
from painting_jax.tasks.task import make_model

RANK = 3


def experiment(path: pathlib.Path, **changes):
    config = wan21_t2v_1_3b.get_config(f"lora,tiny,rank={RANK}")
    config.lora.targets = ("attn1.to_q", "attn2.to_k")
    config.init_from = str(path)
    config.lora.update(changes)
    return config


@pytest.fixture(scope="module")
def branches() -> dict[str, lora.Branch]:
    shapes = {"blocks/attn1/to_q": (2, 48, 48), "blocks/attn2/to_k": (2, 48, 48)}
    fresh = lora.init_branches(jax.random.key(0), shapes, RANK)
    return {path: dataclasses.replace(one, b=one.b + 0.5) for path, one in fresh.items()}


@pytest.fixture
def written(branches, tmp_path):
    """Writes those branches, or some of them, as a LoRA."""

    def write(dialect="comfyui", keep=lambda target: True, **changes) -> pathlib.Path:
        factors = {
            target: dataclasses.replace(one, **changes)
            for target, one in lora.unstack(branches).items()
            if keep(target)
        }
        path = tmp_path / "painting.safetensors"
        lora_files.write(path, factors, dialect)
        return path

    return write


@pytest.mark.parametrize("dialect", ["diffusers", "comfyui"])
def test_its_adapters_are_those_to_train(branches, written, dialect):
    config = experiment(written(dialect))
    assert initial_lora.is_named(config)
    read = initial_lora.read(config, make_model(config).config)
    assert read.keys() == branches.keys()
    for path, branch in branches.items():
        assert read[path].a.shape == branch.a.shape
        np.testing.assert_allclose(read[path].a @ read[path].b, branch.a @ branch.b, atol=1e-6)


def refused(config, *said: str) -> None:
    with pytest.raises(UserError) as caught:
        initial_lora.read(config, make_model(config).config)
    for part in said:
        assert part in str(caught.value)


def test_what_cannot_be_gone_on_with_is_said(written):
    refused(experiment(pathlib.Path("/nowhere")), "/nowhere does not exist")
    refused(experiment(written(), rank=8), "is of rank 3, config.lora.rank of 8: set it to that")
    refused(
        experiment(written(), targets=("to_q",)),
        "is on 4 matrices, attn1.to_q, attn2.to_k",
        "config.lora.targets mean 4",
    )
    refused(
        experiment(written(keep=lambda target: target.layer == 0)), "is on 2 matrices", "mean 4"
    )
    refused(experiment(written(bias_O=np.ones(48))), "changes biases", "merge it with convert")


def test_a_run_is_no_lora_of_unknown_origin(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert not initial_lora.is_named(experiment(tmp_path))
    assert not initial_lora.is_named(
        experiment(pathlib.Path("painting.safetensors"), enabled=False)
    )
