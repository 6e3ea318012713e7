"""CLIP vision transformers in transformers' layout: their names and their config.json."""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.clip import ACTIVATIONS, CLIPVisionConfig
from painting_jax.weights.rules import Rule, Table, conv, linear, norm

# Files differ in whether all names but the projection's begin with it.
_MODEL = r"(?P<prefix>|vision_model\.)"
_LAYER = _MODEL + r"encoder\.layers\.(?P<layer>\d+)"
_EPS = 1e-5

TABLE: Table = (
    Rule(_MODEL + r"embeddings\.class_embedding", "class_token"),
    Rule(_MODEL + r"embeddings\.position_embedding\.weight", "positions"),
    *conv(_MODEL + r"embeddings\.patch_embedding", "patch_embedding", 2, bias=False),
    *norm(_MODEL + r"pre_layrnorm", "norm_in", bias=True),
    *norm(_LAYER + r"\.layer_norm(?P<n>1|2)", r"blocks/norm\g<n>", bias=True),
    *linear(_LAYER + r"\.self_attn\.(?P<x>q|k|v)_proj", r"blocks/to_\g<x>"),
    *linear(_LAYER + r"\.self_attn\.out_proj", "blocks/to_out"),
    *linear(_LAYER + r"\.mlp\.fc1", "blocks/proj_in"),
    *linear(_LAYER + r"\.mlp\.fc2", "blocks/proj_out"),
    *norm(_MODEL + r"post_layernorm", "norm_out", bias=True),
    *linear(r"visual_projection", "projection", bias=False),
    # The numbers 0, 1, 2, ..., which older versions saved along with the weights.
    Rule(_MODEL + r"embeddings\.position_ids", None),
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
