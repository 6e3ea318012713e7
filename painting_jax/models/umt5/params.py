"""UMT5 encoders as transformers publishes them: tensor names and config.json."""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.published_config import MAX_LAYERS, PublishedConfig
from painting_jax.models.tensor_names import LAYER, Rule, Table, linear, norm
from painting_jax.models.umt5.modeling import UMT5Config

_LAYER = rf"encoder\.block\.{LAYER}\.layer"
_ATTENTION = _LAYER + r"\.0\.SelfAttention"
_FEED_FORWARD = _LAYER + r"\.1\.DenseReluDense"

# Files hold the token table under one of these names, or under both.
TABLE: Table = (
    Rule(r"shared\.weight", "token_table"),
    Rule(r"encoder\.embed_tokens\.weight", "token_table"),
    *norm(_LAYER + r"\.0\.layer_norm", "blocks/norm1"),
    *linear(_ATTENTION + r"\.(?P<x>q|k|v)", r"blocks/attn/to_\g<x>", bias=False),
    *linear(_ATTENTION + r"\.o", "blocks/attn/to_out", bias=False),
    Rule(_ATTENTION + r"\.relative_attention_bias\.weight", "blocks/attn/position_bias"),
    *norm(_LAYER + r"\.1\.layer_norm", "blocks/norm2"),
    *linear(_FEED_FORWARD + r"\.wi_0", "blocks/ffn/proj_gate", bias=False),
    *linear(_FEED_FORWARD + r"\.wi_1", "blocks/ffn/proj_in", bias=False),
    *linear(_FEED_FORWARD + r"\.wo", "blocks/ffn/proj_out", bias=False),
    *norm(r"encoder\.final_layer_norm", "norm_out"),
    # The tokenizer, which ComfyUI's single files hold too.
    Rule("spiece_model", None),
)

# Values that all UMT5 models share; others are not implemented.
_FIXED = {"feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6}


def config(published: Mapping) -> UMT5Config:
    """The config from a text encoder's config.json.

    Raises:
      UserError: if a field is missing or invalid, or the architecture is another one.
    """
    if published.get("model_type") != "umt5":
        raise UserError(
            f"the text encoder is a {published.get('model_type')!r}: Wan's are of type 'umt5'"
        )
    for key, value in _FIXED.items():
        if published.get(key, value) != value:
            raise UserError(f"the text encoder has {key}={published[key]!r}: {value!r} is known")
    values = PublishedConfig(published, "the text encoder's config.json")
    # A quarter of the buckets hold one distance each. The largest distance lies beyond those.
    buckets = values.integer("relative_attention_num_buckets", minimum=4)
    return UMT5Config(
        vocabulary=values.integer("vocab_size"),
        dim=values.integer("d_model"),
        layers=values.integer("num_layers", maximum=MAX_LAYERS),
        heads=values.integer("num_heads"),
        head_dim=values.integer("d_kv"),
        ffn_dim=values.integer("d_ff"),
        buckets=buckets,
        max_distance=values.integer("relative_attention_max_distance", minimum=buckets // 4 + 1),
    )
