"""The sizes of a Wan transformer, to and from diffusers' config.json, or from a single file."""

import re

from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.published_config import MOST_LAYERS, Sizes
from painting_jax.models.tensor_names import LAYER
from painting_jax.models.wan.transformer import WanConfig

_FIXED = {"cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6}
_HEAD_DIM = 128  # of every published size; no tensor's shape tells it
_PATCH = (1, 2, 2)


def wan_config(source: Source) -> WanConfig:
    """The sizes of published weights, from their config.json or else from their tensors.

    Raises:
      UserError: if they are not of a Wan transformer that is implemented.
    """
    return _from_json(source) if source.config else _from_shapes(source)


def _from_json(source: Source) -> WanConfig:
    theirs = source.config
    kind = theirs.get("_class_name", "WanTransformer3DModel")
    if kind != "WanTransformer3DModel":
        raise UserError(f"{source.name} is a {kind}: a WanTransformer3DModel is needed")
    for name, value in (_FIXED | {"pos_embed_seq_len": None, "patch_size": list(_PATCH)}).items():
        if theirs.get(name, value) != value:
            raise UserError(
                f"{source.name} has {name} = {theirs[name]} in its config, not {value}: it "
                "is not implemented"
            )
    sizes = Sizes({"image_dim": None, **theirs}, f"{source.name}'s config.json")
    heads, in_channels = sizes.whole("num_attention_heads"), sizes.whole("in_channels")
    return WanConfig(
        # Positions turn the channels of a head in pairs.
        dim=heads * sizes.whole("attention_head_dim", factor=2),
        layers=sizes.whole("num_layers", most=MOST_LAYERS),
        heads=heads,
        ffn_dim=sizes.whole("ffn_dim"),
        in_channels=in_channels,
        out_channels=sizes.whole("out_channels", null=in_channels),
        patch=_PATCH,
        text_dim=sizes.whole("text_dim"),
        image_dim=sizes.whole("image_dim", null=0),
        freq_dim=sizes.whole("freq_dim", factor=2),
    )


def _from_shapes(source: Source) -> WanConfig:
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
            f"{source.name} is no Wan transformer: it has no {names[0]}; name a diffusers folder "
            f"or a single file of Wan"
        )

    dim, in_channels, *patch = shape("patch_embedding.weight", axes=5)
    if dim % _HEAD_DIM:
        raise UserError(
            f"{source.name} is {dim} wide, which is no published size, and does not say how many "
            f"heads it has: name a diffusers folder, whose config.json says so"
        )
    freq_dim = shape("time_embedding.0.weight", "time_embedder.linear_1.weight")[1]
    text_dim = shape("text_embedding.0.weight", "text_embedder.linear_1.weight")[1]
    layers = [re.search(rf"blocks\.{LAYER}\.", name) for name in source.tensors]
    image = [
        tensor.shape[0]
        for name, tensor in source.tensors.items()
        if name.endswith(("img_emb.proj.0.weight", "image_embedder.norm1.weight")) and tensor.shape
    ]
    return WanConfig(
        dim=dim,
        layers=1 + max((int(match[1]) for match in layers if match), default=-1),
        heads=dim // _HEAD_DIM,
        ffn_dim=shape("ffn.0.weight", "ffn.net.0.proj.weight")[0],
        in_channels=in_channels,
        out_channels=shape("head.head.weight", "proj_out.weight")[0] // 4,
        patch=tuple(patch),
        text_dim=text_dim,
        image_dim=image[0] if image else 0,
        freq_dim=freq_dim,
    )


def diffusers_config(config: WanConfig) -> dict:
    """The config.json that diffusers makes the same transformer from."""
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
