"""Where published weights are found, and what is said when they are not."""

import json
import pathlib

import huggingface_hub
import numpy as np
import pytest
import safetensors.numpy

from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError

INDEX = "model.safetensors.index.json"


def refused(said: str, *arguments) -> None:
    with pytest.raises(UserError, match=said) as raised:
        open_source(*arguments)
    assert "\n" not in str(raised.value)


def sharded(folder: pathlib.Path, places: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for file in set(places.values()):
        tensors = {k: np.ones(3, np.float32) for k, place in places.items() if place == file}
        safetensors.numpy.save_file(tensors, folder / file)
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


def test_shards_are_one_table(tmp_path):
    sharded(tmp_path / "text_encoder", {"a": "1.safetensors", "b": "2.safetensors"})
    (tmp_path / "text_encoder" / "config.json").write_text('{"layers": 3}')
    source = open_source(tmp_path, "text_encoder")
    assert {name: tensor.path.name for name, tensor in source.tensors.items()} == {
        "a": "1.safetensors",
        "b": "2.safetensors",
    }
    assert source.config == {"layers": 3}
    assert source.nbytes == 24


def test_the_usual_name_goes_before_variants(tmp_path):
    for name in ("diffusion_pytorch_model", "diffusion_pytorch_model.fp16"):
        safetensors.numpy.save_file({name: np.ones(1)}, tmp_path / f"{name}.safetensors")
    assert list(open_source(tmp_path).tensors) == ["diffusion_pytorch_model"]


def test_a_lost_shard_is_named(tmp_path):
    sharded(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    (tmp_path / "2.safetensors").unlink()
    refused("lacks 2.safetensors", tmp_path)


def test_a_lost_index_is_said(tmp_path):
    sharded(tmp_path, {"a": "model-00001-of-00002.safetensors"})
    (tmp_path / INDEX).unlink()
    refused("no index", tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/x.safetensors", "a\\b"])
def test_an_index_cannot_reach_out_of_its_folder(name, tmp_path):
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    refused("is not the name of a file beside it", tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", "{}", '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_said(content, tmp_path):
    (tmp_path / INDEX).write_text(content)
    refused("damaged|cannot be read", tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_pickle_is_never_opened(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"cos\nsystem\n")
    refused("use the .safetensors version", path)
    refused("use the .safetensors version", tmp_path)


def test_nothing_there_is_said(tmp_path):
    refused("does not exist", tmp_path / "nowhere")
    refused("holds no weights", tmp_path)
    refused("is not a diffusers folder with a vae", tmp_path, "vae")
    refused("copy them to a local disk", "gs://bucket/weights")


def test_a_hub_id_without_network_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refused("the hub did not give it.*name a local folder", "owner/repository", "transformer")


def test_of_the_hub_only_the_component_is_fetched_and_no_pickle(tmp_path, monkeypatch):
    asked = {}

    def snapshot_download(repo, revision, allow_patterns):
        asked[repo] = allow_patterns
        return tmp_path

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    sharded(tmp_path / "vae", {"a": "1.safetensors"})
    open_source("owner/pipeline", "vae")
    open_source("owner/files/vae/1.safetensors")
    assert asked["owner/files"] == ["vae/1.safetensors"]
    wanted = huggingface_hub.utils.filter_repo_objects(
        [
            "vae/1.safetensors",
            "vae/config.json",
            "vae/pytorch_model.bin",
            "transformer/1.safetensors",
            "model_index.json",
            "run.py",
        ],
        allow_patterns=asked["owner/pipeline"],
    )
    assert list(wanted) == ["vae/1.safetensors", "vae/config.json", "model_index.json"]
