"""Normalisation and modulation of tokens, in float32.

Their gradients are written out: they need less kept than autodiff keeps, and all their sums are
over channels or tokens, for which a CPU has a faster way (`_channel_mean`, `_token_sum`).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

_EPS = 1e-6


def layer_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Layer normalisation without parameters."""
    return _layer_norm(x.astype(jnp.float32))


def rms_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Division by the root mean square of the channels."""
    return _rms_norm(x.astype(jnp.float32))


class RMSNorm(nnx.Module):
    """`rms_norm`, then a learned scale a channel; diffusers' RMSNorm."""

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))

    def __call__(self, x: Float[Array, "*b s d"]) -> Float[Array, "*b s d"]:
        return _scaled(rms_norm(x), self.scale[...])


class LayerNorm(nnx.Module):
    """`layer_norm`, then a learned scale and shift a channel; diffusers' FP32LayerNorm."""

    def __init__(self, dim: int):
        self.scale = nnx.Param(jnp.ones(dim))
        self.bias = nnx.Param(jnp.zeros(dim))

    def __call__(self, x: Float[Array, "*b s d"]) -> Float[Array, "*b s d"]:
        return _shifted(_scaled(layer_norm(x), self.scale[...]), self.bias[...])


def modulate(
    x_BSD: Float[Array, "b s d"], shift_BFD: Float[Array, "b f d"], scale_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x (1 + scale) + shift, with one shift and scale a sample (F = 1) or a frame."""
    scaled_BFPD = _scaled(_by_frame(x_BSD, shift_BFD.shape[1]), 1 + scale_BFD)
    return _shifted(scaled_BFPD, shift_BFD).reshape(x_BSD.shape)


def gated(
    x_BSD: Float[Array, "b s d"], update_BSD: Float[Array, "b s d"], gate_BFD: Float[Array, "b f d"]
) -> Float[Array, "b s d"]:
    """x + gate * update, returned in x's dtype."""
    update_BFPD = _by_frame(update_BSD.astype(jnp.float32), gate_BFD.shape[1])
    update_BSD = _scaled(update_BFPD, gate_BFD).reshape(x_BSD.shape)
    return (x_BSD.astype(jnp.float32) + update_BSD).astype(x_BSD.dtype)


def _by_frame(x_BSD: Float[Array, "b s d"], frames: int) -> Float[Array, "b f p d"]:
    """Groups tokens by the frames that a modulation tells apart."""
    return x_BSD.reshape(x_BSD.shape[0], frames, -1, x_BSD.shape[-1])


def _channel_mean(x: Float[Array, "*b d"]) -> Float[Array, "*b 1"]:
    """The mean of the channels.

    On a CPU it is a product with ones, in a fifth of the time that its compiler takes for sums of
    what it has to compute on the way.
    """

    def product(x):
        ones_D = jnp.ones(x.shape[-1], x.dtype)
        return jnp.einsum("...d,d->...", x, ones_D)

    total = jax.lax.platform_dependent(x, cpu=product, default=lambda x: x.sum(-1))
    return total[..., None] / x.shape[-1]


def _token_sum(x: Float[Array, "*b p d"], like: Array) -> Array:
    """The sum over tokens, and over whatever else an array of the shape `like` was spread over."""

    def product(x):
        ones_P = jnp.ones(x.shape[-2], x.dtype)
        return jnp.einsum("p,...pd->...d", ones_P, x)

    total = jax.lax.platform_dependent(x, cpu=product, default=lambda x: x.sum(-2))
    return total.reshape(-1, *like.shape).sum(0)


@jax.custom_vjp
def _layer_norm(x):
    return _layer_norm_forward(x)[0]


def _layer_norm_forward(x):
    return _rms_norm_forward(x - _channel_mean(x))


def _layer_norm_backward(result, grad):
    normed, factor = result
    along = normed * _channel_mean(grad * normed)
    return (factor * (grad - _channel_mean(grad) - along),)


_layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


@jax.custom_vjp
def _rms_norm(x):
    return _rms_norm_forward(x)[0]


def _rms_norm_forward(x):
    factor = jax.lax.rsqrt(_channel_mean(x * x) + _EPS)
    normed = x * factor
    return normed, (normed, factor)


def _rms_norm_backward(result, grad):
    normed, factor = result
    return (factor * (grad - normed * _channel_mean(grad * normed)),)


_rms_norm.defvjp(_rms_norm_forward, _rms_norm_backward)


@jax.custom_vjp
def _scaled(x, scale):
    """x scale, with the scale's channels for all tokens."""
    return x * scale[..., None, :]


_scaled.defvjp(
    lambda x, scale: (_scaled(x, scale), (x, scale)),
    lambda given, grad: (
        grad * given[1][..., None, :],
        _token_sum(grad * given[0], like=given[1]),
    ),
)


@jax.custom_vjp
def _shifted(x, shift):
    """x + shift, with the shift's channels for all tokens."""
    return x + shift[..., None, :]


_shifted.defvjp(
    lambda x, shift: (_shifted(x, shift), shift),
    lambda shift, grad: (grad, _token_sum(grad, like=shift)),
)
