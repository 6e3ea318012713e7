"""Room for more channels, and LoRAs that tell how many they are made for."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from painting_jax.checkpoints import lora_files as lora
from painting_jax.checkpoints.source import Source, open_source
from painting_jax.checkpoints.widening import widened


@pytest.fixture
def source(tmp_path) -> Source:
    """A transformer's, whose config says of what comes out that it is what goes in."""
    tensors = {"patch_embedding.weight": torch.ones(3, 4, 1, 2, 2), "x": torch.ones(2)}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"in_channels": 4, "out_channels": null}')
    return open_source(tmp_path)


def test_new_channels_are_zero_and_all_else_is_as_it_was(source):
    wide = widened(source, 6)
    kernel = wide.tensors["patch_embedding.weight"]
    assert kernel.shape == (3, 6, 1, 2, 2)
    np.testing.assert_array_equal(kernel.view()[:, :4], 1)
    np.testing.assert_array_equal(kernel.view()[:, 4:], 0)
    assert wide.tensors["x"] is source.tensors["x"]
    assert wide.config == {"in_channels": 6, "out_channels": 4}


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_what_has_room_stays_the_same(source, channels):
    assert widened(source, channels) is source


@pytest.mark.parametrize("shape", [(), (3,), (3, 4)])
def test_a_damaged_tensor_is_left_to_be_told(source, shape):
    damaged = dataclasses.replace(source.tensors["x"], shape=shape)
    tensors = {"patch_embedding.weight": damaged}
    source = dataclasses.replace(source, tensors=tensors)
    assert widened(source, 6) is source


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
def test_a_lora_on_the_patches_tells_its_channels(key, channels, tmp_path):
    save_file({key: torch.ones(2, 6, 1, 2, 2)}, tmp_path / "lora.safetensors")
    assert lora.channels(tmp_path / "lora.safetensors") == channels
