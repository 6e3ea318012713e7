"""CLIP vision transformers in transformers' layout: their names and their config.json."""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.clip import ACTIVATIONS, CLIPVisionConfig
from painting_jax.weights.table import Row

# Files differ in whether all names but the projection's begin with it.
_MODEL = r"(?:vision_model\.)?"
_LAYER = _MODEL + r"encoder\.layers\.(\d+)\."
_LINEAR = (1, 0)
_EPS = 1e-5


def _with_bias(theirs: str, ours: str) -> tuple[Row, Row]:
    return (
        Row(theirs + r"\.weight", f"{ours}/kernel", _LINEAR),
        Row(theirs + r"\.bias", f"{ours}/bias"),
    )


def _norm(theirs: str, ours: str) -> tuple[Row, Row]:
    return Row(theirs + r"\.weight", f"{ours}/scale"), Row(theirs + r"\.bias", f"{ours}/bias")


TABLE: tuple[Row, ...] = (
    Row(_MODEL + r"embeddings\.class_embedding", "class_token"),
    Row(_MODEL + r"embeddings\.position_embedding\.weight", "positions"),
    # Output, input, height, width to height, width, input, output.
    Row(_MODEL + r"embeddings\.patch_embedding\.weight", "patch_embedding/kernel", (2, 3, 1, 0)),
    *_norm(_MODEL + r"pre_layrnorm", "norm_in"),
    *_norm(_LAYER + r"layer_norm1", "blocks/norm1"),
    *_with_bias(_LAYER + r"self_attn\.q_proj", "blocks/to_q"),
    *_with_bias(_LAYER + r"self_attn\.k_proj", "blocks/to_k"),
    *_with_bias(_LAYER + r"self_attn\.v_proj", "blocks/to_v"),
    *_with_bias(_LAYER + r"self_attn\.out_proj", "blocks/to_out"),
    *_norm(_LAYER + r"layer_norm2", "blocks/norm2"),
    *_with_bias(_LAYER + r"mlp\.fc1", "blocks/proj_in"),
    *_with_bias(_LAYER + r"mlp\.fc2", "blocks/proj_out"),
    *_norm(_MODEL + r"post_layernorm", "norm_out"),
    Row(r"visual_projection\.weight", "projection/kernel", _LINEAR),
    # The numbers 0, 1, 2, ..., which older versions saved along with the weights.
    Row(_MODEL + r"embeddings\.position_ids", None),
)


def config(published: Mapping) -> CLIPVisionConfig:
    """Sizes out of an image encoder's config.json.

    Raises:
      UserError: if a size is missing, or it is of another architecture.
    """
    if published.get("model_type") != "clip_vision_model":
        raise UserError(
            f"the image encoder is a {published.get('model_type')!r}: "
            "Wan's are of type 'clip_vision_model'"
        )
    activation = published.get("hidden_act")
    if activation not in ACTIVATIONS:
        raise UserError(
            f"the image encoder has hidden_act={activation!r}: {', '.join(ACTIVATIONS)} are known"
        )
    if published.get("layer_norm_eps", _EPS) != _EPS:
        raise UserError(
            f"the image encoder has layer_norm_eps={published['layer_norm_eps']!r}: {_EPS} is known"
        )
    projects = "CLIPVisionModelWithProjection" in published.get("architectures", ())
    try:
        return CLIPVisionConfig(
            dim=published["hidden_size"],
            layers=published["num_hidden_layers"],
            heads=published["num_attention_heads"],
            ffn_dim=published["intermediate_size"],
            image_size=published["image_size"],
            patch=published["patch_size"],
            activation=activation,
            projection_dim=published["projection_dim"] if projects else 0,
        )
    except KeyError as error:
        raise UserError(f"the image encoder's config.json has no {error}") from None
