"""Wan's autoencoders as published: tensor names and config.json.

Tensors are named as in diffusers, or as in Wan's own repositories and in ComfyUI's files. Wan2.1
numbers all layers of the encoder in one row, and likewise the decoder's. Wan2.2, which has residual
blocks, numbers them block by block. The number of layers depends on the config, so the tables are
built from it.
"""

import math
import re
from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.published_config import PublishedConfig
from painting_jax.models.tensor_names import PublishedWeights, Rule, Table, conv, split_prefix
from painting_jax.models.wan.vae import SIZES, WanVAEConfig

_HALF = r"(?P<half>encoder|decoder)"

# Original names of the parts that both kinds of autoencoders have, by our names.
_ORIGINAL = {
    "quant_conv": "conv1",
    "post_quant_conv": "conv2",
    "conv_in": "conv1",
    "norm_out": r"head\.0",
    "conv_out": r"head\.2",
    "mid_block/resnets/0": r"middle\.0",
    "mid_block/attentions/0": r"middle\.1",
    "mid_block/resnets/1": r"middle\.2",
    "norm1": r"residual\.0",
    "conv1": r"residual\.2",
    "norm2": r"residual\.3",
    "conv2": r"residual\.6",
    "conv_shortcut": "shortcut",
}
_DIFFUSERS = {ours: ours.replace("/", r"\.") for ours in _ORIGINAL}

# Names of the encoder's residual blocks, and of Wan2.2's groups of them. They give the config of a
# single file.
_BLOCK = r"encoder\.down(samples|_blocks)\..*(residual\.2|conv1)\.weight"
_RESIDUAL = r"encoder\.(downsamples\.\d+\.downsamples|down_blocks\.\d+\.resnets)\."

_KERNEL_AXES = 5  # of a 3D convolution
_MAX_DEPTH = 32  # published models have 2; every block is compiled on its own
# The values of diffusers for fields that a config.json leaves out.
_DEFAULTS = {"decoder_base_dim": None, "patch_size": None, "is_residual": False}

_Pair = tuple[str, str]  # their name as a pattern, our path


def tables(config: WanVAEConfig) -> tuple[Table, ...]:
    """All tables of names for an autoencoder with this config."""
    return diffusers(config), original(config)


def diffusers(config: WanVAEConfig) -> Table:
    """The names in diffusers' `AutoencoderKLWan`."""
    block, layer = _number("i", len(config.widths)), _number("j", config.depth + 1)
    down, up = rf"encoder\.down_blocks\.{block}", rf"decoder\.up_blocks\.{block}"
    our_down, our_up = r"encoder/down_blocks/\g<i>", r"decoder/up_blocks/\g<i>"
    residual_blocks = [(rf"{up}\.resnets\.{layer}", rf"{our_up}/resnets/\g<j>")]
    if config.residual:
        residual_blocks.append((rf"{down}\.resnets\.{layer}", rf"{our_down}/resnets/\g<j>"))
        resamplings = [
            (rf"{down}\.downsampler", f"{our_down}/downsampler"),
            (rf"{up}\.upsampler", f"{our_up}/upsampler"),
        ]
    else:
        row = rf"encoder\.down_blocks\.{_number('i', _row(config))}"
        residual_blocks.append((row, our_down))
        resamplings = [(row, our_down), (rf"{up}\.upsamplers\.0", f"{our_up}/upsampler")]
    return _table(_DIFFUSERS, residual_blocks, resamplings)


def original(config: WanVAEConfig) -> Table:
    """The names in Wan's own repositories and in single files for ComfyUI."""
    block, depth = _number("i", len(config.widths)), config.depth
    if config.residual:
        down, up = rf"encoder\.downsamples\.{block}", rf"decoder\.upsamples\.{block}"
        our_down, our_up = r"encoder/down_blocks/\g<i>", r"decoder/up_blocks/\g<i>"
        residual_blocks = [
            (rf"{down}\.downsamples\.{_number('j', depth)}", rf"{our_down}/resnets/\g<j>"),
            (rf"{up}\.upsamples\.{_number('j', depth + 1)}", rf"{our_up}/resnets/\g<j>"),
        ]
        resamplings = [
            (rf"{down}\.downsamples\.{depth}", f"{our_down}/downsampler"),
            (rf"{up}\.upsamples\.{depth + 1}", f"{our_up}/upsampler"),
        ]
        return _table(_ORIGINAL, residual_blocks, resamplings)
    row = (rf"encoder\.downsamples\.{_number('i', _row(config))}", r"encoder/down_blocks/\g<i>")
    residual_blocks, resamplings = [row], [row]
    place = 0
    for i in range(len(config.widths)):
        for j in range(depth + 1):
            residual_blocks.append(
                (rf"decoder\.upsamples\.{place}", f"decoder/up_blocks/{i}/resnets/{j}")
            )
            place += 1
        resamplings.append((rf"decoder\.upsamples\.{place}", f"decoder/up_blocks/{i}/upsampler"))
        place += 1
    return _table(_ORIGINAL, residual_blocks, resamplings)


def _number(group: str, count: int) -> str:
    return f"(?P<{group}>{'|'.join(map(str, range(count)))})"


def _row(config: WanVAEConfig) -> int:
    """Number of layers in Wan2.1's encoder: residual blocks and the downsampling between them."""
    return len(config.widths) * (config.depth + 1) - 1


def _table(
    words: Mapping[str, str], residual_blocks: list[_Pair], resamplings: list[_Pair]
) -> Table:
    def half(part: str) -> _Pair:
        return rf"{_HALF}\.{words[part]}", rf"\g<half>/{part}"

    attention, our_attention = half("mid_block/attentions/0")
    residual_blocks = [half("mid_block/resnets/0"), half("mid_block/resnets/1"), *residual_blocks]
    return [
        *_pointwise(words["quant_conv"], "quant_conv", 3),
        *_pointwise(words["post_quant_conv"], "post_quant_conv", 3),
        *conv(*half("conv_in"), 3),
        *conv(*half("conv_out"), 3),
        _gamma(*half("norm_out"), 3),
        _gamma(rf"{attention}\.norm", f"{our_attention}/norm", 2),
        *_pointwise(rf"{attention}\.to_qkv", f"{our_attention}/to_qkv", 2),
        *_pointwise(rf"{attention}\.proj", f"{our_attention}/proj", 2),
        *(
            rule
            for theirs, ours in residual_blocks
            for rule in (
                _gamma(rf"{theirs}\.{words['norm1']}", f"{ours}/norm1", 3),
                *conv(rf"{theirs}\.{words['conv1']}", f"{ours}/conv1", 3),
                _gamma(rf"{theirs}\.{words['norm2']}", f"{ours}/norm2", 3),
                *conv(rf"{theirs}\.{words['conv2']}", f"{ours}/conv2", 3),
                *_pointwise(rf"{theirs}\.{words['conv_shortcut']}", f"{ours}/conv_shortcut", 3),
            )
        ),
        *(
            rule
            for theirs, ours in resamplings
            for rule in (
                *conv(rf"{theirs}\.resample\.1", f"{ours}/resample", 2),
                *conv(rf"{theirs}\.time_conv", f"{ours}/time_conv", 3),
            )
        ),
    ]


def _pointwise(theirs: str, ours: str, dims: int) -> list[Rule]:
    """The rules for a 1x1 convolution, which is a linear layer here."""
    weight = Rule(rf"{theirs}\.weight", f"{ours}/kernel", f"pointwise{dims}d")
    return [weight, Rule(rf"{theirs}\.bias", f"{ours}/bias")]


def _gamma(theirs: str, ours: str, dims: int) -> Rule:
    return Rule(rf"{theirs}\.gamma", f"{ours}/gamma", f"scale{dims}d")


def wan_vae_config(source: PublishedWeights) -> WanVAEConfig:
    """The config of published weights, from their config.json or else from the shapes of tensors.

    Mean and standard deviation of the latents are not among the tensors. They are those of the
    published autoencoder with as many channels.

    Raises:
      UserError: if they do not belong to an autoencoder that is implemented.
    """
    if not source.config:
        return _from_shapes(source)
    kind = source.config.get("_class_name", "AutoencoderKLWan")
    if kind != "AutoencoderKLWan":
        raise UserError(f"{source.name} is a {kind!s:.80}: an AutoencoderKLWan is needed")
    return config_of(source.config)


def config_of(published: Mapping) -> WanVAEConfig:
    """The config from the content of a diffusers folder's `vae/config.json`.

    Raises:
      UserError: if a field is missing or invalid, or neither Wan2.1 nor Wan2.2 has its value.
    """
    if published.get("attn_scales"):
        raise UserError(
            f"the autoencoder has attention in its blocks, attn_scales="
            f"{published['attn_scales']!s:.80}: "
            f"it is not implemented"
        )
    values = PublishedConfig({**_DEFAULTS, **published}, "the autoencoder's config.json")
    dim, channels, widths = (
        values.integer("base_dim"),
        values.integer("z_dim"),
        values.integers("dim_mult"),
    )
    return WanVAEConfig(
        encoder_dim=dim,
        decoder_dim=values.integer("decoder_base_dim", null=dim),
        latents_mean=values.numbers("latents_mean", channels),
        latents_std=values.numbers("latents_std", channels, positive=True),
        widths=widths,
        depth=values.integer("num_res_blocks", maximum=_MAX_DEPTH),
        temporal=values.booleans("temperal_downsample", len(widths) - 1),
        patch=values.integer("patch_size", null=1),
        residual=values.boolean("is_residual"),
    )


def _from_shapes(source: PublishedWeights) -> WanVAEConfig:
    tensors = {split_prefix(name)[1]: tensor for name, tensor in source.tensors.items()}

    def shape(*names: str) -> tuple[int, ...]:
        for name in names:
            if name in tensors:
                found = tensors[name].shape
                if len(found) == _KERNEL_AXES and all(found):
                    return found
                raise UserError(
                    f"{source.name} is damaged: its {name} is {list(found)}, which should have "
                    f"{_KERNEL_AXES} axes: fetch it again"
                )
        raise UserError(
            f"{source.name} is not an autoencoder of Wan: it has no {names[0]}; name a diffusers "
            f"folder or a single file of one"
        )

    channels = shape("conv2.weight", "post_quant_conv.weight")[0]
    published = next((c for c in SIZES.values() if c.latent_channels == channels), None)
    if published is None:
        raise UserError(
            f"{source.name} has {channels} latent channels, whose mean and deviation are unknown: "
            f"name a diffusers folder, whose config.json states them"
        )
    encoder_dim, inputs, *_ = shape("encoder.conv1.weight", "encoder.conv_in.weight")
    depth = sum(bool(re.fullmatch(_BLOCK, name)) for name in tensors) // len(published.widths)
    if depth > _MAX_DEPTH:
        raise UserError(
            f"{source.name} has {depth} blocks at each resolution: at most {_MAX_DEPTH} are read"
        )
    return WanVAEConfig(
        encoder_dim=encoder_dim,
        decoder_dim=shape("decoder.head.2.weight", "decoder.conv_out.weight")[1],
        latents_mean=published.latents_mean,
        latents_std=published.latents_std,
        depth=depth,
        patch=max(1, math.isqrt(inputs // 3)),
        residual=any(re.match(_RESIDUAL, name) for name in tensors),
    )


def diffusers_config(config: WanVAEConfig) -> dict:
    """The config.json of the same autoencoder in diffusers."""
    halvings = len(config.widths) - 1
    return {
        "_class_name": "AutoencoderKLWan",
        "base_dim": config.encoder_dim,
        "decoder_base_dim": config.decoder_dim,
        "z_dim": config.latent_channels,
        "dim_mult": list(config.widths),
        "num_res_blocks": config.depth,
        "attn_scales": [],
        "temperal_downsample": list(config.temporal),
        "dropout": 0.0,
        "latents_mean": list(config.latents_mean),
        "latents_std": list(config.latents_std),
        "is_residual": config.residual,
        "in_channels": 3 * config.patch**2,
        "out_channels": 3 * config.patch**2,
        "patch_size": config.patch if config.patch > 1 else None,
        "scale_factor_temporal": 2 ** sum(config.temporal),
        "scale_factor_spatial": config.patch * 2**halvings,
    }
