"""UMT5 encoders as published: tensor names and config.json.

Tensors are named as in transformers (`TABLE`), whose names ComfyUI's files have too, or as in Wan's
own repositories (`ORIGINAL`).
"""

import re
from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.published_config import MAX_LAYERS, PublishedConfig
from painting_jax.models.tensor_names import (
    LAYER,
    PublishedWeights,
    Rule,
    Table,
    linear,
    norm,
    split_prefix,
)
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

_BLOCK = rf"blocks\.{LAYER}"

ORIGINAL: Table = (
    Rule(r"token_embedding\.weight", "token_table"),
    *norm(_BLOCK + r"\.norm(?P<n>1|2)", r"blocks/norm\g<n>"),
    *linear(_BLOCK + r"\.attn\.(?P<x>q|k|v)", r"blocks/attn/to_\g<x>", bias=False),
    *linear(_BLOCK + r"\.attn\.o", "blocks/attn/to_out", bias=False),
    Rule(_BLOCK + r"\.pos_embedding\.embedding\.weight", "blocks/attn/position_bias"),
    *linear(_BLOCK + r"\.ffn\.gate\.0", "blocks/ffn/proj_gate", bias=False),
    *linear(_BLOCK + r"\.ffn\.fc1", "blocks/ffn/proj_in", bias=False),
    *linear(_BLOCK + r"\.ffn\.fc2", "blocks/ffn/proj_out", bias=False),
    *norm("norm", "norm_out"),
)

# Names that tell an encoder, in either naming.
TELLING = (
    r"(shared|token_embedding|encoder\.embed_tokens)\.weight"
    r"|encoder\.block\.\d+\.layer\..*|blocks\.\d+\.pos_embedding\.embedding\.weight"
)

# Values that all UMT5 models share; others are not implemented.
_FIXED = {"feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6}
_MAX_DISTANCE = 128


def config(published: Mapping) -> UMT5Config:
    """The config from a text encoder's config.json.

    Raises:
      UserError: if a field is missing or invalid, or the architecture is another one.
    """
    if published.get("model_type") != "umt5":
        raise UserError(
            f"the text encoder is a {published.get('model_type')!r:.80}: Wan's are of type 'umt5'"
        )
    for key, value in _FIXED.items():
        if published.get(key, value) != value:
            raise UserError(
                f"the text encoder has {key}={published[key]!r:.80}: {value!r} is known"
            )
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


def umt5_config(source: PublishedWeights) -> UMT5Config:
    """The config of published weights, from their config.json or else from the shapes of tensors.

    The largest distance of the position biases cannot be told from shapes. It is that of the
    published encoder.

    Raises:
      UserError: If they do not belong to a UMT5 encoder.
    """
    if source.config:
        return config(source.config)
    tensors = {split_prefix(name)[1]: tensor for name, tensor in source.tensors.items()}

    def shape(*names: str) -> tuple[int, int]:
        for name in names:
            if name in tensors:
                found = tensors[name].shape
                if len(found) == 2 and all(found):
                    return found
                raise UserError(
                    f"{source.name} is damaged: its {name} is {list(found)}, which should have "
                    "2 axes: fetch it again"
                )
        raise UserError(
            f"{source.name} is not a UMT5 encoder: it has no {names[0]}; name a folder of "
            "transformers or a single file of one"
        )

    def block(theirs: str, original: str) -> tuple[int, int]:
        return shape(f"encoder.block.0.layer.{theirs}.weight", f"blocks.0.{original}.weight")

    vocabulary, dim = shape(
        "shared.weight", "encoder.embed_tokens.weight", "token_embedding.weight"
    )
    buckets, heads = block("0.SelfAttention.relative_attention_bias", "pos_embedding.embedding")
    inner = block("0.SelfAttention.q", "attn.q")[0]
    numbers = (re.match(rf"(?:encoder\.block|blocks)\.{LAYER}\.", name) for name in tensors)
    sizes = {
        "model_type": "umt5",
        "vocab_size": vocabulary,
        "d_model": dim,
        "num_layers": 1 + max((int(match[1]) for match in numbers if match), default=-1),
        "num_heads": heads,
        "d_kv": max(1, inner // heads),
        "d_ff": block("1.DenseReluDense.wo", "ffn.fc2")[1],
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": max(_MAX_DISTANCE, buckets // 4 + 1),
    }
    return config(sizes)


def transformers_config(config: UMT5Config) -> dict:
    """The config.json of the same encoder in transformers."""
    return _FIXED | {
        "architectures": ["UMT5EncoderModel"],
        "model_type": "umt5",
        "vocab_size": config.vocabulary,
        "d_model": config.dim,
        "num_layers": config.layers,
        "num_heads": config.heads,
        "d_kv": config.head_dim,
        "d_ff": config.ffn_dim,
        "relative_attention_num_buckets": config.buckets,
        "relative_attention_max_distance": config.max_distance,
    }
