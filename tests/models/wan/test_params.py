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
