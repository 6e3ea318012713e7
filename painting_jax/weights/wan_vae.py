"""Where the tensors of Wan's autoencoders belong: from the names of diffusers to ours.

The layouts of torch: a convolution's kernel is output, input, (time,) height, width; a linear
layer's is output, input. Those of 1x1 convolutions, which are linear layers here, end in ones.
"""

from collections.abc import Callable

import numpy as np

from painting_jax.models.wan_vae import WanVAEConfig


def channels_last(kernel: np.ndarray) -> np.ndarray:
    """[O, I, ...taps] to [...taps, I, O]."""
    return np.moveaxis(kernel, (0, 1), (-1, -2))


def linear(kernel: np.ndarray) -> np.ndarray:
    """[O, I, 1, ...] to [I, O]."""
    return kernel.reshape(kernel.shape[:2]).T


def flat(vector: np.ndarray) -> np.ndarray:
    """[C, 1, ...] to [C]."""
    return vector.reshape(-1)


def same(vector: np.ndarray) -> np.ndarray:
    return vector


# The first pattern that a name matches from end to end decides.
DIFFUSERS: tuple[tuple[str, str, Callable[[np.ndarray], np.ndarray]], ...] = (
    (r"(.*\.upsampler)s\.0\.resample\.1\.weight", r"\1.resample.kernel", channels_last),
    (r"(.*\.upsampler)s\.0\.resample\.1\.bias", r"\1.resample.bias", same),
    (r"(.*\.upsampler)s\.0\.time_conv\.weight", r"\1.time_conv.kernel", channels_last),
    (r"(.*\.upsampler)s\.0\.time_conv\.bias", r"\1.time_conv.bias", same),
    (r"(.*)\.resample\.1\.weight", r"\1.resample.kernel", channels_last),
    (r"(.*)\.resample\.1\.bias", r"\1.resample.bias", same),
    (r"(.*\.(?:to_qkv|proj|conv_shortcut))\.weight", r"\1.kernel", linear),
    (r"((?:post_)?quant_conv)\.weight", r"\1.kernel", linear),
    (r"(.*)\.weight", r"\1.kernel", channels_last),
    (r"(.*)\.gamma", r"\1.gamma", flat),
    (r"(.*)\.bias", r"\1.bias", same),
)


def config_of(published: dict) -> WanVAEConfig:
    """The sizes that a diffusers folder's `vae/config.json` tells, read as a dictionary.

    Raises:
      ValueError: if it describes what neither Wan2.1 nor Wan2.2 has.
    """
    if published.get("attn_scales"):
        raise ValueError(
            f"attention in the blocks is unknown: attn_scales is {published['attn_scales']}"
        )
    config = WanVAEConfig(
        encoder_dim=published["base_dim"],
        decoder_dim=published.get("decoder_base_dim") or published["base_dim"],
        latents_mean=tuple(published["latents_mean"]),
        latents_std=tuple(published["latents_std"]),
        widths=tuple(published["dim_mult"]),
        depth=published["num_res_blocks"],
        temporal=tuple(published["temperal_downsample"]),
        patch=published.get("patch_size") or 1,
        residual=published.get("is_residual", False),
    )
    if config.latent_channels != published["z_dim"]:
        raise ValueError(
            f"{published['z_dim']} latent channels, but {config.latent_channels} means of them"
        )
    return config
