"""Linear layers."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero


def linear(
    inputs: int, outputs: int, *, rngs: nnx.Rngs, dtype, zero: bool = False, bias: bool = True
) -> nnx.Linear:
    """A linear layer with float32 parameters that computes in `dtype`."""
    init = nnx.initializers.zeros_init() if zero else nnx.initializers.xavier_uniform()
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=bias,
        kernel_init=init,
        dtype=dtype,
        dot_general=_dot_general,
        rngs=rngs,
    )


def _dot_general(x, kernel_IO, dimension_numbers, *, precision=None, out_sharding=None):
    """`nnx.Linear` gives the same of these always: they are not looked at."""
    del dimension_numbers, precision, out_sharding
    return _product(x, kernel_IO)


@jax.custom_vjp
def _product(x, kernel_IO):
    """x @ kernel, whose kernel's gradient is laid out as the kernel is.

    Autodiff makes the transpose of it, for which the CPU compiler computes the incoming gradient a
    second time, transposed: a backward pass took 1.7 times as long.
    """
    return jnp.einsum("...i,io->...o", x, kernel_IO)


def _forward(x: CustomVJPPrimal, kernel_IO: CustomVJPPrimal):
    # Only what a gradient is asked of has the other one kept: a frozen base keeps no tokens.
    kept = (x.value if kernel_IO.perturbed else None, kernel_IO.value if x.perturbed else None)
    return _product(x.value, kernel_IO.value), kept


def _backward(kept, grad):
    x, kernel_IO = kept
    if isinstance(grad, SymbolicZero):
        return None, None
    of_x = None if kernel_IO is None else jnp.einsum("...o,io->...i", grad, kernel_IO)
    if x is None:
        return of_x, None
    # What is contracted along one first axis, a CPU does not copy. Elsewhere, tokens that are laid
    # out over a mesh would have to move for that.
    of_kernel_IO = jax.lax.platform_dependent(
        x,
        grad,
        cpu=lambda x, grad: jnp.einsum("ti,to->io", *map(_flat, (x, grad))),
        default=lambda x, grad: jnp.einsum("...i,...o->io", x, grad),
    )
    return of_x, of_kernel_IO


def _flat(x):
    return x.reshape(-1, x.shape[-1])


_product.defvjp(_forward, _backward, symbolic_zeros=True)
