"""Values of a config.json that are of the wrong type, or out of range: one line names the field."""

import json
import math

import pytest

from painting_jax.checkpoints.components import component_of
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.clip import params as clip
from painting_jax.models.dinov2 import params as dinov2
from painting_jax.models.published_config import PublishedConfig
from painting_jax.models.umt5 import params as umt5
from painting_jax.models.wan import transformer as wan
from painting_jax.models.wan import vae as wan_vae
from painting_jax.models.wan import vae_params as autoencoder
from painting_jax.models.wan.params import diffusers_config, wan_config

_CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "image_size": 28,
    "patch_size": 14,
    "hidden_act": "gelu",
}
_DINO = {
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "image_size": 518,
    "patch_size": 14,
}
_UMT5 = {
    "model_type": "umt5",
    "vocab_size": 40,
    "d_model": 20,
    "num_layers": 2,
    "num_heads": 2,
    "d_kv": 8,
    "d_ff": 24,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
}
# Of each component: a config.json that is right, and what reads it.
_READERS = {
    "transformer": (
        diffusers_config(wan.SIZES["wan21_t2v_1_3b"]),
        lambda config: wan_config(Source("folder", {}, config, {})),
    ),
    "vae": (autoencoder.diffusers_config(wan_vae.SIZES["wan21"]), autoencoder.config_of),
    "text encoder": (_UMT5, umt5.config),
    "image encoder": (_CLIP, clip.config),
    "CLIP": ({"model_type": "clip"}, clip.both_config),
    "DINOv2": (_DINO, dinov2.config),
}


def read(component: str, **changes):
    published, reader = _READERS[component]
    return reader(published | changes)


@pytest.mark.parametrize("value", ["3", 0, -1, 3.0, True, None, [3], math.nan, 10**30])
def test_a_size_is_a_whole_number_above_0(value):
    with pytest.raises(UserError, match=r"^x has layers = .*: it must be .*(above 0|at most)"):
        PublishedConfig({"layers": value}, "x").integer("layers")


@pytest.mark.parametrize("value", ["3", True, None, [3], math.nan, math.inf, 10**400, 0])
def test_a_number_is_finite(value):
    with pytest.raises(UserError, match=r"^x has shift = "):
        PublishedConfig({"shift": value}, "x").number("shift", above=0)


def test_a_long_value_is_cut():
    with pytest.raises(UserError) as raised:
        PublishedConfig({"layers": [0] * 1000}, "x").integer("layers")
    assert len(str(raised.value)) < 150


@pytest.mark.parametrize(
    ("component", "change", "said"),
    [
        ("transformer", {"num_attention_heads": "3"}, "num_attention_heads = '3'"),
        ("transformer", {"num_layers": 3.0}, "num_layers = 3.0"),
        ("transformer", {"num_layers": 10**6}, "num_layers = 1000000: it must be at most 1000"),
        ("transformer", {"ffn_dim": None}, "ffn_dim = None"),
        ("transformer", {"out_channels": "3"}, "out_channels = '3'"),
        ("transformer", {"text_dim": None}, "text_dim = None"),
        ("transformer", {"freq_dim": 0}, "freq_dim = 0"),
        ("transformer", {"freq_dim": 7}, "freq_dim = 7"),
        ("transformer", {"attention_head_dim": 5}, "attention_head_dim = 5"),
        ("vae", {"dim_mult": 5}, "dim_mult = 5"),
        ("vae", {"dim_mult": None}, "dim_mult = None"),
        ("vae", {"dim_mult": [1, 2]}, "temperal_downsample = "),
        ("vae", {"temperal_downsample": []}, "temperal_downsample = "),
        ("vae", {"temperal_downsample": None}, "temperal_downsample = None"),
        ("vae", {"base_dim": "6"}, "base_dim = '6'"),
        ("vae", {"latents_mean": None}, "latents_mean = None"),
        ("vae", {"latents_std": [1.0] * 5}, "latents_std = "),
        ("vae", {"latents_std": [0.0] * 16}, "latents_std = "),
        ("vae", {"latents_std": [math.nan] * 16}, "latents_std = "),
        ("vae", {"num_res_blocks": None}, "num_res_blocks = None"),
        ("vae", {"is_residual": "no"}, "is_residual = 'no'"),
        ("text encoder", {"d_model": "20"}, "d_model = '20'"),
        ("text encoder", {"vocab_size": "40"}, "vocab_size = '40'"),
        ("text encoder", {"relative_attention_max_distance": "x"}, "max_distance = 'x'"),
        ("text encoder", {"relative_attention_max_distance": 2}, "a whole number from 3 on"),
        ("text encoder", {"relative_attention_num_buckets": 2}, "a whole number from 4 on"),
        ("image encoder", {"image_size": "28"}, "image_size = '28'"),
        ("image encoder", {"image_size": [28, 28]}, r"image_size = \[28, 28\]"),
        ("image encoder", {"patch_size": 0}, "patch_size = 0"),
        ("image encoder", {"patch_size": 29}, "patch_size = 29"),
        ("image encoder", {"architectures": 5}, "architectures = 5"),
        ("image encoder", {"num_attention_heads": 5}, "it must be a divisor of hidden_size, 32"),
        ("image encoder", {"num_attention_heads": 0}, "num_attention_heads = 0"),
        ("image encoder", {"hidden_act": ["gelu"]}, r"hidden_act=\['gelu'\]"),
        ("CLIP", {"vision_config": {"hidden_size": "x"}}, "hidden_size = 'x'"),
        ("CLIP", {"text_config": {"eos_token_id": "x"}}, "eos_token_id = 'x'"),
        ("CLIP", {"text_config": 5}, "text_config = 5"),
        ("CLIP", {"projection_dim": None}, "projection_dim = None"),
        ("DINOv2", {"patch_size": 0}, "patch_size = 0"),
        ("DINOv2", {"mlp_ratio": 0.001}, "mlp_ratio = 0.001"),
        ("DINOv2", {"use_swiglu_ffn": 1}, "use_swiglu_ffn = 1"),
        ("DINOv2", {"model_type": ["dinov2"]}, "are of type dinov2"),
    ],
)
def test_odd_values_are_named(component, change, said):
    read(component)
    with pytest.raises(UserError, match=said) as raised:
        read(component, **change)
    assert "\n" not in str(raised.value)


def test_null_is_the_default_where_it_is_in_diffusers():
    assert read("transformer", out_channels=None, image_dim=None) == read("transformer")
    assert read("vae", decoder_base_dim=None, patch_size=None) == read("vae")
    assert read("image encoder", architectures=None) == read("image encoder")


def test_a_component_of_no_known_kind_is_refused():
    with pytest.raises(UserError, match="can be converted"):
        component_of(Source("folder", {}, {"_class_name": ["vae"]}, {}))


@pytest.mark.parametrize("component", ["image_encoder", "transformer_2"])
@pytest.mark.parametrize("entry", [5, "CLIPVisionModel", ["transformers"]])
def test_what_an_index_says_of_a_component_is_a_class(tmp_path, component, entry):
    with pytest.raises(UserError, match=rf"model_index.json has {component} = .*\[library, class"):
        Folder("name", tmp_path, {component: entry}).has(component)


def test_whether_steps_are_expanded_is_true_or_false(tmp_path):
    with pytest.raises(UserError, match="expand_timesteps = 'no'"):
        _ = Folder("name", tmp_path, {"expand_timesteps": "no"}).takes_first_frame


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *(({"flow_shift": value}, "flow_shift = ") for value in (None, "x", 0, -1, math.nan)),
        ({"_class_name": [1]}, r"names \[1\]"),
    ],
)
def test_schedulers_with_odd_values_are_refused(tmp_path, change, said):
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.parent.mkdir()
    published = {
        "_class_name": "UniPCMultistepScheduler",
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": 3,
    }
    path.write_text(json.dumps(published | change))
    with pytest.raises(UserError, match=said):
        Folder(str(tmp_path), tmp_path, {}).sampler()
