"""UMT5 encoders in transformers' layout: their names and their config.json."""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.umt5 import UMT5Config
from painting_jax.weights.table import Row

_LAYER = r"encoder\.block\.(\d+)\.layer\."
_LINEAR = (1, 0)

# Files may hold the token table under both of its names, tied: whichever comes is taken.
TABLE: tuple[Row, ...] = (
    Row(r"shared\.weight", "token_table"),
    Row(r"encoder\.embed_tokens\.weight", "token_table"),
    Row(_LAYER + r"0\.layer_norm\.weight", "blocks/norm1/scale"),
    Row(_LAYER + r"0\.SelfAttention\.q\.weight", "blocks/attn/to_q/kernel", _LINEAR),
    Row(_LAYER + r"0\.SelfAttention\.k\.weight", "blocks/attn/to_k/kernel", _LINEAR),
    Row(_LAYER + r"0\.SelfAttention\.v\.weight", "blocks/attn/to_v/kernel", _LINEAR),
    Row(_LAYER + r"0\.SelfAttention\.o\.weight", "blocks/attn/to_out/kernel", _LINEAR),
    Row(_LAYER + r"0\.SelfAttention\.relative_attention_bias\.weight", "blocks/attn/position_bias"),
    Row(_LAYER + r"1\.layer_norm\.weight", "blocks/norm2/scale"),
    Row(_LAYER + r"1\.DenseReluDense\.wi_0\.weight", "blocks/ffn/proj_gate/kernel", _LINEAR),
    Row(_LAYER + r"1\.DenseReluDense\.wi_1\.weight", "blocks/ffn/proj_in/kernel", _LINEAR),
    Row(_LAYER + r"1\.DenseReluDense\.wo\.weight", "blocks/ffn/proj_out/kernel", _LINEAR),
    Row(r"encoder\.final_layer_norm\.weight", "norm_out/scale"),
    # ComfyUI's single files carry the tokenizer's bytes along.
    Row(r"spiece_model", None),
)

# What every UMT5 has and the implementation takes for granted.
_FIXED = {"feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6}


def config(published: Mapping) -> UMT5Config:
    """Sizes out of a text encoder's config.json.

    Raises:
      UserError: if a size is missing, or it is of another architecture.
    """
    if published.get("model_type") != "umt5":
        raise UserError(
            f"the text encoder is a {published.get('model_type')!r}: Wan's are of type 'umt5'"
        )
    for key, value in _FIXED.items():
        if published.get(key, value) != value:
            raise UserError(f"the text encoder has {key}={published[key]!r}: {value!r} is known")
    try:
        return UMT5Config(
            vocabulary=published["vocab_size"],
            dim=published["d_model"],
            layers=published["num_layers"],
            heads=published["num_heads"],
            head_dim=published["d_kv"],
            ffn_dim=published["d_ff"],
            buckets=published["relative_attention_num_buckets"],
            max_distance=published["relative_attention_max_distance"],
        )
    except KeyError as error:
        raise UserError(f"the text encoder's config.json has no {error}") from None
