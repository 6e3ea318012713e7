"""DINOv2's config.json."""

import pytest
import transformers
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.models.dinov2 import SIZES, DINOv2
from painting_jax.weights import dinov2
from tests.weights.filling import assert_every_tensor_has_its_place

_SMALL = {
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "image_size": 518,
    "patch_size": 14,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
}
_GIANT = {"hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 24}


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({}, "vit_s_14"),
        ({"model_type": "dinov2_with_registers"}, "vit_s_14_registers"),
        (_GIANT | {"use_swiglu_ffn": True}, "vit_g_14"),
    ],
)
def test_published_configs_are_the_published_sizes(change, size):
    assert dinov2.config(_SMALL | change) == SIZES[size]


@pytest.mark.parametrize("registers", [False, True], ids=["plain", "registers"])
@pytest.mark.parametrize(
    ("size", "change"),
    [
        ("vit_s_14", {}),
        ("vit_b_14", {"hidden_size": 768, "num_attention_heads": 12}),
        ("vit_l_14", {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}),
    ],
)
def test_every_tensor_of_a_published_dinov2_has_its_place(size, change, registers):
    published = {**_SMALL, **change}
    kind = transformers.Dinov2Model, transformers.Dinov2Config
    if registers:
        published |= {"model_type": "dinov2_with_registers", "num_register_tokens": 4}
        kind = transformers.Dinov2WithRegistersModel, transformers.Dinov2WithRegistersConfig
    config = dinov2.config(published)
    assert config == SIZES[f"{size}_registers" if registers else size]
    assert_every_tensor_has_its_place(
        lambda: kind[0](kind[1](**published)),
        lambda: DINOv2(config, rngs=nnx.Rngs(0)),
        dinov2.TABLES,
        besides={},
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "vit"}, "of type dinov2 or dinov2_with_registers, such as"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps=1e-05"),
    ],
)
def test_other_architectures_are_refused(change, said):
    with pytest.raises(UserError, match=said):
        dinov2.config(_SMALL | change)


def test_missing_size_is_named():
    with pytest.raises(UserError, match="no 'patch_size'"):
        dinov2.config({key: value for key, value in _SMALL.items() if key != "patch_size"})
