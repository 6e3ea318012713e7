"""Image encoders as transformers saves them."""

import dataclasses
import json

import pytest
import safetensors.numpy

from painting_jax.errors import UserError
from painting_jax.models.clip import SIZES
from painting_jax.weights import clip
from painting_jax.weights.rules import place
from tests.models.test_clip import TINY, reference

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
