"""Published folders and files into our transformer, with diffusers' models as the source."""

import dataclasses
import functools
import json
import math
import re
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers import WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
from flax import nnx

from benchmarks import loading
from painting_jax.checkpoints import load, save
from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.quantised_kernel import quantised
from painting_jax.models.tensor_names import spellings
from painting_jax.models.wan import params as table
from painting_jax.models.wan import transformer as wan
from painting_jax.models.wan.params import diffusers_config, wan_config
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import tree_shardings
from tests.checkpoints.filling import unwritten
from tests.models.wan.test_transformer import TINY, apply, reference
from tests.tiny import environment

CONFIG = dataclasses.replace(TINY, image_dim=20)


def make(config: wan.WanConfig = CONFIG) -> wan.WanTransformer:
    return wan.WanTransformer(config, rngs=nnx.Rngs(0))


def mesh(fsdp: int = 1, tensor: int = 1):
    devices = jax.devices()[: fsdp * tensor]
    return make_mesh({"data": 1, "fsdp": fsdp, "tensor": tensor, "sequence": 1}, devices)


def loaded(source, model=make, **options) -> dict:
    options = {"mesh": mesh(), "progress": False} | options
    return load.load_params(nnx.eval_shape(model), open_source(source), table.RULES, **options)


def assert_same(actual: dict, expected: dict) -> None:
    assert load.flat(actual).keys() == load.flat(expected).keys()
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.fixture(scope="module")
def theirs() -> WanTransformer3DModel:
    return reference(CONFIG)


@pytest.fixture(scope="module")
def folder(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline") / "transformer"
    theirs.save_pretrained(path, max_shard_size="50KB")
    assert len(list(path.glob("*-of-*.safetensors"))) > 2
    return path


@pytest.fixture(scope="module")
def params(folder) -> dict:
    return loaded(folder)


@pytest.fixture(scope="module")
def run(theirs):
    """A transformer of theirs on fixed inputs, and the same inputs for ours."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(2, 3, 4, 6, CONFIG.in_channels)).astype(np.float32)
    inputs = {
        "latents_BTHWC": latents,
        "timestep_BF": np.float32([[20], [900]]),
        "text_BLD": rng.normal(size=(2, 512, CONFIG.text_dim)).astype(np.float32),
        "image_BLD": rng.normal(size=(2, 257, CONFIG.image_dim)).astype(np.float32),
    }

    @torch.no_grad()
    def theirs_on(model):
        return model(
            hidden_states=torch.from_numpy(latents).permute(0, 4, 1, 2, 3),
            timestep=torch.from_numpy(inputs["timestep_BF"][:, 0]),
            encoder_hidden_states=torch.from_numpy(inputs["text_BLD"]),
            encoder_hidden_states_image=torch.from_numpy(inputs["image_BLD"]),
        ).sample.permute(0, 2, 3, 4, 1)

    return theirs_on, inputs


def test_a_folder_of_shards_gives_diffusers_numbers(theirs, folder, params, run):
    theirs_on, inputs = run
    config = wan_config(open_source(folder))
    assert config == CONFIG
    model = nnx.merge(
        nnx.split(nnx.eval_shape(functools.partial(make, config)))[0], nnx.State(params)
    )
    expected = theirs_on(theirs).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(apply(model, inputs), expected, atol=1e-5 * scale, rtol=0)


def test_saved_again_diffusers_loads_it_and_gives_the_same_numbers(
    theirs, params, run, tmp_path, monkeypatch
):
    # It asks for one more package to keep some parameters float32; here all are.
    monkeypatch.setattr(WanTransformer3DModel, "_keep_in_fp32_modules", None)
    again = tmp_path / "transformer"
    save.save_folder(params, again, table.DIFFUSERS, diffusers_config(CONFIG), shard_bytes=50_000)
    assert len(list(again.glob("*-of-*.safetensors"))) > 2
    model, report = WanTransformer3DModel.from_pretrained(again, output_loading_info=True)
    assert not any(report.values()), report
    assert model.config["image_dim"] == theirs.config["image_dim"]
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], tensor, atol=0, rtol=0)
    theirs_on, _ = run
    torch.testing.assert_close(theirs_on(model), theirs_on(theirs), atol=0, rtol=0)


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_single_file_has_the_original_names(theirs, params, prefix, tmp_path):
    save.save_folder(params, tmp_path / "original", table.ORIGINAL, {})
    path = tmp_path / "original" / "diffusion_pytorch_model.safetensors"
    original = {prefix + k: x for k, x in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(original, path)
    assert_same(loaded(path), params)
    converted = convert_wan_transformer_to_diffusers(original)
    assert converted.keys() == theirs.state_dict().keys()
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(converted[name], tensor, atol=0, rtol=0)


def test_all_that_does_not_fit_is_said_in_one_line(theirs, tmp_path):
    state = dict(theirs.state_dict())
    state["blocks.0.attn1.to_qq.weight"] = state.pop("blocks.0.attn1.to_q.weight")
    del state["blocks.0.ffn.net.2.bias"], state["blocks.1.ffn.net.2.bias"]
    state["blocks.7.norm2.bias"] = state["blocks.0.norm2.bias"].clone()
    state["proj_out.weight"] = state["proj_out.weight"][:, :-1].contiguous()
    state["proj_out.bias"] = state["proj_out.bias"][None]
    path = tmp_path / "wan.safetensors"
    safetensors.torch.save_file(state, path)
    with pytest.raises(UserError) as raised:
        loaded(path)
    message = str(raised.value)
    assert "3 missing (blocks.0.attn1.to_q.weight, blocks.{0-1}.ffn.net.2.bias)" in message
    unexpected = r"2 unexpected \((.*?)\)"
    assert set(re.search(unexpected, message)[1].split(", ")) == {
        "blocks.0.attn1.to_qq.weight",
        "blocks.7.norm2.bias",
    }
    assert "proj_out.weight is [16, 47] instead of [16, 48]" in message
    assert "proj_out.bias is [1, 16] instead of [16]" in message
    assert "\n" not in message


def test_another_model_is_refused_in_one_line(folder):
    with pytest.raises(UserError, match=r"unexpected.*image_embedder") as raised:
        loaded(folder, lambda: make(TINY))
    assert len(str(raised.value)) < 1500


def test_a_shard_cut_short_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shard = max(copy.glob("*-of-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(UserError, match="truncated"):
        loaded(copy)


@pytest.mark.parametrize("chunk", [load._CHUNK, 1_000])
def test_each_parameter_is_laid_out_on_the_mesh(chunk, folder, params, monkeypatch):
    monkeypatch.setattr(load, "_CHUNK", chunk)
    eight = mesh(fsdp=4, tensor=2)
    spread = loaded(folder, mesh=eight)
    jax.tree.map(
        lambda leaf, sharding: np.testing.assert_equal(leaf.sharding, sharding),
        spread,
        tree_shardings(params, eight),
    )
    kernel = spread["blocks"]["attn1"]["to_q"]["kernel"]
    assert kernel.addressable_shards[0].data.shape == (2, 48 // 4, 48 // 2)
    assert_same(spread, params)


def test_shards_of_eight_devices_are_saved_whole(folder, params, tmp_path):
    spread = loaded(folder, mesh=mesh(fsdp=4, tensor=2))
    save.save_folder(spread, tmp_path / "out", table.DIFFUSERS, diffusers_config(CONFIG))
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    assert_same(loaded(tmp_path / "out"), params)


def test_parameters_have_the_dtype_asked_for(folder, params):
    half = load.flat(loaded(folder, dtype=jnp.bfloat16, float32=table.FLOAT32))
    for path, leaf in load.flat(params).items():
        kept = re.search("norm|scale_shift_table|time_embedder", path)
        expected = leaf if kept else leaf.astype(jnp.bfloat16)
        assert half[path].dtype == expected.dtype, path
        np.testing.assert_array_equal(half[path], expected)


def test_parameters_without_a_published_name_are_refused(params, tmp_path):
    painted = params | {"medium_table": jnp.zeros((3, 4, 48))}
    folder = tmp_path / "out"
    with pytest.raises(UserError, match=r"no place for 1 .*medium_table"):
        save.save_folder(painted, folder, table.ORIGINAL, {})
    assert not list(tmp_path.iterdir())
    save.save_folder(params, folder, table.ORIGINAL, {}, dtype=jnp.bfloat16)
    assert {tensor.dtype.name for tensor in open_source(folder).tensors.values()} == {"bfloat16"}


def test_a_folder_with_something_in_it_is_not_replaced(params, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not empty"):
        save.save_folder(params, tmp_path, table.DIFFUSERS, {})


@pytest.mark.parametrize("size", wan.SIZES)
def test_every_tensor_of_every_published_size_has_its_place(size):
    config = wan.SIZES[size]
    with torch.device("meta"):
        theirs = WanTransformer3DModel.from_config(diffusers_config(config))
    shapes = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    source = unwritten(shapes, dict(theirs.config))
    assert wan_config(source) == config
    ours = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: make(config)), nnx.Param))
    matches = match_tensors(source, load.flat(ours), table.RULES)
    assert {match.tensor.path for match in matches} == shapes.keys()
    originals, single = spellings(table.ORIGINAL), {}
    for path, spelling in spellings(table.DIFFUSERS).items():
        for layer in range(config.layers):
            if spelling.of(layer) in shapes:
                original = originals[path].of(layer)
                single[original] = shapes[spelling.of(layer)]
    source = unwritten(single, {})
    assert wan_config(source) == config
    assert len(match_tensors(source, load.flat(ours), table.RULES)) == len(shapes)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by Linux's accounts")
def test_the_host_holds_little_more_than_the_parameters(tmp_path):
    loading.write(
        wan.WanConfig(512, 24, 4, 2048, in_channels=16, out_channels=16), tmp_path / "wan"
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loading", tmp_path / "wan"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["resident"] > 200e6
    # Measured: 80 MB, nearly all of it compiled programs; a second copy would be 220.
    assert found["beyond"] < 150e6


def test_kernels_are_quantised_as_they_are_loaded(folder, params):
    layers = ("blocks/attn1/to_q", "blocks/ffn/proj_out", "proj_out")
    actual = loaded(folder, mesh=mesh(2, 2), dtype=jnp.bfloat16, quantised=layers)
    for path in layers:
        *names, last = path.split("/")
        ours = functools.reduce(lambda tree, name: tree[name], names, actual)[last]
        given = functools.reduce(lambda tree, name: tree[name], names, params)[last]
        # From the float32 of the files, not from bfloat16.
        jax.tree.map(
            np.testing.assert_array_equal, ours["kernel"], jax.jit(quantised)(given["kernel"])
        )
        assert ours["bias"].dtype == jnp.bfloat16
        whole, shard = ours["kernel"].shape, ours["kernel"].qvalue.addressable_shards[0].data.shape
        assert math.prod(whole) == 4 * math.prod(shard)
    assert actual["blocks"]["attn1"]["to_k"]["kernel"].dtype == jnp.bfloat16
