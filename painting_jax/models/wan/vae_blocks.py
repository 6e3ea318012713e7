"""The layers of Wan's video autoencoders (arXiv 2503.20314).

Names and maths follow diffusers' `AutoencoderKLWan`, so that the published weights fit. Modules
take a chunk of a video, and those with convolutions over time the `Past` of the previous chunks.

Shapes: B batch, T frames, H W height and width, C channels, D a block's width.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models.wan.causal_conv import CausalConv, Past

_ZEROS = nnx.initializers.zeros_init()


def pointwise(inputs: int, outputs: int, *, dtype) -> nnx.Linear:
    """A 1x1 convolution; like all kernels here, the kernel is zero until it is loaded."""
    return nnx.Linear(inputs, outputs, kernel_init=_ZEROS, dtype=dtype, rngs=nnx.Rngs(0))


def picture_conv(inputs: int, outputs: int, *, dtype, **options) -> nnx.Conv:
    """A 3x3 convolution of each frame."""
    return nnx.Conv(
        inputs, outputs, (3, 3), kernel_init=_ZEROS, dtype=dtype, rngs=nnx.Rngs(0), **options
    )


class RMSNorm(nnx.Module):
    """x / |x| sqrt(C) gamma over the channels, computed in float32, returned in x's dtype."""

    def __init__(self, channels: int):
        self.gamma = nnx.Param(jnp.ones(channels))

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        y = x.astype(jnp.float32)
        power = jnp.square(y).mean(-1, keepdims=True)
        return (y * jax.lax.rsqrt(jnp.maximum(power, 1e-24)) * self.gamma[...]).astype(x.dtype)


class ResidualBlock(nnx.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1 convolution of x if widths differ."""

    def __init__(self, inputs: int, dim: int, *, dtype):
        self.norm1 = RMSNorm(inputs)
        self.conv1 = CausalConv(inputs, dim, dtype=dtype)
        self.norm2 = RMSNorm(dim)
        self.conv2 = CausalConv(dim, dim, dtype=dtype)
        self.conv_shortcut = None if inputs == dim else pointwise(inputs, dim, dtype=dtype)

    def __call__(self, x_BTHWC: Float[Array, "b t h w c"], past: Past) -> Float[Array, "b t h w d"]:
        shortcut = x_BTHWC if self.conv_shortcut is None else self.conv_shortcut(x_BTHWC)
        x_BTHWD = self.conv1(jax.nn.silu(self.norm1(x_BTHWC)), past)
        return shortcut + self.conv2(jax.nn.silu(self.norm2(x_BTHWD)), past)


class AttentionBlock(nnx.Module):
    """Self-attention with one head between the positions of each frame."""

    def __init__(self, dim: int, *, dtype):
        self.norm = RMSNorm(dim)
        self.to_qkv = pointwise(dim, 3 * dim, dtype=dtype)
        self.proj = pointwise(dim, dim, dtype=dtype)

    def __call__(self, x_BTHWD: Float[Array, "b t h w d"]) -> Float[Array, "b t h w d"]:
        batch, frames, *_, dim = x_BTHWD.shape
        qkv = self.to_qkv(self.norm(x_BTHWD)).reshape(batch * frames, -1, 1, 3 * dim)
        out = jax.nn.dot_product_attention(*jnp.split(qkv, 3, axis=-1))
        return x_BTHWD + self.proj(out.reshape(x_BTHWD.shape))


class MidBlock(nnx.Module):
    """A residual block, attention, a residual block."""

    def __init__(self, dim: int, *, dtype):
        self.attentions = nnx.List([AttentionBlock(dim, dtype=dtype)])
        self.resnets = nnx.List([ResidualBlock(dim, dim, dtype=dtype) for _ in range(2)])

    def __call__(self, x_BTHWD: Float[Array, "b t h w d"], past: Past) -> Float[Array, "b t h w d"]:
        x_BTHWD = self.attentions[0](self.resnets[0](x_BTHWD, past))
        return self.resnets[1](x_BTHWD, past)


class Downsample(nnx.Module):
    """Halves height and width, and if `temporal` the number of frames after the first."""

    def __init__(self, dim: int, *, temporal: bool, dtype):
        self.resample = picture_conv(dim, dim, strides=2, padding=((0, 1), (0, 1)), dtype=dtype)
        self.time_conv = (
            CausalConv(dim, dim, (3, 1, 1), stride=2, dtype=dtype) if temporal else None
        )

    def __call__(
        self, x_BTHWD: Float[Array, "b t h w d"], past: Past
    ) -> Float[Array, "b t2 h2 w2 d"]:
        x_BTHWD = self.resample(x_BTHWD)
        if self.time_conv is None:
            return x_BTHWD
        if past.first:
            self.time_conv.skip(x_BTHWD, past, seen=True)
            return x_BTHWD
        return self.time_conv(x_BTHWD, past)


class Upsample(nnx.Module):
    """Doubles height and width, and if `temporal` the number of frames after the first."""

    def __init__(self, dim: int, outputs: int, *, temporal: bool, dtype):
        self.time_conv = CausalConv(dim, 2 * dim, (3, 1, 1), dtype=dtype) if temporal else None
        self.resample = picture_conv(dim, outputs, dtype=dtype)

    def __call__(
        self, x_BTHWD: Float[Array, "b t h w d"], past: Past
    ) -> Float[Array, "b t2 h2 w2 o"]:
        if self.time_conv is not None:
            if past.first:
                self.time_conv.skip(x_BTHWD, past, seen=False)
            else:
                x_BTHWD = self._twice_the_frames(x_BTHWD, past)
        return self.resample(x_BTHWD.repeat(2, axis=2).repeat(2, axis=3))

    def _twice_the_frames(self, x_BTHWD, past) -> Float[Array, "b t2 h w d"]:
        batch, frames, *picture = x_BTHWD.shape
        x_BTHW2D = self.time_conv(x_BTHWD, past).reshape(batch, frames, *picture[:2], 2, -1)
        return jnp.moveaxis(x_BTHW2D, 4, 2).reshape(batch, 2 * frames, *picture)


class DownBlock(nnx.Module):
    """Wan2.2: residual blocks and downsampling, with a shortcut of averages around them."""

    def __init__(self, inputs: int, dim: int, depth: int, *, halve, temporal: bool, dtype):
        self.dim, self.factors = dim, (1 + temporal, 1 + halve)
        self.resnets = nnx.List(
            [ResidualBlock(inputs if i == 0 else dim, dim, dtype=dtype) for i in range(depth)]
        )
        self.downsampler = Downsample(dim, temporal=temporal, dtype=dtype) if halve else None

    def __call__(
        self, x_BTHWC: Float[Array, "b t h w c"], past: Past
    ) -> Float[Array, "b t2 h2 w2 d"]:
        shortcut = pooled(x_BTHWC, self.dim, *self.factors)
        for resnet in self.resnets:
            x_BTHWC = resnet(x_BTHWC, past)
        if self.downsampler is not None:
            x_BTHWC = self.downsampler(x_BTHWC, past)
        return x_BTHWC + shortcut


class UpBlock(nnx.Module):
    """Residual blocks and upsampling; in Wan2.2 with a shortcut of copies around them.

    Args:
      inputs: C.
      dim: D, width of the residual blocks.
      depth: number of residual blocks.
      double: whether height and width double, and with `temporal` the number of frames.
      temporal: whether the number of frames doubles.
      residual: whether there is a shortcut and the upsampling keeps D channels, as in Wan2.2. In
        Wan2.1 the upsampling halves the channels.
      dtype: dtype of the computation.
    """

    def __init__(self, inputs, dim, depth, *, double, temporal, residual, dtype):
        self.dim, self.factors = dim, (1 + temporal, 1 + double)
        self.residual = residual and double
        self.resnets = nnx.List(
            [ResidualBlock(inputs if i == 0 else dim, dim, dtype=dtype) for i in range(depth)]
        )
        outputs = dim if residual else dim // 2
        self.upsampler = Upsample(dim, outputs, temporal=temporal, dtype=dtype) if double else None

    def __call__(
        self, x_BTHWC: Float[Array, "b t h w c"], past: Past
    ) -> Float[Array, "b t2 h2 w2 o"]:
        shortcut_BTHWC = x_BTHWC
        for resnet in self.resnets:
            x_BTHWC = resnet(x_BTHWC, past)
        if self.upsampler is not None:
            x_BTHWC = self.upsampler(x_BTHWC, past)
        if self.residual:
            copies = repeated(shortcut_BTHWC, self.dim, *self.factors)
            # The first frame stays one frame, the last of its copies.
            x_BTHWC = x_BTHWC + copies[:, -x_BTHWC.shape[1] :]
        return x_BTHWC


def pooled(
    x_BTHWC: Float[Array, "b t h w c"], outputs: int, time: int, space: int
) -> Float[Array, "b t2 h2 w2 o"]:
    """Moves `time` frames and `space` x `space` pixels into channels, averaged to `outputs`.

    Zeros precede the frames if their number does not divide.
    """
    x_BTHWC = jnp.pad(x_BTHWC, ((0, 0), (-x_BTHWC.shape[1] % time, 0), (0, 0), (0, 0), (0, 0)))
    b, t, h, w, c = x_BTHWC.shape
    x = x_BTHWC.reshape(b, t // time, time, h // space, space, w // space, space, c)
    x = x.transpose(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(*x.shape[:4], outputs, -1).mean(-1)


def repeated(
    x_BTHWC: Float[Array, "b t h w c"], outputs: int, time: int, space: int
) -> Float[Array, "b t2 h2 w2 o"]:
    """Repeats channels, then moves them to `time` frames and `space` x `space` pixels."""
    b, t, h, w, c = x_BTHWC.shape
    copies = outputs * time * space * space // c
    x = x_BTHWC.repeat(copies, axis=-1).reshape(b, t, h, w, outputs, time, space, space)
    x = x.transpose(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(b, t * time, h * space, w * space, outputs)
