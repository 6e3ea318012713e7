"""Image encoders as transformers saves them."""

import dataclasses
import json

import pytest
import safetensors.numpy
import torch
import transformers
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.models.clip import params as clip
from painting_jax.models.clip.modeling import CLIP, SIZES
from painting_jax.models.tensor_names import place
from tests.checkpoints.filling import assert_every_tensor_has_its_place
from tests.models.clip.test_modeling import TEXT_SIZES, TINY, reference

_VIT_H = {
    "model_type": "clip_vision_model",
    "architectures": ["CLIPVisionModel"],
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "intermediate_size": 5120,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "projection_dim": 1024,
}


@pytest.mark.parametrize("projection_dim", [0, 6], ids=["no prefix", "prefix and projection"])
def test_saved_folder_has_the_sizes_and_every_tensor_a_place(tmp_path, projection_dim):
    config = dataclasses.replace(TINY, projection_dim=projection_dim)
    reference(config).save_pretrained(tmp_path)
    assert clip.config(json.loads((tmp_path / "config.json").read_text())) == config
    names = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert all(place(clip.TABLE, name) for name in names)


def test_published_config_is_the_published_size():
    assert clip.config(_VIT_H) == SIZES["vit_h_14"]


# What differs in the config.json of each hub id; the rest is what transformers takes by default.
_PUBLISHED = {
    "vit_b_32": {"vision_config": {"patch_size": 32}},
    "vit_b_16": {"vision_config": {"patch_size": 16}},
    "vit_l_14": {
        "projection_dim": 768,
        "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
        "vision_config": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "patch_size": 14,
        },
    },
}


@pytest.mark.parametrize("size", _PUBLISHED)
def test_every_tensor_of_a_published_clip_has_its_place(size):
    published = {"model_type": "clip", **_PUBLISHED[size]}
    published["text_config"] = {"eos_token_id": 2, **published.get("text_config", {})}
    config = clip.both_config(published)
    assert config.vision == SIZES[size]
    assert dataclasses.replace(config.text, end=None) == TEXT_SIZES[size]
    with torch.device("meta"):
        theirs = transformers.CLIPModel(transformers.CLIPConfig(**published)).state_dict()
    tensors = {name: tuple(tensor.shape) for name, tensor in theirs.items()} | {
        # The files on the hub are older than the library.
        "text_model.embeddings.position_ids": (1, 77),
        "vision_model.embeddings.position_ids": (1, config.vision.tokens),
    }
    assert_every_tensor_has_its_place(tensors, lambda: CLIP(config, rngs=nnx.Rngs(0)), [clip.BOTH])


def test_position_numbers_are_passed_over():
    rule, slot = place(clip.TABLE, "vision_model.embeddings.position_ids")
    assert rule.path is None
    assert slot is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "siglip_vision_model"}, "of type 'clip_vision_model'"),
        ({"hidden_act": "relu"}, "hidden_act='relu': gelu, quick_gelu are known"),
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps=1e-06"),
    ],
)
def test_other_architectures_are_refused(change, said):
    with pytest.raises(UserError, match=said):
        clip.config(_VIT_H | change)


def test_missing_size_is_named():
    with pytest.raises(UserError, match=r"no 'patch_size'"):
        clip.config({key: value for key, value in _VIT_H.items() if key != "patch_size"})
