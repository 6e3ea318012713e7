"""DINOv2 as transformers publishes it: tensor names and config.json."""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.dinov2.modeling import DINOv2Config
from painting_jax.models.published_config import MAX_LAYERS, PublishedConfig, is_among
from painting_jax.models.tensor_names import LAYER, Rule, Table, conv, linear, norm

# A prefix of all names in the files of classifiers and depth estimators.
_MODEL = r"(?P<prefix>|dinov2\.|dinov2_with_registers\.)"
_LAYER = _MODEL + r"encoder\.layer\." + LAYER


def _table(feed_forward: tuple[str, str]) -> Table:
    """The table, given their names for the two layers of the feed-forward."""
    inwards, outwards = feed_forward
    return (
        Rule(_MODEL + r"embeddings\.cls_token", "class_token", "token"),
        Rule(_MODEL + r"embeddings\.position_embeddings", "positions", "first"),
        Rule(_MODEL + r"embeddings\.register_tokens", "registers", "first"),
        *conv(_MODEL + r"embeddings\.patch_embeddings\.projection", "patch_embedding", 2),
        *norm(_LAYER + r"\.norm(?P<n>1|2)", r"blocks/norm\g<n>", bias=True),
        *linear(_LAYER + r"\.attention\.attention\.query", "blocks/to_q"),
        *linear(_LAYER + r"\.attention\.attention\.key", "blocks/to_k"),
        *linear(_LAYER + r"\.attention\.attention\.value", "blocks/to_v"),
        *linear(_LAYER + r"\.attention\.output\.dense", "blocks/to_out"),
        Rule(_LAYER + r"\.layer_scale(?P<n>1|2)\.lambda1", r"blocks/scale\g<n>"),
        *linear(_LAYER + rf"\.mlp\.{inwards}", "blocks/proj_in"),
        *linear(_LAYER + rf"\.mlp\.{outwards}", "blocks/proj_out"),
        *norm(_MODEL + r"layernorm", "norm_out", bias=True),
        # Replaces masked patches in training.
        Rule(_MODEL + r"embeddings\.mask_token", None),
        Rule(r"classifier\.(weight|bias)", None),
    )


TABLES: tuple[Table, ...] = (_table(("fc1", "fc2")), _table(("weights_in", "weights_out")))

# Registers of each architecture whose config.json does not state them.
_REGISTERS = {"dinov2": 0, "dinov2_with_registers": 4}
# Values that all DINOv2 models share; others are not implemented.
_FIXED = {"hidden_act": "gelu", "layer_norm_eps": 1e-6, "qkv_bias": True, "num_channels": 3}
# The values of transformers for fields that a config.json leaves out.
_DEFAULTS = {"mlp_ratio": 4, "use_swiglu_ffn": False}


def config(published: Mapping) -> DINOv2Config:
    """The config from a config.json.

    Raises:
      UserError: if a field is missing or invalid, or the architecture is another one.
    """
    kind = published.get("model_type")
    if not is_among(kind, _REGISTERS):
        raise UserError(
            f"the weights are of type {kind!r}: DINOv2's are of type {' or '.join(_REGISTERS)}, "
            f"such as facebook/dinov2-small"
        )
    for key, value in _FIXED.items():
        if published.get(key, value) != value:
            raise UserError(f"the DINOv2 has {key}={published[key]!r}: {value!r} is known")
    registers = _REGISTERS[kind]
    values = PublishedConfig(
        _DEFAULTS | {"num_register_tokens": registers, **published}, "the DINOv2's config.json"
    )
    dim, image_size = values.integer("hidden_size"), values.integer("image_size")
    hidden = int(dim * values.number("mlp_ratio", above=0))
    values.require("mlp_ratio", hidden > 0, f"at least 1 / {dim}, the hidden_size")
    gated = values.boolean("use_swiglu_ffn")
    return DINOv2Config(
        dim=dim,
        layers=values.integer("num_hidden_layers", maximum=MAX_LAYERS),
        heads=values.divisor("num_attention_heads", of="hidden_size"),
        # SwiGLU has two thirds of the plain width, rounded up to a multiple of 8.
        ffn_dim=(int(hidden * 2 / 3) + 7) // 8 * 8 if gated else hidden,
        gated=gated,
        registers=values.integer("num_register_tokens") if registers else 0,
        image_size=image_size,
        patch=values.integer("patch_size", maximum=image_size),
    )
