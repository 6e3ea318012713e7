"""Wan's causal video autoencoders, with 4 frames of 8 x 8 pixels (Wan2.2: 16 x 16) per latent.

Names and maths are those of Wan 2.1 and 2.2 (arXiv 2503.20314), so that the published weights fit.
The reference implementation is `AutoencoderKLWan` of diffusers. A scan encodes and decodes one
latent frame at a time and carries the memories of the causal convolutions along. So neither the
activations nor the compiled program grow with the number of frames.

Shapes: B batch, T frames, H W height and width, C channels.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models.wan.causal_conv import CausalConv, Past
from painting_jax.models.wan.vae_blocks import (
    DownBlock,
    Downsample,
    MidBlock,
    ResidualBlock,
    RMSNorm,
    UpBlock,
    pointwise,
)
from painting_jax.sharding.rules import constrain


@dataclasses.dataclass(frozen=True)
class WanVAEConfig:
    """Config of an autoencoder.

    Attributes:
      encoder_dim: width of the encoder at full resolution.
      decoder_dim: width of the decoder at full resolution.
      latents_mean: mean of each latent channel over Wan's training videos.
      latents_std: standard deviation of each latent channel.
      widths: multiples of the width at each resolution, from full resolution down by halves.
      depth: residual blocks per resolution in the encoder; the decoder has one more.
      temporal: whether each halving of the resolution also halves the frames.
      patch: height and width of the patches that enter the first layer, in pixels.
      residual: whether the blocks have shortcuts of averages and copies, as in Wan2.2.
    """

    encoder_dim: int
    decoder_dim: int
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]
    widths: tuple[int, ...] = (1, 2, 4, 4)
    depth: int = 2
    temporal: tuple[bool, ...] = (False, True, True)
    patch: int = 1
    residual: bool = False

    @property
    def latent_channels(self) -> int:
        return len(self.latents_mean)


# fmt: off
SIZES: dict[str, WanVAEConfig] = {
    "wan21": WanVAEConfig(
        encoder_dim=96,
        decoder_dim=96,
        latents_mean=(
            -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
            0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
        ),
        latents_std=(
            2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
            3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
        ),
    ),
    "wan22": WanVAEConfig(
        encoder_dim=160,
        decoder_dim=256,
        latents_mean=(
            -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557,
            -0.1382, 0.0542, 0.2813, 0.0891, 0.1570, -0.0098, 0.0375, -0.1825,
            -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502,
            -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230,
            -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748,
            0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
        ),
        latents_std=(
            0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013,
            0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978,
            0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
            0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093,
            0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887,
            0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
        ),
        patch=2,
        residual=True,
    ),
}
# fmt: on


class WanVAE(nnx.Module):
    """A `Codec` whose latents are normalised to mean 0 and standard deviation 1 in each channel.

    Kernels are initially zero, to be replaced by published ones, since drawing random ones would
    take minutes to compile.

    Args:
      config: config.
      dtype: dtype of the computation; parameters and normalisations are float32.
    """

    def __init__(self, config: WanVAEConfig, *, dtype=jnp.float32):
        self.config = config
        z = config.latent_channels
        self.encoder = Encoder(config, dtype=dtype)
        self.quant_conv = pointwise(2 * z, 2 * z, dtype=dtype)
        self.post_quant_conv = pointwise(z, z, dtype=dtype)
        self.decoder = Decoder(config, dtype=dtype)

    @property
    def channels(self) -> int:
        return self.config.latent_channels

    @property
    def spatial(self) -> int:
        return self.config.patch * 2 ** (len(self.config.widths) - 1)

    @property
    def temporal(self) -> int:
        return 2 ** sum(self.config.temporal)

    def encode(self, video_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t2 h2 w2 c"]:
        """The normalised mean of the posterior, float32; arguments and errors as in `moments`."""
        return normalise(self.moments(video_BTHWC)[0], self.config)

    def decode(self, latents_BTHWC: Float[Array, "b t2 h2 w2 c"]) -> Float[Array, "b t h w 3"]:
        """Decodes normalised latents: RGB float32 in [-1, 1]."""

        def chunk(z_BTHWC, past):
            return self.decoder(self.post_quant_conv(z_BTHWC), past)

        z_BTHWC = denormalise(latents_BTHWC, self.config)
        video_BTHWC = unpatchify(over_time(chunk, z_BTHWC, 1), self.config.patch)
        return jnp.clip(video_BTHWC.astype(jnp.float32), -1, 1)

    def moments(
        self, video_BTHWC: Float[Array, "b t h w 3"]
    ) -> tuple[Float[Array, "b t2 h2 w2 c"], Float[Array, "b t2 h2 w2 c"]]:
        """Mean and logarithm of the variance of the posterior, float32, not normalised.

        Args:
          video_BTHWC: RGB in [-1, 1]. The first frame has a latent of its own, and every group of
            `temporal` further frames has one.

        Raises:
          ValueError: if the numbers of frames or pixels do not divide.
        """
        _, frames, height, width, _ = video_BTHWC.shape
        if (frames - 1) % self.temporal or height % self.spatial or width % self.spatial:
            raise ValueError(
                f"{frames} frames of {height} x {width}: frames must be one more than a multiple "
                f"of {self.temporal}, height and width multiples of {self.spatial}"
            )

        def chunk(x_BTHWC, past):
            return self.quant_conv(self.encoder(x_BTHWC, past))

        moments = over_time(chunk, patchify(video_BTHWC, self.config.patch), self.temporal)
        mean_BTHWC, log_variance_BTHWC = jnp.split(moments.astype(jnp.float32), 2, axis=-1)
        return mean_BTHWC, log_variance_BTHWC


class Encoder(nnx.Module):
    """Pixels to mean and log-variance of the latents."""

    def __init__(self, config: WanVAEConfig, *, dtype):
        dims = [config.encoder_dim * width for width in (1, *config.widths)]
        halvings = (*config.temporal, None)  # there is none after the last width
        self.conv_in = CausalConv(3 * config.patch**2, dims[0], dtype=dtype)
        blocks = []
        for inputs, dim, temporal in zip(dims[:-1], dims[1:], halvings, strict=True):
            if config.residual:
                halve = temporal is not None
                blocks.append(
                    DownBlock(
                        inputs, dim, config.depth, halve=halve, temporal=bool(temporal), dtype=dtype
                    )
                )
                continue
            for i in range(config.depth):
                blocks.append(ResidualBlock(inputs if i == 0 else dim, dim, dtype=dtype))
            if temporal is not None:
                blocks.append(Downsample(dim, temporal=temporal, dtype=dtype))
        self.down_blocks = nnx.List(blocks)
        self.mid_block = MidBlock(dims[-1], dtype=dtype)
        self.norm_out = RMSNorm(dims[-1])
        self.conv_out = CausalConv(dims[-1], 2 * config.latent_channels, dtype=dtype)

    def __call__(
        self, x_BTHWC: Float[Array, "b t h w c"], past: Past
    ) -> Float[Array, "b t2 h2 w2 z"]:
        x_BTHWC = self.conv_in(x_BTHWC, past)
        for block in self.down_blocks:
            x_BTHWC = block(x_BTHWC, past)
        x_BTHWC = self.mid_block(x_BTHWC, past)
        return self.conv_out(jax.nn.silu(self.norm_out(x_BTHWC)), past)


class Decoder(nnx.Module):
    """Latents to pixels."""

    def __init__(self, config: WanVAEConfig, *, dtype):
        dims = [config.decoder_dim * width for width in (config.widths[-1], *config.widths[::-1])]
        doublings = (*config.temporal[::-1], None)
        self.conv_in = CausalConv(config.latent_channels, dims[0], dtype=dtype)
        self.mid_block = MidBlock(dims[0], dtype=dtype)
        blocks = []
        for k, (inputs, dim, temporal) in enumerate(
            zip(dims[:-1], dims[1:], doublings, strict=True)
        ):
            halved = k > 0 and not config.residual  # by the previous upsampling
            blocks.append(
                UpBlock(
                    inputs // 2 if halved else inputs,
                    dim,
                    config.depth + 1,
                    double=temporal is not None,
                    temporal=bool(temporal),
                    residual=config.residual,
                    dtype=dtype,
                )
            )
        self.up_blocks = nnx.List(blocks)
        self.norm_out = RMSNorm(dims[-1])
        self.conv_out = CausalConv(dims[-1], 3 * config.patch**2, dtype=dtype)

    def __call__(
        self, x_BTHWC: Float[Array, "b t h w c"], past: Past
    ) -> Float[Array, "b t2 h2 w2 p"]:
        x_BTHWC = self.mid_block(self.conv_in(x_BTHWC, past), past)
        for block in self.up_blocks:
            x_BTHWC = block(x_BTHWC, past)
        return self.conv_out(jax.nn.silu(self.norm_out(x_BTHWC)), past)


def normalise(
    z_BTHWC: Float[Array, "b t h w c"], config: WanVAEConfig
) -> Float[Array, "b t h w c"]:
    """(z - mean) / std per channel, as the transformers take latents."""
    mean_C, std_C = jnp.asarray(config.latents_mean), jnp.asarray(config.latents_std)
    return (z_BTHWC - mean_C) / std_C


def denormalise(
    latents_BTHWC: Float[Array, "b t h w c"], config: WanVAEConfig
) -> Float[Array, "b t h w c"]:
    """The inverse of `normalise`, as the decoder takes latents."""
    mean_C, std_C = jnp.asarray(config.latents_mean), jnp.asarray(config.latents_std)
    return latents_BTHWC * std_C + mean_C


def over_time(
    network: Callable[[Array, Past], Array], x_BTHWC: Float[Array, "b t h w c"], frames: int
) -> Float[Array, "b t2 h2 w2 d"]:
    """Applies a network to a video in chunks of frames.

    Args:
      network: takes a chunk and the `Past` of the previous chunks.
      x_BTHWC: the video. Its first frame is a chunk of its own outside the scan, since layers that
        change the number of frames pass over it.
      frames: number of frames in each of the other chunks.
    """
    x_BTHWC = constrain(x_BTHWC, "video")
    past = Past()
    first_BTHWD = network(x_BTHWC[:, :1], past)
    batch, length, *extent = x_BTHWC.shape
    if length == 1:
        return first_BTHWD

    def step(memories, chunk_BTHWC):
        past = Past(memories)
        y_BTHWD = network(chunk_BTHWC, past)
        return past.memories, y_BTHWD

    chunks_NBTHWC = jnp.moveaxis(x_BTHWC[:, 1:].reshape(batch, -1, frames, *extent), 1, 0)
    _, rest_NBTHWD = jax.lax.scan(step, past.memories, chunks_NBTHWC)
    rest_BTHWD = jnp.moveaxis(rest_NBTHWD, 0, 1).reshape(batch, -1, *rest_NBTHWD.shape[3:])
    return jnp.concatenate([first_BTHWD, rest_BTHWD], 1)


def patchify(x_BTHWC: Float[Array, "b t h w c"], patch: int) -> Float[Array, "b t h2 w2 p"]:
    """Moves the pixels of a patch into channels, in Wan2.2's order: channel, column, row."""
    b, t, h, w, c = x_BTHWC.shape
    x = x_BTHWC.reshape(b, t, h // patch, patch, w // patch, patch, c)
    return x.transpose(0, 1, 2, 4, 6, 5, 3).reshape(b, t, h // patch, w // patch, -1)


def unpatchify(x_BTHWP: Float[Array, "b t h2 w2 p"], patch: int) -> Float[Array, "b t h w c"]:
    """The inverse of `patchify`."""
    b, t, h, w, _ = x_BTHWP.shape
    x = x_BTHWP.reshape(b, t, h, w, -1, patch, patch)
    return x.transpose(0, 1, 2, 6, 3, 5, 4).reshape(b, t, h * patch, w * patch, -1)
