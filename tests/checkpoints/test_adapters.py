"""LoRAs parsed from flags, and transformers widened for the input channels of LoRAs."""

import dataclasses
import pathlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from painting_jax.checkpoints import lora_files
from painting_jax.checkpoints.adapters import LoraSpec, parse, widened
from painting_jax.checkpoints.source import Source, open_source
from painting_jax.errors import UserError


def test_loras_are_named_together_or_one_by_one_with_their_weights():
    expected = [LoraSpec("a", 1.0), LoraSpec("b/c", 0.8), LoraSpec("d", -0.5)]
    assert parse(["a,b/c:0.8", "d:-0.5"]) == expected
    assert parse(["a:1, b/c:8e-1", " d:-.5"]) == expected


def test_a_file_that_is_there_may_have_signs_in_its_name(tmp_path):
    odd = tmp_path / "v1:2, oil.safetensors"
    odd.touch()
    assert parse([str(odd)]) == [LoraSpec(str(odd))]
    assert parse([f"{odd}:0.5", "b"]) == [LoraSpec(str(odd), 0.5), LoraSpec("b")]


@pytest.mark.parametrize("text", ["", "a,", ":1", "a:nan", "a:inf"])
def test_a_lora_without_a_name_or_a_finite_weight_is_refused(text):
    with pytest.raises(UserError, match="name a LoRA and a weight"):
        parse([text])


def test_a_weight_that_is_no_number_is_refused():
    with pytest.raises(UserError, match="the weight 'strong' of the LoRA a is not a number"):
        parse(["a:strong"])


@pytest.fixture
def source(tmp_path) -> Source:
    """A transformer whose config says that it has as many output channels as input channels."""
    folder = tmp_path / "transformer"
    folder.mkdir()
    tensors = {"patch_embedding.weight": torch.ones(3, 4, 1, 2, 2), "x": torch.ones(2)}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text('{"in_channels": 4, "out_channels": null}')
    return open_source(folder)


def lora_of(channels: int, folder: pathlib.Path, key: str = "lora_A") -> LoraSpec:
    path = folder / "lora.safetensors"
    shape = (2, channels, 1, 2, 2)
    save_file({f"transformer.patch_embedding.{key}.weight": torch.ones(shape)}, path)
    return LoraSpec(str(path))


def test_new_channels_are_zero_and_all_else_is_unchanged(source, tmp_path):
    wide = widened(source, [lora_of(6, tmp_path)])
    kernel = wide.tensors["patch_embedding.weight"]
    assert kernel.shape == (3, 6, 1, 2, 2)
    np.testing.assert_array_equal(kernel.view()[:, :4], 1)
    np.testing.assert_array_equal(kernel.view()[:, 4:], 0)
    assert wide.tensors["x"] is source.tensors["x"]
    assert wide.config == {"in_channels": 6, "out_channels": 4}


@pytest.mark.parametrize("channels", [2, 4])
def test_a_transformer_with_enough_channels_stays_the_same(source, channels, tmp_path):
    assert widened(source, []) is source
    assert widened(source, [lora_of(channels, tmp_path)]) is source
    assert widened(source, [lora_of(6, tmp_path, key="lora_B")]) is source


@pytest.mark.parametrize("shape", [(), (3,), (3, 4)])
def test_a_damaged_kernel_is_left_to_key_matching(source, shape, tmp_path):
    damaged = dataclasses.replace(source.tensors["x"], shape=shape)
    source = dataclasses.replace(source, tensors={"patch_embedding.weight": damaged})
    assert widened(source, [lora_of(6, tmp_path)]) is source


@pytest.mark.parametrize(
    ("key", "channels"),
    [
        ("transformer.patch_embedding.lora_A.weight", 6),
        ("diffusion_model.patch_embedding.diff", 6),
        ("lora_unet_patch_embedding.lora_down.weight", 6),
        ("transformer.patch_embedding.lora_B.weight", 0),
        ("transformer.other.lora_A.weight", 0),
    ],
)
def test_a_lora_on_the_patch_embedding_tells_its_channels(key, channels, tmp_path):
    save_file({key: torch.ones(2, 6, 1, 2, 2)}, tmp_path / "lora.safetensors")
    assert lora_files.input_channels(tmp_path / "lora.safetensors") == channels
