"""Autoencoders' folders and single files into ours and back, with diffusers' as the source."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers import AutoencoderKLWan
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from flax import nnx

from painting_jax.checkpoints import load, save
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import spellings
from painting_jax.models.wan import vae as wan_vae
from painting_jax.models.wan import vae_params as table
from painting_jax.sharding.mesh import make_mesh
from tests.checkpoints.filling import random_reference

# Their latents are spread as the published ones: a single file does not say how.
CONFIGS = {
    name: dataclasses.replace(size, encoder_dim=4, decoder_dim=dim, depth=depth)
    for (name, size), dim, depth in zip(wan_vae.SIZES.items(), (4, 8), (2, 1), strict=True)
}
# As the modules of Wan2.2's repository are nested, for one residual block of a width.
NAMES_22 = {
    "encoder.downsamples.2.downsamples.0.residual.3.gamma": (
        "encoder.down_blocks.2.resnets.0.norm2.gamma"
    ),
    "encoder.downsamples.1.downsamples.0.shortcut.weight": (
        "encoder.down_blocks.1.resnets.0.conv_shortcut.weight"
    ),
    "encoder.downsamples.1.downsamples.1.resample.1.bias": (
        "encoder.down_blocks.1.downsampler.resample.1.bias"
    ),
    "encoder.downsamples.2.downsamples.1.time_conv.weight": (
        "encoder.down_blocks.2.downsampler.time_conv.weight"
    ),
    "encoder.middle.1.to_qkv.weight": "encoder.mid_block.attentions.0.to_qkv.weight",
    "encoder.head.2.bias": "encoder.conv_out.bias",
    "conv1.weight": "quant_conv.weight",
    "conv2.bias": "post_quant_conv.bias",
    "decoder.conv1.weight": "decoder.conv_in.weight",
    "decoder.middle.2.residual.6.bias": "decoder.mid_block.resnets.1.conv2.bias",
    "decoder.upsamples.0.upsamples.1.residual.2.weight": (
        "decoder.up_blocks.0.resnets.1.conv1.weight"
    ),
    "decoder.upsamples.0.upsamples.2.time_conv.bias": (
        "decoder.up_blocks.0.upsampler.time_conv.bias"
    ),
    "decoder.upsamples.2.upsamples.2.resample.1.weight": (
        "decoder.up_blocks.2.upsampler.resample.1.weight"
    ),
    "decoder.head.0.gamma": "decoder.norm_out.gamma",
}


class Pair:
    """diffusers' autoencoder in a folder, and its parameters as ours are loaded from there."""

    def __init__(self, variant: str, folder):
        self.config, self.folder = CONFIGS[variant], folder
        arguments = table.diffusers_config(self.config)
        del arguments["_class_name"]
        self.theirs = random_reference(lambda: AutoencoderKLWan(**arguments))
        self.theirs.save_pretrained(folder)
        self.params = loaded(folder, self.config)


def loaded(source, config: wan_vae.WanVAEConfig) -> dict:
    mesh = make_mesh({"data": 1, "fsdp": 1, "tensor": 1, "sequence": 1}, jax.devices()[:1])
    return load.load_params(
        nnx.eval_shape(lambda: wan_vae.WanVAE(config)),
        open_source(source),
        table.tables(config),
        mesh=mesh,
        progress=False,
    )


def assert_same(actual: dict, expected: dict) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(actual[name], tensor, atol=0, rtol=0)


@pytest.fixture(scope="module", params=list(CONFIGS))
def pair(request, tmp_path_factory) -> Pair:
    return Pair(request.param, tmp_path_factory.mktemp("pipeline") / "vae")


def test_sizes_are_read_from_the_folder_and_written_again(pair):
    source = open_source(pair.folder)
    assert table.wan_vae_config(source) == pair.config
    written = table.diffusers_config(pair.config)
    assert {key: source.config[key] for key in written} == json.loads(json.dumps(written))


def test_saved_again_diffusers_loads_it_and_gives_the_same_numbers(pair, tmp_path):
    save.save_folder(
        pair.params,
        tmp_path / "vae",
        table.diffusers(pair.config),
        table.diffusers_config(pair.config),
    )
    again, report = AutoencoderKLWan.from_pretrained(tmp_path / "vae", output_loading_info=True)
    assert not any(report.values()), report
    assert_same(again.state_dict(), pair.theirs.state_dict())
    latents = torch.randn(1, pair.config.latent_channels, 2, 2, 3)
    with torch.no_grad():
        expected, actual = (vae.decode(latents).sample for vae in (pair.theirs, again))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_a_single_file_has_the_original_names(pair, tmp_path):
    save.save_folder(pair.params, tmp_path / "original", table.original(pair.config), {})
    path = tmp_path / "original" / "diffusion_pytorch_model.safetensors"
    original, theirs = safetensors.torch.load_file(path), pair.theirs.state_dict()
    assert len(original) == len(theirs)
    if pair.config.residual:
        assert_same(
            {name: original[name] for name in NAMES_22},
            {name: theirs[diffusers] for name, diffusers in NAMES_22.items()},
        )
    else:
        assert_same(convert_wan_vae_to_diffusers(original), theirs)
    assert table.wan_vae_config(open_source(path)) == pair.config
    jax.tree.map(np.testing.assert_array_equal, loaded(path, pair.config), pair.params)


def test_diffusers_names_in_a_single_file_tell_the_sizes_too(pair):
    (path,) = pair.folder.glob("*.safetensors")
    assert table.wan_vae_config(open_source(path)) == pair.config


@pytest.mark.parametrize("variant", wan_vae.SIZES)
def test_every_published_tensor_has_its_place_and_every_place_one(variant):
    config = wan_vae.SIZES[variant]
    arguments = table.diffusers_config(config)
    del arguments["_class_name"]
    with torch.device("meta"):
        theirs = AutoencoderKLWan(**arguments)
    spelled, originals = (spellings(names(config)) for names in (table.diffusers, table.original))
    ours = nnx.state(nnx.eval_shape(lambda: wan_vae.WanVAE(config)), nnx.Param)
    paths = load.flat(nnx.to_pure_dict(ours)).keys()
    assert {spelled[path].name for path in paths} == theirs.state_dict().keys()
    assert len({originals[path].name for path in paths}) == len(paths)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attn_scales": [0.5]}, r"attn_scales=\[0.5\]"),
        ({"_class_name": "AutoencoderKL"}, "is a AutoencoderKL: an AutoencoderKLWan"),
        ({"z_dim": 4}, "latents_mean = .* it must be a list of 4 numbers"),
        ({"base_dim": None}, "no 'base_dim'"),
    ],
)
def test_other_autoencoders_are_refused(change, said, tmp_path):
    config = table.diffusers_config(CONFIGS["wan21"]) | change
    config = {key: value for key, value in config.items() if value is not None}
    safetensors.torch.save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=said):
        table.wan_vae_config(open_source(tmp_path))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"x": (1,)}, "no conv2.weight; name a diffusers folder"),
        ({"conv2.weight": (5, 5, 1, 1, 1)}, "5 latent channels, whose mean and deviation"),
    ],
)
def test_a_single_file_that_does_not_tell_its_sizes_is_refused(tensors, said, tmp_path):
    path = tmp_path / "vae.safetensors"
    safetensors.torch.save_file({k: torch.zeros(shape) for k, shape in tensors.items()}, path)
    with pytest.raises(UserError, match=said):
        table.wan_vae_config(open_source(path))
