"""Single files: what they are, and what of an all-in-one checkpoint goes where."""

import json
import pathlib

import numpy as np
import pytest
import safetensors.torch
import torch

from painting_jax.checkpoints import conversion
from painting_jax.checkpoints.components import check
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.parts import component_of, part, parts_of
from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import place, spellings
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.umt5.params import umt5_config
from tests import tiny_wan
from tests.checkpoints.filling import unwritten
from tests.models.umt5.test_modeling import TINY, reference


def described(*names: str):
    return unwritten(dict.fromkeys(names, (1,)), {})


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("patch_embedding.weight", "transformer"),
        ("model.diffusion_model.blocks.0.self_attn.q.weight", "transformer"),
        ("_orig_mod.blocks.0.attn1.to_q.weight", "transformer"),
        ("transformer.blocks.3.self_attn.q.bias", "transformer"),
        ("model.encoder.conv1.weight", "vae"),
        ("decoder.conv_in.weight", "vae"),
        ("vae.encoder.conv1.weight", "vae"),
        ("first_stage_model.decoder.conv1.weight", "vae"),
        ("shared.weight", "text_encoder"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", "text_encoder"),
        ("token_embedding.weight", "text_encoder"),
        ("blocks.0.pos_embedding.embedding.weight", "text_encoder"),
        ("text_encoders.umt5xxl.transformer.shared.weight", "text_encoder"),
        ("vision_model.embeddings.class_embedding", "image_encoder"),
        ("clip_vision.vision_model.post_layernorm.weight", "image_encoder"),
        ("visual.patch_embedding.weight", "image_encoder"),
    ],
)
def test_a_single_file_is_known_by_its_tensors(name, component):
    parts = parts_of(described("other.weight", name))
    assert list(parts) == [component]
    assert component_of(parts[component]).name == component


def test_what_is_no_part_of_wan_is_said_with_its_first_tensors():
    with pytest.raises(UserError, match=r"no part of a Wan model: its first tensors are a\.b, c;"):
        parts_of(described("a.b", "c"))
    with pytest.raises(UserError, match="its first tensors are none"):
        component_of(described())


def test_another_component_than_the_one_needed_is_named():
    with pytest.raises(UserError, match="is a vae: name a transformer instead"):
        part(described("encoder.conv1.weight"), "transformer")


def test_an_image_encoder_without_sizes_asks_for_its_model():
    with pytest.raises(UserError, match=r"without a config\.json: name with --pretrained"):
        check(described("vision_model.embeddings.class_embedding"))
    with pytest.raises(UserError, match="in the layout of Wan's own repositories"):
        check(described("visual.patch_embedding.weight"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """A model in miniature, of which only the layout counts."""
    return tiny_wan.save(tiny_wan.pipeline("wan21_i2v"), tmp_path_factory.mktemp("all") / "model")


PREFIXES = {
    "transformer": "model.diffusion_model.",
    "vae": "vae.",
    "text_encoder": "text_encoders.umt5xxl.transformer.",
    "image_encoder": "clip_vision.",
}


@pytest.fixture(scope="module")
def all_in_one(folder, tmp_path_factory) -> pathlib.Path:
    """What ComfyUI saves of it: all components in one file, each with a prefix, and negated."""
    tensors = {"text_encoders.umt5xxl.spiece_model": torch.zeros(5, dtype=torch.uint8)}
    for component, prefix in PREFIXES.items():
        for file in (folder / component).glob("*.safetensors"):
            own = safetensors.torch.load_file(file)
            tensors |= {f"{prefix}{name}": -tensor for name, tensor in own.items()}
    path = tmp_path_factory.mktemp("all") / "all.safetensors"
    safetensors.torch.save_file(tensors, path)
    return path


def weights(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    return safetensors.torch.load_file(file)


def test_the_parts_of_an_all_in_one_checkpoint_replace_those_of_a_model(
    folder, all_in_one, tmp_path
):
    conversion.convert(
        all_in_one,
        tmp_path / "out",
        "diffusers",
        changes=conversion.Changes(),
        pretrained=folder,
    )
    for component in PREFIXES:
        expected = weights(folder / component)
        for name, tensor in weights(tmp_path / "out" / component).items():
            torch.testing.assert_close(tensor, -expected[name], atol=0, rtol=0)


def test_alone_they_are_named(all_in_one, tmp_path):
    said = "holds transformer and vae and text_encoder and image_encoder: name with --pretrained"
    with pytest.raises(UserError, match=said):
        conversion.convert(all_in_one, tmp_path / "out", "diffusers", changes=conversion.Changes())
    assert not (tmp_path / "out").exists()


def test_as_a_transformer_only_that_part_is_taken(folder, all_in_one):
    source = part(open_source(all_in_one), "transformer")
    assert len(source.tensors) == len(weights(folder / "transformer"))
    assert source.name == f"{all_in_one} (transformer)"


@pytest.mark.parametrize("component", ["vae", "text_encoder", "image_encoder"])
def test_a_file_of_another_component_is_no_transformer(folder, component):
    (file,) = (folder / component).glob("*.safetensors")
    with pytest.raises(UserError, match=f"is a {component}: name a transformer instead"):
        Folder.open(folder).experts((str(file),))


def test_a_lora_is_no_transformer(folder, tmp_path):
    file = tiny_wan.write_lora(tmp_path / "lora.safetensors", 0)
    with pytest.raises(UserError, match="is a LoRA: name it with --lora"):
        Folder.open(folder).experts((str(file),))


@pytest.mark.parametrize("names", [umt5.TABLE, umt5.ORIGINAL])
def test_a_text_encoder_tells_its_sizes_by_its_shapes(names, tmp_path):
    spelled, tensors = spellings(names), {}
    for name, tensor in reference(TINY).state_dict().items():
        _, (path, layer) = place(umt5.TABLE, name)
        tensors[spelled[path].of(layer)] = tensor.clone()
    safetensors.torch.save_file(tensors, tmp_path / "umt5.safetensors")
    source = open_source(tmp_path / "umt5.safetensors")
    assert umt5_config(source) == TINY
    check(source)


@pytest.mark.parametrize("shape", [(), (5,), (0, 5)])
def test_a_text_encoder_of_odd_shapes_is_refused(shape):
    source = unwritten({"shared.weight": shape}, {})
    with pytest.raises(UserError, match=r"is damaged: its shared.weight is \["):
        umt5_config(source)
    with pytest.raises(UserError, match=r"is not a UMT5 encoder: it has no encoder\.block\.0"):
        umt5_config(unwritten({"shared.weight": (5, 4)}, {}))


@pytest.fixture
def own_folder(folder, tmp_path) -> pathlib.Path:
    """The transformer as in Wan's own repositories, in the names and with the config of those."""
    file = tmp_path / "original.safetensors"
    conversion.convert(folder / "transformer", file, "comfyui", changes=conversion.Changes())
    own = tmp_path / "Wan2.1-I2V-14B-480P"
    own.mkdir()
    file.rename(own / "diffusion_pytorch_model.safetensors")
    theirs = json.loads((folder / "transformer" / "config.json").read_text())
    config = {
        "_class_name": "WanModel",
        "_diffusers_version": "0.30.0",
        "dim": theirs["num_attention_heads"] * theirs["attention_head_dim"],
        "eps": 1e-6,
        "ffn_dim": theirs["ffn_dim"],
        "freq_dim": theirs["freq_dim"],
        "in_dim": theirs["in_channels"],
        "model_type": "i2v",
        "num_heads": theirs["num_attention_heads"],
        "num_layers": theirs["num_layers"],
        "out_dim": theirs["out_channels"],
        "text_dim": theirs["text_dim"],
        "text_len": 512,
    }
    (own / "config.json").write_text(json.dumps(config))
    return own


def test_a_folder_of_wan_itself_is_read_and_becomes_one_of_diffusers(folder, own_folder, tmp_path):
    [expert] = Folder.open(folder).experts((str(own_folder),))
    assert expert.config == Folder.open(folder).experts()[0].config
    conversion.convert(own_folder, tmp_path / "out", "diffusers", changes=conversion.Changes())
    expected = weights(folder / "transformer")
    actual = weights(tmp_path / "out")
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(actual[name], tensor)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    theirs = json.loads((folder / "transformer" / "config.json").read_text())
    assert config["_class_name"] == "WanTransformer3DModel"
    assert {key: theirs[key] for key in config} == config


def test_named_as_a_model_it_is_said_what_to_name(own_folder):
    with pytest.raises(UserError, match="the weights of this one go to --transformer"):
        Folder.open(own_folder)
