"""Wan transformers as published: tensor names and config.json.

Tensors are named as in diffusers (`DIFFUSERS`) or as in Wan's own repositories (`ORIGINAL`), whose
names ComfyUI's files have too.
"""

import re
from collections.abc import Mapping
from typing import Any

from painting_jax.errors import UserError
from painting_jax.models.published_config import MAX_LAYERS, PublishedConfig, is_among
from painting_jax.models.tensor_names import LAYER, PublishedWeights, Rule, Table, linear, norm
from painting_jax.models.wan.transformer import WanConfig

_FIXED = {"cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6}
_HEAD_DIM = 128  # of all published sizes; it cannot be told from the shapes of the tensors
_PATCH = (1, 2, 2)
# What the config.json of Wan's own repositories must state, may state and leaves out.
_OWN_FIXED = {
    "cross_attn_norm": True,
    "qk_norm": True,
    "eps": 1e-6,
    "patch_size": list(_PATCH),
    "window_size": [-1, -1],
}
_OWN_KINDS = ("t2v", "i2v", "ti2v")
_OWN_DEFAULTS = {"text_dim": 4096, "freq_dim": 256}

_BLOCK = rf"blocks\.{LAYER}"
_EMBED = "condition_embedder"

DIFFUSERS: Table = (
    Rule(r"patch_embedding\.weight", "patch_embedding/kernel", "patches_1x2x2"),
    Rule(r"patch_embedding\.bias", "patch_embedding/bias"),
    *linear(
        rf"{_EMBED}\.(?P<what>time|text)_embedder\.linear_(?P<n>1|2)",
        rf"{_EMBED}/\g<what>_embedder/linear_\g<n>",
    ),
    *linear(rf"{_EMBED}\.time_proj", f"{_EMBED}/time_proj"),
    *norm(
        rf"{_EMBED}\.image_embedder\.norm(?P<n>1|2)",
        rf"{_EMBED}/image_embedder/norm\g<n>",
        bias=True,
    ),
    *linear(rf"{_EMBED}\.image_embedder\.ff\.net\.0\.proj", f"{_EMBED}/image_embedder/ff/proj_in"),
    *linear(rf"{_EMBED}\.image_embedder\.ff\.net\.2", f"{_EMBED}/image_embedder/ff/proj_out"),
    *linear(rf"{_BLOCK}\.attn(?P<n>1|2)\.(?P<to>to_q|to_k|to_v)", r"blocks/attn\g<n>/\g<to>"),
    *linear(rf"{_BLOCK}\.attn(?P<n>1|2)\.to_out\.0", r"blocks/attn\g<n>/to_out"),
    *norm(rf"{_BLOCK}\.attn(?P<n>1|2)\.norm_(?P<x>q|k)", r"blocks/attn\g<n>/norm_\g<x>"),
    *linear(rf"{_BLOCK}\.attn2\.add_(?P<x>k|v)_proj", r"blocks/attn2/add_\g<x>_proj"),
    *norm(rf"{_BLOCK}\.attn2\.norm_added_k", "blocks/attn2/norm_added_k"),
    # An unused tensor of early conversions.
    Rule(rf"{_BLOCK}\.attn2\.norm_added_q\.weight", None),
    *norm(rf"{_BLOCK}\.norm2", "blocks/norm2", bias=True),
    *linear(rf"{_BLOCK}\.ffn\.net\.0\.proj", "blocks/ffn/proj_in"),
    *linear(rf"{_BLOCK}\.ffn\.net\.2", "blocks/ffn/proj_out"),
    Rule(rf"{_BLOCK}\.scale_shift_table", "blocks/scale_shift_table", "first"),
    Rule("scale_shift_table", "scale_shift_table", "first"),
    *linear("proj_out", "proj_out"),
)

ORIGINAL: Table = (
    Rule(r"patch_embedding\.weight", "patch_embedding/kernel", "patches_1x2x2"),
    Rule(r"patch_embedding\.bias", "patch_embedding/bias"),
    *(
        rule
        for what in ("time", "text")
        for theirs, ours in ((0, 1), (2, 2))
        for rule in linear(
            rf"{what}_embedding\.{theirs}", f"{_EMBED}/{what}_embedder/linear_{ours}"
        )
    ),
    *linear(r"time_projection\.1", f"{_EMBED}/time_proj"),
    *norm(r"img_emb\.proj\.0", f"{_EMBED}/image_embedder/norm1", bias=True),
    *linear(r"img_emb\.proj\.1", f"{_EMBED}/image_embedder/ff/proj_in"),
    *linear(r"img_emb\.proj\.3", f"{_EMBED}/image_embedder/ff/proj_out"),
    *norm(r"img_emb\.proj\.4", f"{_EMBED}/image_embedder/norm2", bias=True),
    *(
        rule
        for theirs, ours in (("self_attn", "attn1"), ("cross_attn", "attn2"))
        for rule in (
            *linear(rf"{_BLOCK}\.{theirs}\.(?P<x>q|k|v)", rf"blocks/{ours}/to_\g<x>"),
            *linear(rf"{_BLOCK}\.{theirs}\.o", f"blocks/{ours}/to_out"),
            *norm(rf"{_BLOCK}\.{theirs}\.norm_(?P<x>q|k)", rf"blocks/{ours}/norm_\g<x>"),
        )
    ),
    *linear(rf"{_BLOCK}\.cross_attn\.(?P<x>k|v)_img", r"blocks/attn2/add_\g<x>_proj"),
    *norm(rf"{_BLOCK}\.cross_attn\.norm_k_img", "blocks/attn2/norm_added_k"),
    *norm(rf"{_BLOCK}\.norm3", "blocks/norm2", bias=True),
    *linear(rf"{_BLOCK}\.ffn\.0", "blocks/ffn/proj_in"),
    *linear(rf"{_BLOCK}\.ffn\.2", "blocks/ffn/proj_out"),
    Rule(rf"{_BLOCK}\.modulation", "blocks/scale_shift_table", "first"),
    Rule(r"head\.modulation", "scale_shift_table", "first"),
    *linear(r"head\.head", "proj_out"),
)

RULES: tuple[Table, ...] = (DIFFUSERS, ORIGINAL)

# Parameters that stay float32 whatever dtype the others are loaded in, as in diffusers.
FLOAT32 = r"time_embedder|scale_shift_table|norm"


def wan_config(source: PublishedWeights) -> WanConfig:
    """The config of published weights, from their config.json or else from the shapes of tensors.

    Raises:
      UserError: if they do not belong to a Wan transformer that is implemented.
    """
    if not source.config:
        return _from_shapes(source)
    kind = source.config.get("_class_name", "WanTransformer3DModel")
    if kind == "WanModel":
        return _from_own_json(source)
    if kind != "WanTransformer3DModel":
        raise UserError(f"{source.name} is a {kind!s:.80}: a WanTransformer3DModel is needed")
    return _from_json(source)


def _check_fixed(source: PublishedWeights, fixed: Mapping[str, Any]) -> None:
    for name, value in fixed.items():
        stated = source.config.get(name, value)
        if stated != value:
            raise UserError(
                f"{source.name} has {name} = {stated!s:.80} in its config, not {value}: it is "
                "not implemented"
            )


def _from_json(source: PublishedWeights) -> WanConfig:
    theirs = source.config
    _check_fixed(source, _FIXED | {"pos_embed_seq_len": None, "patch_size": list(_PATCH)})
    values = PublishedConfig({"image_dim": None, **theirs}, f"{source.name}'s config.json")
    heads, in_channels = values.integer("num_attention_heads"), values.integer("in_channels")
    return WanConfig(
        # Rotary positions take the channels of a head in pairs.
        dim=heads * values.integer("attention_head_dim", multiple_of=2),
        layers=values.integer("num_layers", maximum=MAX_LAYERS),
        heads=heads,
        ffn_dim=values.integer("ffn_dim"),
        in_channels=in_channels,
        out_channels=values.integer("out_channels", null=in_channels),
        patch=_PATCH,
        text_dim=values.integer("text_dim"),
        image_dim=values.integer("image_dim", null=0),
        freq_dim=values.integer("freq_dim", multiple_of=2),
    )


def _from_own_json(source: PublishedWeights) -> WanConfig:
    """The config from a config.json of Wan's own repositories."""
    _check_fixed(source, _OWN_FIXED)
    kind = source.config.get("model_type", _OWN_KINDS[0])
    if not is_among(kind, _OWN_KINDS):
        raise UserError(
            f"{source.name} is a WanModel of type {kind!r:.80}: {', '.join(_OWN_KINDS)} are "
            "implemented"
        )
    values = PublishedConfig(_OWN_DEFAULTS | dict(source.config), f"{source.name}'s config.json")
    heads = values.divisor("num_heads", of="dim")
    dim = values.integer("dim", multiple_of=2 * heads)
    return WanConfig(
        dim=dim,
        layers=values.integer("num_layers", maximum=MAX_LAYERS),
        heads=heads,
        ffn_dim=values.integer("ffn_dim"),
        in_channels=values.integer("in_dim"),
        out_channels=values.integer("out_dim"),
        patch=_PATCH,
        text_dim=values.integer("text_dim"),
        # Wan2.2's image-to-video models have the type of Wan2.1's, but take no image tokens.
        image_dim=_image_dim(source),
        freq_dim=values.integer("freq_dim", multiple_of=2),
    )


def _image_dim(source: PublishedWeights) -> int:
    ends = ("img_emb.proj.0.weight", "image_embedder.norm1.weight")
    shapes = (tensor.shape for name, tensor in source.tensors.items() if name.endswith(ends))
    return next((shape[0] for shape in shapes if shape), 0)


def _from_shapes(source: PublishedWeights) -> WanConfig:
    def shape(*names: str, axes: int = 2) -> tuple[int, ...]:
        for name, tensor in source.tensors.items():
            if name.endswith(names):
                if len(tensor.shape) != axes or not all(tensor.shape):
                    raise UserError(
                        f"{source.name} is damaged: its {name} is {list(tensor.shape)}, which "
                        f"should have {axes} axes: fetch it again"
                    )
                return tensor.shape
        raise UserError(
            f"{source.name} is not a Wan transformer: it has no {names[0]}; name a diffusers "
            f"folder or a single file of Wan"
        )

    dim, in_channels, *patch = shape("patch_embedding.weight", axes=5)
    if dim % _HEAD_DIM:
        raise UserError(
            f"{source.name} is {dim} wide, which is not a published width, and does not state its "
            f"number of heads: name a diffusers folder, whose config.json states it"
        )
    freq_dim = shape("time_embedding.0.weight", "time_embedder.linear_1.weight")[1]
    text_dim = shape("text_embedding.0.weight", "text_embedder.linear_1.weight")[1]
    layers = [re.search(rf"blocks\.{LAYER}\.", name) for name in source.tensors]
    return WanConfig(
        dim=dim,
        layers=1 + max((int(match[1]) for match in layers if match), default=-1),
        heads=dim // _HEAD_DIM,
        ffn_dim=shape("ffn.0.weight", "ffn.net.0.proj.weight")[0],
        in_channels=in_channels,
        out_channels=shape("head.head.weight", "proj_out.weight")[0] // 4,
        patch=(patch[0], patch[1], patch[2]),
        text_dim=text_dim,
        image_dim=_image_dim(source),
        freq_dim=freq_dim,
    )


def diffusers_config(config: WanConfig) -> dict:
    """The config.json of the same transformer in diffusers."""
    return _FIXED | {
        "_class_name": "WanTransformer3DModel",
        "patch_size": list(config.patch),
        "num_attention_heads": config.heads,
        "attention_head_dim": config.head_dim,
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "text_dim": config.text_dim,
        "freq_dim": config.freq_dim,
        "ffn_dim": config.ffn_dim,
        "num_layers": config.layers,
        "image_dim": config.image_dim or None,
        "added_kv_proj_dim": config.dim if config.image_dim else None,
        "pos_embed_seq_len": None,
        "rope_max_seq_len": 1024,
    }
