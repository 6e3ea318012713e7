"""Normalisation and modulation of tokens, in float32.

Products and sums over channels or tokens are written as einsums. Forward they are what they look
like, but backward they become dot products rather than reductions of fused expressions, at which
the CPU compiler is slow: the backward pass of these functions takes a third of the time.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

_EPS = 1e-6

# Nothing here is large enough to be worth the matrix units' rounding.
_einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


def layer_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Layer normalisation without parameters."""
    x = x.astype(jnp.float32)
    return rms_norm(x - x.mean(-1, keepdims=True))


def rms_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Division by the root mean square of the channels."""
    x = x.astype(jnp.float32)
    mean_square = _einsum("...d,...d->...", x, x) / x.shape[-1]
    return _einsum("...d,...->...d", x, jax.lax.rsqrt(mean_square + _EPS))


class RMSNorm(nnx.Module):
    """`rms_norm`, then a learned scale a channel; diffusers' RMSNorm."""

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))

    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        return _einsum("...d,d->...d", rms_norm(x), self.scale[...])


class LayerNorm(nnx.Module):
    """`layer_norm`, then a learned scale and shift a channel; diffusers' FP32LayerNorm."""

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))
        self.bias = nnx.Param(jnp.zeros(dim))

    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        return _einsum("...d,d->...d", layer_norm(x), self.scale[...]) + self.bias[...]


def modulate(
    x_BSD: Float[Array, "b s d"], shift_BFD: Float[Array, "b f d"], scale_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x (1 + scale) + shift, with one shift and scale a sample (F = 1) or a frame."""
    scaled_BFPD = _einsum("bfpd,bfd->bfpd", _by_frame(x_BSD, shift_BFD.shape[1]), 1 + scale_BFD)
    return (scaled_BFPD + shift_BFD[:, :, None]).reshape(x_BSD.shape)


def gated(
    x_BSD: Float[Array, "b s d"], update_BSD: Float[Array, "b s d"], gate_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x + gate * update, returned in x's dtype."""
    update_BFPD = _by_frame(update_BSD.astype(jnp.float32), gate_BFD.shape[1])
    update_BSD = _einsum("bfpd,bfd->bfpd", update_BFPD, gate_BFD).reshape(x_BSD.shape)
    return (x_BSD.astype(jnp.float32) + update_BSD).astype(x_BSD.dtype)


def _by_frame(x_BSD: Float[Array, "b s d"], frames: int) -> Float[Array, "b f p d"]:
    """Groups tokens by the frames that a modulation tells apart."""
    return x_BSD.reshape(x_BSD.shape[0], frames, -1, x_BSD.shape[-1])
