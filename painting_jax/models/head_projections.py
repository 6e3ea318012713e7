"""Linear layers into and out of the heads of an attention.

TPUs keep the channels of a head together for all tokens, since attention reads them so. Here the
heads are an axis of the product itself, which then reads or writes that order. A reshape before or
after a product copies all tokens.

Shapes: B batch, S tokens, D width, N heads, K head width, R rank of an adapter.
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu
from painting_jax.models.quantised_kernel import multiplied


def to_heads(
    layer: nnx.Module, x_BSD: Float[Array, "b s d"], heads: int
) -> Float[Array, "b s n k"]:
    """A linear layer whose outputs are the channels of the heads.

    Args:
      layer: a linear layer, with or without an adapter (`lora.AdaptedLinear`).
      x_BSD: tokens.
      heads: N.
    """
    if fast_on_cpu.enabled():
        return layer(x_BSD).reshape(*x_BSD.shape[:2], heads, -1)
    dtype = layer.dtype or x_BSD.dtype
    x_BSD = x_BSD.astype(dtype)

    def product(x_BSI, kernel_IO):
        kernel_INK = kernel_IO.reshape(len(kernel_IO), heads, -1)
        return jnp.einsum("bsi,ink->bsnk", x_BSI, kernel_INK)

    y_BSNK = multiplied(product, x_BSD, layer.kernel.get_value(), dtype)
    if _is_adapted(layer):
        a_IR, b_RO = layer.lora_a[...].astype(dtype), layer.lora_b[...].astype(dtype)
        y_BSNK += product(x_BSD @ a_IR, b_RO)
    for bias_O in _biases(layer):
        y_BSNK += bias_O.astype(dtype).reshape(heads, -1)
    return y_BSNK


def from_heads(layer: nnx.Module, x_BSNK: Float[Array, "b s n k"]) -> Float[Array, "b s d"]:
    """A linear layer whose inputs are the channels of the heads.

    Args:
      layer: a linear layer, with or without an adapter (`lora.AdaptedLinear`).
      x_BSNK: channels of the heads.
    """
    if fast_on_cpu.enabled():
        return layer(x_BSNK.reshape(*x_BSNK.shape[:2], -1))
    dtype = layer.dtype or x_BSNK.dtype
    x_BSNK = x_BSNK.astype(dtype)

    def product(x_BSNK, kernel_IO):
        kernel_NKO = kernel_IO.reshape(*x_BSNK.shape[2:], -1)
        return jnp.einsum("bsnk,nko->bso", x_BSNK, kernel_NKO)

    y_BSD = multiplied(product, x_BSNK, layer.kernel.get_value(), dtype)
    if _is_adapted(layer):
        a_IR, b_RO = layer.lora_a[...].astype(dtype), layer.lora_b[...].astype(dtype)
        y_BSD += product(x_BSNK, a_IR) @ b_RO
    for bias_O in _biases(layer):
        y_BSD += bias_O.astype(dtype)
    return y_BSD


def _is_adapted(layer: nnx.Module) -> bool:
    return hasattr(layer, "lora_a")


def _biases(layer: nnx.Module) -> list[Float[Array, " o"]]:
    biases = [layer.bias, getattr(layer, "lora_bias", None)]
    return [bias[...] for bias in biases if bias is not None]
