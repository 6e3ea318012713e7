"""Backbones by the names that a user gives them."""

import re

import numpy as np
import pytest
import transformers

from painting_jax.checkpoints.source import open_source
from painting_jax.errors import UserError
from painting_jax.evaluation import backbones
from painting_jax.models.clip import modeling as clip
from painting_jax.models.clip import params as clip_names
from painting_jax.models.dinov2 import modeling as dinov2
from painting_jax.models.dinov2 import params as dinov2_names
from tests.evaluation import tiny_networks


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip", "'clip' names no backbone: write KIND=WEIGHTS"),
        ("vgg=somewhere", "lpips.* as KIND"),
        ("lpips=", "names no backbone"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, said):
    with pytest.raises(UserError, match=said):
        backbones.open_backbones([name])


def test_a_kind_is_named_once():
    with pytest.raises(UserError, match="lpips is named twice"):
        backbones.open_backbones(["lpips=hed", "lpips=hed"])


@pytest.fixture(scope="module")
def hed() -> backbones.Backbone:
    return backbones.open_backbones()["lpips"]


def test_the_default_needs_no_download_and_is_a_proxy(hed):
    assert (hed.label, hed.distance.label, hed.proxy) == ("HED-VGG", "LPIPS (HED-VGG)", True)
    assert hed.identity == tiny_networks.open_backbone("lpips=hed").identity


def test_number_of_frames_and_their_type_do_not_matter(hed, monkeypatch):
    monkeypatch.setattr(backbones, "_PIXELS_AT_ONCE", 3 * 32 * 48)
    frames_NHWC = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), np.uint8)
    four = hed(frames_NHWC)
    assert four.shape == (4, 512)
    np.testing.assert_allclose(
        hed(frames_NHWC.astype(np.float32) / 255), four, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(hed(frames_NHWC[3:]), four[3:])


def test_texts_are_for_clip_alone(hed):
    with pytest.raises(UserError, match="takes no texts"):
        hed.describe(["a painting"])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("lpips=squeeze:somewhere", "name lpips=hed, lpips=vgg:FILE, lpips=alex:FILE"),
        ("lpips=vgg:{}/vgg16.safetensors", "does not exist: name a folder, a .safetensors file"),
        ("dino={}", "holds no weights: a .safetensors file should be there"),
        ("clip=~nosuchuser/x", "is in no known user's home: write the path out"),
    ],
)
def test_missing_weights_say_in_one_line_what_would_be_right(tmp_path, weights, said):
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        backbones.open_backbones([weights.format(tmp_path)])
    assert "\n" not in str(caught.value)


def test_published_sizes_are_named_as_published(tmp_path, monkeypatch):
    folders = {
        "clip": tiny_networks.write_clip(tmp_path / "clip"),
        "dino": tiny_networks.write_dino(tmp_path / "dino"),
        "registers": tiny_networks.write_dino(tmp_path / "registers", registers=4),
    }
    # As if they had the sizes that they are too small for.
    sizes = {name: open_source(folder).config for name, folder in folders.items()}
    monkeypatch.setitem(clip.SIZES, "vit_l_14", clip_names.both_config(sizes["clip"]).vision)
    monkeypatch.setitem(dinov2.SIZES, "vit_s_14", dinov2_names.config(sizes["dino"]))
    monkeypatch.setitem(dinov2.SIZES, "vit_b_14_registers", dinov2_names.config(sizes["registers"]))
    labels = [
        tiny_networks.open_backbone(f"{kind}={folders[name]}").label
        for kind, name in (("clip", "clip"), ("dino", "dino"), ("dino", "registers"))
    ]
    assert labels == ["CLIP ViT-L/14", "DINOv2 ViT-S/14", "DINOv2 ViT-B/14 with registers"]


def test_clip_in_a_folder_is_named_by_its_size_and_wants_its_tokenizer(tmp_path):
    tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    tower |= {"num_attention_heads": 1}
    config = transformers.CLIPConfig(
        text_config=tower | {"vocab_size": 9, "bos_token_id": 0, "eos_token_id": 8},
        vision_config=tower | {"image_size": 8, "patch_size": 4},
        projection_dim=4,
    )
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    clip = tiny_networks.open_backbone(f"clip={tmp_path}")
    assert (clip.label, clip.proxy) == ("CLIP of 1 layers, width 8, patch 4", False)
    with pytest.raises(UserError, match=r"has no tokenizer for texts: put its .* there"):
        clip.describe(["a painting"])
    with pytest.raises(UserError, match="of type 'clip': DINOv2's are of type"):
        tiny_networks.open_backbone(f"dino={tmp_path}")
