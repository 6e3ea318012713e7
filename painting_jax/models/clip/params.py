"""CLIP in transformers' layout: the names of its tensors and its config.json.

Wan's image encoder is the vision tower alone, in a folder of its own.
"""

from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.clip.modeling import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from painting_jax.models.published_config import MOST_LAYERS, Sizes, is_among
from painting_jax.models.tensor_names import LAYER, Rule, Table, conv, linear, norm
from painting_jax.models.vit_blocks import ACTIVATIONS

_EPS = 1e-5


def _tower(theirs: str, ours: str) -> list[Rule]:
    """Rules of what both towers have, names beginning with `theirs` and `ours`."""
    layer, blocks = theirs + r"encoder\.layers\." + LAYER, f"{ours}blocks"
    return [
        Rule(theirs + r"embeddings\.position_embedding\.weight", f"{ours}positions"),
        *norm(layer + r"\.layer_norm(?P<n>1|2)", rf"{blocks}/norm\g<n>", bias=True),
        *linear(layer + r"\.self_attn\.(?P<x>q|k|v)_proj", rf"{blocks}/to_\g<x>"),
        *linear(layer + r"\.self_attn\.out_proj", f"{blocks}/to_out"),
        *linear(layer + r"\.mlp\.fc1", f"{blocks}/proj_in"),
        *linear(layer + r"\.mlp\.fc2", f"{blocks}/proj_out"),
        # The numbers 0, 1, 2, ..., which older versions saved along with the weights.
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


# Of the vision tower alone; files differ in whether all names but the projection's begin with it.
TABLE: Table = _vision(r"(?P<prefix>|vision_model\.)", "")

BOTH: Table = (
    *_vision(r"vision_model\.", "vision/"),
    Rule(r"text_model\.embeddings\.token_embedding\.weight", "text/token_table"),
    *_tower(r"text_model\.", "text/"),
    *norm(r"text_model\.final_layer_norm", "text/norm_out", bias=True),
    *linear(r"text_projection", "text/projection", bias=False),
    # Scales cosines in training.
    Rule(r"logit_scale", None),
)

# What transformers takes for a size that a config.json leaves out.
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
_WRONG_END = 2  # in configs of the first release


def config(published: Mapping) -> CLIPVisionConfig:
    """Sizes out of an image encoder's config.json.

    Raises:
      UserError: if a size is missing or is none, or it is of another architecture.
    """
    if published.get("model_type") != "clip_vision_model":
        raise UserError(
            f"the image encoder is a {published.get('model_type')!r}: "
            "Wan's are of type 'clip_vision_model'"
        )
    _check_kind("the image encoder", published)
    sizes = Sizes({"architectures": None, **published}, "the image encoder's config.json")
    architectures = published.get("architectures")
    listed = architectures is None or isinstance(architectures, list)
    sizes.require("architectures", listed, "a list such as ['CLIPVisionModel']")
    projects = "CLIPVisionModelWithProjection" in (architectures or ())
    return _vision_config(
        sizes, published["hidden_act"], sizes.whole("projection_dim") if projects else 0
    )


def both_config(published: Mapping) -> CLIPConfig:
    """Sizes of both towers out of a CLIP's config.json.

    Raises:
      UserError: if a size is none, or it is of another architecture.
    """
    if published.get("model_type") != "clip":
        raise UserError(
            f"the weights are of type {published.get('model_type')!r}: CLIP's are of type 'clip', "
            f"such as openai/clip-vit-base-patch32"
        )
    vision = _VISION_DEFAULTS | _tower_of(published, "vision_config")
    text = _TEXT_DEFAULTS | _tower_of(published, "text_config")
    _check_kind("the vision tower", vision)
    _check_kind("the text tower", text)
    dim = Sizes({"projection_dim": 512, **published}, "CLIP's config.json").whole("projection_dim")
    sizes = Sizes(text, "the text tower's config.json")
    end = sizes.whole("eos_token_id", null=_WRONG_END, least=0)
    return CLIPConfig(
        _vision_config(Sizes(vision, "the vision tower's config.json"), vision["hidden_act"], dim),
        CLIPTextConfig(
            dim=sizes.whole("hidden_size"),
            layers=sizes.whole("num_hidden_layers", most=MOST_LAYERS),
            heads=sizes.divisor("num_attention_heads", of="hidden_size"),
            ffn_dim=sizes.whole("intermediate_size"),
            projection_dim=dim,
            vocabulary=sizes.whole("vocab_size"),
            length=sizes.whole("max_position_embeddings"),
            end=None if end == _WRONG_END else end,
            activation=text["hidden_act"],
        ),
    )


def _tower_of(published: Mapping, key: str) -> Mapping:
    tower = published.get(key) or {}
    Sizes(published, "CLIP's config.json").require(
        key, isinstance(tower, Mapping), "an object of sizes"
    )
    return tower


def _check_kind(what: str, published: Mapping) -> None:
    activation = published.get("hidden_act")
    if not is_among(activation, ACTIVATIONS):
        raise UserError(f"{what} has hidden_act={activation!r}: {', '.join(ACTIVATIONS)} are known")
    if published.get("layer_norm_eps", _EPS) != _EPS:
        raise UserError(
            f"{what} has layer_norm_eps={published['layer_norm_eps']!r}: {_EPS} is known"
        )


def _vision_config(sizes: Sizes, activation: str, projection_dim: int) -> CLIPVisionConfig:
    image_size = sizes.whole("image_size")
    return CLIPVisionConfig(
        dim=sizes.whole("hidden_size"),
        layers=sizes.whole("num_hidden_layers", most=MOST_LAYERS),
        heads=sizes.divisor("num_attention_heads", of="hidden_size"),
        ffn_dim=sizes.whole("intermediate_size"),
        image_size=image_size,
        patch=sizes.whole("patch_size", most=image_size),
        activation=activation,
        projection_dim=projection_dim,
    )
