"""Frozen kernels in int8, with a float32 scale per output channel and per layer of a stack.

They are weights alone: a product turns its kernel into the dtype it computes in. Nothing else is
rounded, and no gradient reaches them.

Shapes: L layers of a scanned stack, I inputs and O outputs of a linear layer.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import qwix
from jaxtyping import Array, Float


def quantised(kernel: Float[Array, "*l i o"]) -> qwix.QArray:
    """The nearest kernel in int8; its scale is float32[*L, 1, O]."""
    inputs = kernel.ndim - 2
    others = [axis for axis in range(kernel.ndim) if axis != inputs]
    return qwix.quantize(kernel.astype(jnp.float32), jnp.int8, channelwise_axes=others)


def multiplied(
    product: Callable, x: Array, kernel: Float[Array, "i o"] | qwix.QArray, dtype
) -> Array:
    """The product with a kernel that may be quantised.

    Args:
      product: function of `x` and of the kernel as an array of `dtype`.
      x: its first argument.
      kernel: the kernel of one layer.
      dtype: dtype of the computation.
    """
    if not isinstance(kernel, qwix.QArray):
        return product(x, kernel.astype(dtype))

    # The backward pass makes the kernel again. Else a scan would keep those of all layers for it.
    def again(x, kernel):
        return product(x, qwix.dequantize(kernel).astype(dtype))

    return jax.checkpoint(again, prevent_cse=False)(x, kernel)
