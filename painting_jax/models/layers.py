"""Layers that several models share: linear layers, normalisation, modulation, patches, stacks.

Shapes: B batch, T frames, F frames that a modulation tells apart (T or 1), S tokens, D width.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu

_EPS = 1e-6


def linear(
    inputs: int, outputs: int, *, rngs: nnx.Rngs, dtype, zero: bool = False, bias: bool = True
) -> nnx.Linear:
    """A linear layer with float32 parameters that computes in `dtype`.

    Args:
      inputs: channels in.
      outputs: channels out.
      rngs: random numbers for the initial kernel.
      dtype: dtype of the computation.
      zero: whether the kernel starts at zero.
      bias: whether the layer has a bias.
    """
    init = nnx.initializers.zeros_init() if zero else nnx.initializers.xavier_uniform()
    options = {"dot_general": fast_on_cpu.dot_general} if fast_on_cpu.enabled() else {}
    return nnx.Linear(
        inputs, outputs, use_bias=bias, kernel_init=init, dtype=dtype, rngs=rngs, **options
    )


class EmbeddingMLP(nnx.Module):
    """linear, activation, linear: diffusers' TimestepEmbedding and PixArtAlphaTextProjection."""

    def __init__(self, inputs: int, dim: int, activation, *, rngs, dtype, zero: bool = False):
        self.linear_1 = linear(inputs, dim, rngs=rngs, dtype=dtype)
        self.linear_2 = linear(dim, dim, rngs=rngs, dtype=dtype, zero=zero)
        self.activation = activation

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b d"]:
        return self.linear_2(self.activation(self.linear_1(x)))


def stack(block: type[nnx.Module], config, *, rngs: nnx.Rngs, dtype, **settings) -> nnx.Module:
    """`config.layers` blocks as one module, whose parameters have a first axis of that length."""

    @nnx.split_rngs(splits=config.layers)
    @nnx.vmap(in_axes=(0,), out_axes=0)
    def make(rngs):
        return block(config, rngs=rngs, dtype=dtype, **settings)

    return make(rngs)


def layer_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Layer normalisation without parameters, in float32."""
    x = x.astype(jnp.float32)
    if fast_on_cpu.enabled():
        return fast_on_cpu.layer_norm(x, _EPS)
    return rms_norm(x - x.mean(-1, keepdims=True))


def rms_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Division by the root mean square of the channels, in float32."""
    x = x.astype(jnp.float32)
    if fast_on_cpu.enabled():
        return fast_on_cpu.rms_norm(x, _EPS)
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + _EPS)


class RMSNorm(nnx.Module):
    """`rms_norm`, then a learned scale per channel: diffusers' RMSNorm.

    Computed in float32, and returned in the dtype of the input.
    """

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))

    def __call__(self, x: Float[Array, "*b s d"]) -> Float[Array, "*b s d"]:
        return _scaled(rms_norm(x), self.scale[...]).astype(x.dtype)

    def of_heads(self, x_BSNK: Float[Array, "b s n k"]) -> Float[Array, "b s n k"]:
        """The same for channels that are split into heads, over all heads at once."""
        if fast_on_cpu.enabled():
            return self(x_BSNK.reshape(*x_BSNK.shape[:2], -1)).reshape(x_BSNK.shape)
        x = x_BSNK.astype(jnp.float32)
        mean_square = jnp.square(x).mean((-2, -1), keepdims=True)
        scale_NK = self.scale[...].reshape(x.shape[2:])
        return (x * jax.lax.rsqrt(mean_square + _EPS) * scale_NK).astype(x_BSNK.dtype)


class LayerNorm(nnx.Module):
    """`layer_norm`, then a learned scale and shift per channel: diffusers' FP32LayerNorm.

    Computed in float32, and returned in the dtype of the input.
    """

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))
        self.bias = nnx.Param(jnp.zeros(dim))

    def __call__(self, x: Float[Array, "*b s d"]) -> Float[Array, "*b s d"]:
        return _shifted(_scaled(layer_norm(x), self.scale[...]), self.bias[...]).astype(x.dtype)


def modulate(
    x_BSD: Float[Array, "b s d"], shift_BFD: Float[Array, "b f d"], scale_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x (1 + scale) + shift, with one shift and scale per sample (F = 1) or per frame (F = T)."""
    scaled_BFPD = _scaled(_by_frame(x_BSD, shift_BFD.shape[1]), 1 + scale_BFD)
    return _shifted(scaled_BFPD, shift_BFD).reshape(x_BSD.shape)


def gated(
    x_BSD: Float[Array, "b s d"], update_BSD: Float[Array, "b s d"], gate_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x + gate * update, computed in float32 and returned in x's dtype."""
    update_BFPD = _by_frame(update_BSD.astype(jnp.float32), gate_BFD.shape[1])
    update_BSD = _scaled(update_BFPD, gate_BFD).reshape(x_BSD.shape)
    return (x_BSD.astype(jnp.float32) + update_BSD).astype(x_BSD.dtype)


def _by_frame(x_BSD: Float[Array, "b s d"], frames: int) -> Float[Array, "b f p d"]:
    """Groups the tokens by the frames that a modulation tells apart."""
    return x_BSD.reshape(x_BSD.shape[0], frames, -1, x_BSD.shape[-1])


def _scaled(x: Float[Array, "*b p d"], scale: Float[Array, "*c d"]) -> Float[Array, "*b p d"]:
    """x scale, with the same scale for all P tokens."""
    if fast_on_cpu.enabled():
        return fast_on_cpu.scaled(x, scale)
    return x * scale[..., None, :]


def _shifted(x: Float[Array, "*b p d"], shift: Float[Array, "*c d"]) -> Float[Array, "*b p d"]:
    """x + shift, with the same shift for all P tokens."""
    if fast_on_cpu.enabled():
        return fast_on_cpu.shifted(x, shift)
    return x + shift[..., None, :]


def patchify(
    x_BTHWC: Float[Array, "b t h w c"], patch: tuple[int, int, int]
) -> Float[Array, "b t2 h2 w2 p"]:
    """Cuts a video into patches: the channels of a patch's pixels side by side, channel last."""
    (pt, ph, pw), (b, t, h, w, c) = patch, x_BTHWC.shape
    x = x_BTHWC.reshape(b, t // pt, pt, h // ph, ph, w // pw, pw, c)
    return x.transpose(0, 1, 3, 5, 2, 4, 6, 7).reshape(b, t // pt, h // ph, w // pw, -1)


def unpatchify(
    x_BthwP: Float[Array, "b t2 h2 w2 p"], patch: tuple[int, int, int]
) -> Float[Array, "b t h w c"]:
    """The inverse of `patchify`."""
    (pt, ph, pw), (b, t, h, w, p) = patch, x_BthwP.shape
    x = x_BthwP.reshape(b, t, h, w, pt, ph, pw, p // (pt * ph * pw))
    return x.transpose(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, t * pt, h * ph, w * pw, -1)


# Standard deviation in pixels from which a blur is made of averaged pixels.
_COARSE = 3.0


def gaussian_blur(picture_BHWC: Float[Array, "b h w c"], sigma: float) -> Float[Array, "b h w c"]:
    """Blurs by `sigma` pixels in two passes; edges are repeated, the kernel is cut at 3 sigma.

    Above twice `_COARSE` pixels, it blurs the means of blocks and interpolates between them, which
    costs the same for any sigma.
    """
    block = int(sigma / _COARSE)
    if block > 1:
        return _blurred_coarsely(picture_BHWC, sigma, block)
    radius = max(1, round(3 * sigma))
    kernel = jax.nn.softmax(-jnp.square(jnp.arange(-radius, radius + 1) / sigma) / 2)

    def along(x, axis):
        pad = [(0, 0)] * x.ndim
        pad[axis] = (radius, radius)
        padded = jnp.pad(x, pad, mode="edge")
        size = x.shape[axis]
        return sum(
            kernel[i] * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
            for i in range(2 * radius + 1)
        )

    return along(along(picture_BHWC, 1), 2)


def _blurred_coarsely(
    picture_BHWC: Float[Array, "b h w c"], sigma: float, block: int
) -> Float[Array, "b h w c"]:
    """`gaussian_blur` of the means of blocks of so many pixels, enlarged by interpolation."""
    b, height, width, c = picture_BHWC.shape
    # As far as the kernel reaches, edges are repeated before pixels are averaged.
    before = block * math.ceil(3 * sigma / block)
    after = (before + -height % block, before + -width % block)
    pad = [(0, 0), (before, after[0]), (before, after[1]), (0, 0)]
    x = jnp.pad(picture_BHWC, pad, mode="edge")
    rows, columns = x.shape[1] // block, x.shape[2] // block
    x = x.reshape(b, rows, block, columns, block, c).mean((2, 4))
    # A box of so many pixels has a variance of a twelfth of its square, and linear interpolation
    # between their centres adds a sixth.
    x = gaussian_blur(x, ((sigma / block) ** 2 - 1 / 4) ** 0.5)
    # Half a block beyond the picture is all that the interpolation needs.
    edge = before // block - 1
    x = x[:, edge : rows - edge, edge : columns - edge]
    x = jax.image.resize(x, (b, block * x.shape[1], block * x.shape[2], c), "linear")
    return x[:, block : block + height, block : block + width]
