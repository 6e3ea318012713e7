"""Wan's autoencoders: diffusers' names and the original ones (ComfyUI's, too), and config.json.

Wan2.1 names the layers of a half in one row; Wan2.2, whose blocks are residual, names them block by
block. How many there are depends on the sizes, so the tables are made from them.
"""

import math
import re
from collections.abc import Mapping

from painting_jax.errors import UserError
from painting_jax.models.published_config import PublishedConfig
from painting_jax.models.tensor_names import PublishedWeights, Rule, Table, conv
from painting_jax.models.wan.vae import SIZES, WanVAEConfig

_HALF = r"(?P<half>encoder|decoder)"

# Parts that both kinds of autoencoders have, ours and the original names.
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

# What tells a single file's sizes: a residual block of the encoder, and Wan2.2's groups of them.
_BLOCK = r"encoder\.down(samples|_blocks)\..*(residual\.2|conv1)\.weight"
_RESIDUAL = r"encoder\.(downsamples\.\d+\.downsamples|down_blocks\.\d+\.resnets)\."

_MOST_BLOCKS = 32  # of a width; each is a layer of its own, and published are 2
# What diffusers takes for what a config.json leaves out.
_DEFAULTS = {"decoder_base_dim": None, "patch_size": None, "is_residual": False}

_Pair = tuple[str, str]  # their name as a pattern, our path


def tables(config: WanVAEConfig) -> tuple[Table, ...]:
    """All ways of naming the tensors of an autoencoder of these sizes."""
    return diffusers(config), original(config)


def diffusers(config: WanVAEConfig) -> Table:
    """The names that diffusers' `AutoencoderKLWan` has."""
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
    """The names in Wan's own repositories, and in single files for ComfyUI."""
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
    """Layers of Wan2.1's encoder in one row: the residual blocks and the halvings between them."""
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
    """Rules of a convolution with one tap, which is a linear layer here."""
    weight = Rule(rf"{theirs}\.weight", f"{ours}/kernel", f"pointwise{dims}d")
    return [weight, Rule(rf"{theirs}\.bias", f"{ours}/bias")]


def _gamma(theirs: str, ours: str, dims: int) -> Rule:
    return Rule(rf"{theirs}\.gamma", f"{ours}/gamma", f"scale{dims}d")


def wan_vae_config(source: PublishedWeights) -> WanVAEConfig:
    """The sizes of published weights, from their config.json or else from their tensors.

    Tensors do not tell how the latents are spread: that is taken from the published autoencoder
    with as many channels.

    Raises:
      UserError: if they are not of an autoencoder that is implemented.
    """
    if not source.config:
        return _from_shapes(source)
    kind = source.config.get("_class_name", "AutoencoderKLWan")
    if kind != "AutoencoderKLWan":
        raise UserError(f"{source.name} is a {kind}: an AutoencoderKLWan is needed")
    return config_of(source.config)


def config_of(published: Mapping) -> WanVAEConfig:
    """The sizes that a diffusers folder's `vae/config.json` tells, read as a dictionary.

    Raises:
      UserError: if it describes what neither Wan2.1 nor Wan2.2 has, or a size is missing.
    """
    if published.get("attn_scales"):
        raise UserError(
            f"the autoencoder has attention in its blocks, attn_scales={published['attn_scales']}: "
            f"it is not implemented"
        )
    sizes = PublishedConfig({**_DEFAULTS, **published}, "the autoencoder's config.json")
    dim, channels, widths = (
        sizes.integer("base_dim"),
        sizes.integer("z_dim"),
        sizes.integers("dim_mult"),
    )
    return WanVAEConfig(
        encoder_dim=dim,
        decoder_dim=sizes.integer("decoder_base_dim", null=dim),
        latents_mean=sizes.numbers("latents_mean", channels),
        latents_std=sizes.numbers("latents_std", channels, positive=True),
        widths=widths,
        depth=sizes.integer("num_res_blocks", maximum=_MOST_BLOCKS),
        temporal=sizes.booleans("temperal_downsample", len(widths) - 1),
        patch=sizes.integer("patch_size", null=1),
        residual=sizes.boolean("is_residual"),
    )


def _from_shapes(source: PublishedWeights) -> WanVAEConfig:
    def shape(*names: str) -> tuple[int, ...]:
        for name in names:
            if name in source.tensors:
                return source.tensors[name].shape
        raise UserError(
            f"{source.name} is no autoencoder of Wan: it has no {names[0]}; name a diffusers "
            f"folder or a single file of one"
        )

    channels = shape("conv2.weight", "post_quant_conv.weight")[0]
    published = next((c for c in SIZES.values() if c.latent_channels == channels), None)
    if published is None:
        raise UserError(
            f"{source.name} has {channels} latent channels, of which nobody knows how they are "
            f"spread: name a diffusers folder, whose config.json says so"
        )
    encoder_dim, inputs, *_ = shape("encoder.conv1.weight", "encoder.conv_in.weight")
    blocks = sum(bool(re.fullmatch(_BLOCK, name)) for name in source.tensors)
    return WanVAEConfig(
        encoder_dim=encoder_dim,
        decoder_dim=shape("decoder.head.2.weight", "decoder.conv_out.weight")[1],
        latents_mean=published.latents_mean,
        latents_std=published.latents_std,
        depth=blocks // len(published.widths),
        patch=math.isqrt(inputs // 3),
        residual=any(re.match(_RESIDUAL, name) for name in source.tensors),
    )


def diffusers_config(config: WanVAEConfig) -> dict:
    """The config.json that diffusers makes the same autoencoder from."""
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
