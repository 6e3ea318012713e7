"""CLIP as transformers publishes it: tensor names and config.json.

Wan's image encoder is the vision tower alone, in a folder of its own.
"""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.clip.modeling import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from painting_jax.models.published_config import MAX_LAYERS, PublishedConfig, is_among
from painting_jax.models.tensor_names import LAYER, Rule, Table, conv, linear, norm
from painting_jax.models.vit_blocks import ACTIVATIONS

_EPS = 1e-5


def _tower(theirs: str, ours: str) -> list[Rule]:
    """Rules for what both towers have; `theirs` and `ours` are prefixes of the names."""
    layer, blocks = theirs + r"encoder\.layers\." + LAYER, f"{ours}blocks"
    return [
        Rule(theirs + r"embeddings\.position_embedding\.weight", f"{ours}positions"),
        *norm(layer + r"\.layer_norm(?P<n>1|2)", rf"{blocks}/norm\g<n>", bias=True),
        *linear(layer + r"\.self_attn\.(?P<x>q|k|v)_proj", rf"{blocks}/to_\g<x>"),
        *linear(layer + r"\.self_attn\.out_proj", f"{blocks}/to_out"),
        *linear(layer + r"\.mlp\.fc1", f"{blocks}/proj_in"),
        *linear(layer + r"\.mlp\.fc2", f"{blocks}/proj_out"),
        # The numbers 0, 1, 2, ..., which older versions of transformers saved with the weights.
        Rule(theirs + r"embeddings\.position_ids", None),
    ]


def _vision(theirs: str, ours: str) -> list[Rule]:
    return [
        Rule(theirs + r"embeddings\.class_embedding", f"{ours}class_token"),
        *conv(theirs + r"embeddings\.patch_embedding", f"{ours}patch_embedding", 2, bias=False),
        *norm(theirs + r"pre_layrnorm", f"{ours}norm_in", bias=True),
        *_tower(theirs, ours),
        *norm(theirs + r"post_layernorm", f"{ours}norm_out", bias=True),
        *linear(r"visual_projection", f"{ours}projection", bias=False),
    ]


# The vision tower alone. In some files all names but the projection's have the prefix.
TABLE: Table = _vision(r"(?P<prefix>|vision_model\.)", "")

BOTH: Table = (
    *_vision(r"vision_model\.", "vision/"),
    Rule(r"text_model\.embeddings\.token_embedding\.weight", "text/token_table"),
    *_tower(r"text_model\.", "text/"),
    *norm(r"text_model\.final_layer_norm", "text/norm_out", bias=True),
    *linear(r"text_projection", "text/projection", bias=False),
    # A scale of the cosines, which training alone needs.
    Rule(r"logit_scale", None),
)

# The values of transformers for fields that a config.json leaves out.
_VISION_DEFAULTS = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
}
_TEXT_DEFAULTS = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "eos_token_id": 49407,
}
_WRONG_END = 2  # in the configs of the first release


def config(published: Mapping) -> CLIPVisionConfig:
    """The config of the vision tower alone, from an image encoder's config.json.

    Raises:
      UserError: if a field is missing or invalid, or the architecture is another one.
    """
    if published.get("model_type") != "clip_vision_model":
        raise UserError(
            f"the image encoder is a {published.get('model_type')!r}: "
            "Wan's are of type 'clip_vision_model'"
        )
    _check_kind("the image encoder", published)
    values = PublishedConfig(
        {"architectures": None, **published}, "the image encoder's config.json"
    )
    architectures = published.get("architectures")
    listed = architectures is None or isinstance(architectures, list)
    values.require("architectures", listed, "a list such as ['CLIPVisionModel']")
    projects = "CLIPVisionModelWithProjection" in (architectures or ())
    return _vision_config(values, values.integer("projection_dim") if projects else 0)


def both_config(published: Mapping) -> CLIPConfig:
    """The config of both towers, from a CLIP's config.json.

    Raises:
      UserError: if a field is invalid, or the architecture is another one.
    """
    if published.get("model_type") != "clip":
        raise UserError(
            f"the weights are of type {published.get('model_type')!r}: CLIP's are of type 'clip', "
            f"such as openai/clip-vit-base-patch32"
        )
    values = PublishedConfig({"projection_dim": 512, **published}, "CLIP's config.json")
    projection_dim = values.integer("projection_dim")
    vision = _tower_values(published, "vision", _VISION_DEFAULTS)
    text = _tower_values(published, "text", _TEXT_DEFAULTS)
    end = text.integer("eos_token_id", null=_WRONG_END, minimum=0)
    return CLIPConfig(
        _vision_config(vision, projection_dim),
        CLIPTextConfig(
            dim=text.integer("hidden_size"),
            layers=text.integer("num_hidden_layers", maximum=MAX_LAYERS),
            heads=text.divisor("num_attention_heads", of="hidden_size"),
            ffn_dim=text.integer("intermediate_size"),
            projection_dim=projection_dim,
            vocabulary=text.integer("vocab_size"),
            length=text.integer("max_position_embeddings"),
            end=None if end == _WRONG_END else end,
            activation=text.string("hidden_act"),
        ),
    )


def _tower_values(published: Mapping, tower: str, defaults: Mapping) -> PublishedConfig:
    """The values of one tower."""
    key = f"{tower}_config"
    own = published.get(key) or {}
    PublishedConfig(published, "CLIP's config.json").require(
        key, isinstance(own, Mapping), "an object of sizes"
    )
    _check_kind(f"the {tower} tower", {**defaults, **own})
    return PublishedConfig({**defaults, **own}, f"the {tower} tower's config.json")


def _check_kind(what: str, published: Mapping) -> None:
    activation = published.get("hidden_act")
    if not is_among(activation, ACTIVATIONS):
        raise UserError(f"{what} has hidden_act={activation!r}: {', '.join(ACTIVATIONS)} are known")
    if published.get("layer_norm_eps", _EPS) != _EPS:
        raise UserError(
            f"{what} has layer_norm_eps={published['layer_norm_eps']!r}: {_EPS} is known"
        )


def _vision_config(values: PublishedConfig, projection_dim: int) -> CLIPVisionConfig:
    image_size = values.integer("image_size")
    return CLIPVisionConfig(
        dim=values.integer("hidden_size"),
        layers=values.integer("num_hidden_layers", maximum=MAX_LAYERS),
        heads=values.divisor("num_attention_heads", of="hidden_size"),
        ffn_dim=values.integer("intermediate_size"),
        image_size=image_size,
        patch=values.integer("patch_size", maximum=image_size),
        activation=values.string("hidden_act"),
        projection_dim=projection_dim,
    )
