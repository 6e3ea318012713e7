"""Sizes from a config.json that is not quite that of a Wan transformer."""

import numpy as np
import pytest

from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.wan.params import diffusers_config, wan_config
from painting_jax.models.wan.transformer import SIZES


def of(config: dict):
    return wan_config(Source("folder", {}, config, {}))


@pytest.mark.parametrize("size", SIZES)
def test_sizes_come_back(size):
    assert of(diffusers_config(SIZES[size])) == SIZES[size]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"_class_name": "WanVACETransformer3DModel"}, "is a WanVACETransformer3DModel"),
        ({"qk_norm": None}, "qk_norm = None"),
        ({"patch_size": [1, 4, 4]}, "patch_size"),
        ({"pos_embed_seq_len": 514}, "pos_embed_seq_len = 514"),
        ({"num_attention_heads": None}, "num_attention_heads = None"),
    ],
)
def test_what_is_not_implemented_is_said(change, said):
    with pytest.raises(UserError, match=said) as raised:
        of(diffusers_config(SIZES["wan21_t2v_1_3b"]) | change)
    assert "\n" not in str(raised.value)


def test_a_lost_field_is_named():
    config = diffusers_config(SIZES["wan21_t2v_1_3b"])
    del config["ffn_dim"]
    with pytest.raises(UserError, match="no 'ffn_dim'"):
        of(config)


def test_a_file_of_something_else_is_said():
    with pytest.raises(UserError, match="not a Wan transformer"):
        of({})


@pytest.mark.parametrize("shape", [(), (128,), (128, 0, 1, 2, 2)])
def test_a_single_file_with_a_damaged_tensor_is_refused(shape):
    tensors = {"patch_embedding.weight": Tensor("x", np.dtype("f4"), shape, 0)}
    with pytest.raises(UserError, match=r"its patch_embedding.weight is \[.* fetch it again"):
        wan_config(Source("x", tensors, {}, {}))


def test_a_single_file_of_no_published_width_is_refused():
    tensors = {"patch_embedding.weight": Tensor("x", np.dtype("f4"), (24, 16, 1, 2, 2), 0)}
    with pytest.raises(UserError, match=r"24 wide, .* name a diffusers folder"):
        wan_config(Source("x", tensors, {}, {}))


# As Wan publishes it.
OWN = {
    "_class_name": "WanModel",
    "_diffusers_version": "0.33.0",
    "dim": 5120,
    "eps": 1e-06,
    "ffn_dim": 13824,
    "freq_dim": 256,
    "in_dim": 36,
    "model_type": "i2v",
    "num_heads": 40,
    "num_layers": 40,
    "out_dim": 16,
    "text_len": 512,
}
OF_5B = {"dim": 3072, "ffn_dim": 14336, "in_dim": 48, "num_heads": 24, "num_layers": 30}


def own(config: dict, image_dim: int = 0):
    tensors = {"img_emb.proj.0.weight": Tensor("x", np.dtype("f4"), (image_dim,), 0)}
    return wan_config(Source("folder", tensors if image_dim else {}, config, {}))


def test_configs_of_wan_itself_are_the_published_sizes():
    assert own(OWN, image_dim=1280) == SIZES["wan21_i2v_14b"]
    assert own(OWN) == SIZES["wan22_i2v_a14b"]
    assert own(OWN | OF_5B | {"model_type": "ti2v", "out_dim": 48}) == SIZES["wan22_ti2v_5b"]
    t2v = {"dim": 1536, "ffn_dim": 8960, "in_dim": 16, "num_heads": 12, "num_layers": 30}
    assert own(OWN | t2v | {"model_type": "t2v"}) == SIZES["wan21_t2v_1_3b"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "vace"}, "is a WanModel of type 'vace': t2v, i2v, ti2v are"),
        ({"model_type": ["i2v"]}, "is a WanModel of type"),
        ({"qk_norm": False}, "qk_norm = False"),
        ({"patch_size": [1, 1, 1]}, "patch_size"),
        ({"window_size": [3, 3]}, "window_size"),
        ({"num_heads": 7}, "num_heads = 7: it must be a divisor of dim"),
        ({"in_dim": None}, "in_dim = None"),
        ({"num_layers": 10**9}, "num_layers"),
    ],
)
def test_odd_values_in_them_are_named(change, said):
    with pytest.raises(UserError, match=said) as raised:
        own(OWN | change)
    assert "\n" not in str(raised.value)
