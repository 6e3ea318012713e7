"""What a folder says of itself, and single files in place of its transformers."""

import json

import pytest
from diffusers import FlowMatchEulerDiscreteScheduler, WanTransformer3DModel

from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.errors import UserError
from painting_jax.generation.overrides import SamplingConfig, SamplingOverrides
from painting_jax.models.family import family_of_codec
from tests import tiny_wan


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    for kind in ("wan22_ti2v", "wan22_i2v_a14b"):
        tiny_wan.save(tiny_wan.pipeline(kind), root / kind)
    return root


def recipe(folder: Folder, **wishes) -> SamplingConfig:
    return SamplingConfig.resolve(
        folder, family_of_codec(folder.vae()[1]), SamplingOverrides(**wishes)
    )


def test_kinds_have_the_settings_they_are_published_with(root):
    ti2v, a14b = Folder.open(root / "wan22_ti2v"), Folder.open(root / "wan22_i2v_a14b")
    assert (ti2v.takes_first_frame, ti2v.boundary, len(ti2v.experts())) == (True, None, 1)
    assert (a14b.takes_first_frame, a14b.boundary, len(a14b.experts())) == (False, 0.9, 2)
    assert recipe(ti2v) == SamplingConfig("unipc", 50, 3.0, (5.0,), 121, 704 * 1280)
    assert recipe(a14b) == SamplingConfig("unipc", 40, 3.0, (3.5, 3.5), 81, 480 * 832)
    assert recipe(a14b, guidance_2=2.0).guidance == (3.5, 2.0)


def test_distilled_models_take_four_steps_without_guidance(root):
    asked = recipe(Folder.open(root / "wan22_ti2v"), sampler="distilled")
    assert (asked.steps, asked.shift, asked.guidance) == (4, 5.0, (1.0,))


def test_the_scheduler_of_the_folder_is_taken_unless_another_is_asked_for(root, tmp_path):
    path = tmp_path / "scheduler" / "scheduler_config.json"
    FlowMatchEulerDiscreteScheduler(shift=7.0).save_pretrained(path.parent)
    folder = Folder(str(tmp_path), tmp_path, {})
    assert folder.sampler() == ("euler", 7.0)
    path.write_text(json.dumps({"_class_name": "DDIMScheduler"}))
    with pytest.raises(UserError, match="DDIMScheduler"):
        folder.sampler()
    asked = SamplingOverrides(sampler="euler", shift=2.0)
    family = family_of_codec(Folder.open(root / "wan22_ti2v").vae()[1])
    assert SamplingConfig.resolve(folder, family, asked).shift == 2.0


def test_a_single_file_stands_in_for_the_transformer(root, tmp_path):
    single = WanTransformer3DModel(
        num_attention_heads=1,
        attention_head_dim=128,
        in_channels=6,
        out_channels=6,
        text_dim=16,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        cross_attn_norm=True,
    )
    single.save_pretrained(tmp_path)
    file = str(tmp_path / "diffusion_pytorch_model.safetensors")
    (expert,) = Folder.open(root / "wan22_ti2v").experts((file,))
    assert (expert.config.dim, expert.config.layers, expert.config.in_channels) == (128, 1, 6)
    with pytest.raises(UserError, match="has one transformer"):
        Folder.open(root / "wan22_ti2v").experts((None, file))
    with pytest.raises(UserError, match="other sizes"):
        Folder.open(root / "wan22_i2v_a14b").experts((None, file))
