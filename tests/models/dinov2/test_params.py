"""DINOv2's config.json."""

import pytest
from flax import nnx

from painting_jax.errors import UserError
from painting_jax.models.dinov2 import params as dinov2
from painting_jax.models.dinov2.modeling import SIZES, DINOv2
from tests.checkpoints.filling import assert_every_tensor_has_its_place

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
    if registers:
        published |= {"model_type": "dinov2_with_registers", "num_register_tokens": 4}
    config = dinov2.config(published)
    assert config == SIZES[f"{size}_registers" if registers else size]
    tensors = _tensors(config.dim, config.layers, registers)
    assert_every_tensor_has_its_place(
        tensors, lambda: DINOv2(config, rngs=nnx.Rngs(0)), dinov2.TABLES
    )


def _tensors(dim: int, layers: int, registers: bool) -> dict[str, tuple[int, ...]]:
    """The tensors of the files on the hub."""
    linear = {
        "attention.attention.query": (dim, dim),
        "attention.attention.key": (dim, dim),
        "attention.attention.value": (dim, dim),
        "attention.output.dense": (dim, dim),
        "mlp.fc1": (4 * dim, dim),
        "mlp.fc2": (dim, 4 * dim),
    }
    found = {
        "embeddings.cls_token": (1, 1, dim),
        "embeddings.mask_token": (1, dim),
        "embeddings.position_embeddings": (1, 1370, dim),
        "embeddings.patch_embeddings.projection.weight": (dim, 3, 14, 14),
        "embeddings.patch_embeddings.projection.bias": (dim,),
        "layernorm.weight": (dim,),
        "layernorm.bias": (dim,),
    }
    found |= {"embeddings.register_tokens": (1, 4, dim)} if registers else {}
    for layer in (f"encoder.layer.{number}" for number in range(layers)):
        for n in (1, 2):
            found[f"{layer}.norm{n}.weight"] = found[f"{layer}.norm{n}.bias"] = (dim,)
            found[f"{layer}.layer_scale{n}.lambda1"] = (dim,)
        for name, shape in linear.items():
            found[f"{layer}.{name}.weight"], found[f"{layer}.{name}.bias"] = shape, shape[:1]
    return found


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
