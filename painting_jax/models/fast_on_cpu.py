"""Faster code for CPUs, and what each piece brings.

The rest of the package is written plainly, and TPUs and GPUs compile that plain code. Where XLA's
CPU compiler is slow at it, the plain code asks `enabled()` and calls a function of this module
instead. Both give the same numbers up to rounding.

Each figure is the time without a piece over the time with it: CPU time on two cores of a Xeon,
median of alternating runs, with the models of `benchmarks/`.

  linear layers (`dot_general`)              1.1   Wan transformer, forward and backward
  normalisation (`layer_norm` ... `shifted`) 1.1   Wan transformer, forward and backward
  both together                              1.2   Wan transformer, forward and backward
  attention (`in_halves`)                    1.13  DINOv2 ViT-S/14, 16 pictures
  vision transformers (`patch_conv`,         1.07  CLIP ViT-B/32, 16 pictures
    `along_one_axis`, `unstacked`) together  1.12  CLIP ViT-B/32, 8 pictures
  convolutions over time (`causal_conv`)     1.7   Wan's autoencoder, encode
  3x3 convolutions (`winograd`)              1.2   LPIPS with VGG16
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero
from jaxtyping import Array, Float

from painting_jax.sharding.target import target_device


def enabled() -> bool:
    """Whether the functions of this module take the place of the plain code."""
    return target_device().platform == "cpu"


def dot_general(x, kernel_IO, dimension_numbers, *, precision=None, out_sharding=None):
    """x @ kernel, in the place of `jax.lax.dot_general` in `nnx.Linear`.

    The gradient of the kernel is laid out as the kernel is. Autodiff makes the transpose of it, for
    which the CPU compiler computes the incoming gradient a second time, transposed.
    """
    # `nnx.Linear` always passes the same ones.
    del dimension_numbers, precision, out_sharding
    return _product(x, kernel_IO)


@jax.custom_vjp
def _product(x, kernel_IO):
    return jnp.einsum("...i,io->...o", x, kernel_IO)


def _product_forward(x: CustomVJPPrimal, kernel_IO: CustomVJPPrimal):
    # A frozen kernel needs no tokens in the backward pass, and frozen tokens need no kernel.
    kept = (x.value if kernel_IO.perturbed else None, kernel_IO.value if x.perturbed else None)
    return _product(x.value, kernel_IO.value), kept


def _product_backward(kept, grad):
    x, kernel_IO = kept
    if isinstance(grad, SymbolicZero):
        return None, None
    x_grad = None if kernel_IO is None else jnp.einsum("...o,io->...i", grad, kernel_IO)
    if x is None:
        return x_grad, None
    # A contraction along one first axis takes no copies.
    flat = (array.reshape(-1, array.shape[-1]) for array in (x, grad))
    return x_grad, jnp.einsum("ti,to->io", *flat)


_product.defvjp(_product_forward, _product_backward, symbolic_zeros=True)


# Normalisation and modulation. Sums over channels and tokens are products with ones: the compiler
# takes five times as long for a sum of numbers that it computes on the way. Written-out gradients
# make such sums in the backward pass too.


def _channel_mean(x: Float[Array, "*b d"]) -> Float[Array, "*b 1"]:
    return jnp.einsum("...d,d->...", x, jnp.ones(x.shape[-1], x.dtype))[..., None] / x.shape[-1]


def _token_sum(x: Float[Array, "*b p d"], like: Array) -> Array:
    """The sum over tokens, and over the axes along which an array shaped `like` was broadcast."""
    total = jnp.einsum("p,...pd->...d", jnp.ones(x.shape[-2], x.dtype), x)
    return total.reshape(-1, *like.shape).sum(0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def layer_norm(x: Float[Array, "*b d"], eps: float) -> Float[Array, "*b d"]:
    """(x - mean) / sqrt(variance + eps) over the channels."""
    return _layer_norm_forward(x, eps)[0]


def _layer_norm_forward(x, eps):
    return _rms_norm_forward(x - _channel_mean(x), eps)


def _layer_norm_backward(eps, kept, grad):
    del eps
    normed, factor = kept
    along = normed * _channel_mean(grad * normed)
    return (factor * (grad - _channel_mean(grad) - along),)


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def rms_norm(x: Float[Array, "*b d"], eps: float) -> Float[Array, "*b d"]:
    """x / sqrt(mean of x^2 + eps) over the channels."""
    return _rms_norm_forward(x, eps)[0]


def _rms_norm_forward(x, eps):
    factor = jax.lax.rsqrt(_channel_mean(x * x) + eps)
    normed = x * factor
    return normed, (normed, factor)


def _rms_norm_backward(eps, kept, grad):
    del eps
    normed, factor = kept
    return (factor * (grad - normed * _channel_mean(grad * normed)),)


rms_norm.defvjp(_rms_norm_forward, _rms_norm_backward)


@jax.custom_vjp
def scaled(x: Float[Array, "*b p d"], scale: Float[Array, "*c d"]) -> Float[Array, "*b p d"]:
    """x scale, with the same scale for all P tokens."""
    return x * scale[..., None, :]


scaled.defvjp(
    lambda x, scale: (scaled(x, scale), (x, scale)),
    lambda kept, grad: (
        grad * kept[1][..., None, :],
        _token_sum(grad * kept[0], like=kept[1]),
    ),
)


@jax.custom_vjp
def shifted(x: Float[Array, "*b p d"], shift: Float[Array, "*c d"]) -> Float[Array, "*b p d"]:
    """x + shift, with the same shift for all P tokens."""
    return x + shift[..., None, :]


shifted.defvjp(
    lambda x, shift: (shifted(x, shift), shift),
    lambda shift, grad: (grad, _token_sum(grad, like=shift)),
)


def in_halves(
    attend: Callable[[Array, Array, Array], Array],
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
) -> Float[Array, "b n s k"]:
    """Attention of all queries to all keys, in two halves of the queries where that is faster.

    A product of a little more than 256 rows takes twice the time of two products of half the rows.
    Vision transformers have 257 tokens per picture.
    """
    queries = q_BNSK.shape[2]
    halves = jnp.split(q_BNSK, [queries // 2], axis=2) if 256 < queries <= 512 else [q_BNSK]
    return jnp.concatenate([attend(half, k_BNLK, v_BNLK) for half in halves], 2)


def patch_conv(
    x_BHWC: Float[Array, "b h w c"], kernel_PQCD: Float[Array, "p q c d"]
) -> Float[Array, "b h2 w2 d"]:
    """A convolution whose stride is the size of its kernel, as one product of matrices."""
    batch, (p, q) = len(x_BHWC), kernel_PQCD.shape[:2]
    rows, columns = x_BHWC.shape[1] // p, x_BHWC.shape[2] // q
    x_BHWC = x_BHWC[:, : rows * p, : columns * q]
    return jnp.einsum(
        "bhpwqc,pqcd->bhwd", x_BHWC.reshape(batch, rows, p, columns, q, -1), kernel_PQCD
    )


def along_one_axis(
    function: Callable[[Array], Array], x_BLD: Float[Array, "b l d"]
) -> Float[Array, "b l d"]:
    """`function` of the tokens of all pictures along one axis.

    The compiler fuses what follows a product of matrices better than what follows a product of
    larger arrays.
    """
    return function(x_BLD.reshape(-1, x_BLD.shape[-1])).reshape(x_BLD.shape)


def unstacked(block: Callable[[int], nnx.Module], layers: int) -> nnx.List:
    """Blocks with parameters of their own.

    A scan over stacked blocks copies the parameters of each block out of the stack. Without a scan,
    compile time grows with depth.
    """
    return nnx.List(block(index) for index in range(layers))


def causal_conv(
    x_BTHWI: Float[Array, "b t h w i"], kernel_KRSIO: Float[Array, "k r s i o"], stride: int
) -> Float[Array, "b t2 h w o"]:
    """`wan.causal_conv.causal_conv` as the sum of K 2D convolutions, one for each tap in time."""
    batch, frames, *picture = x_BTHWI.shape
    span = frames - len(kernel_KRSIO) + 1  # from the first to the last frame under one tap

    def tap(k: int) -> Float[Array, "n h w o"]:
        under_BTHWI = x_BTHWI[:, k : k + span : stride]
        return jax.lax.conv_general_dilated(
            under_BTHWI.reshape(-1, *picture),
            kernel_KRSIO[k],
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    y_NHWO = sum(tap(k) for k in range(len(kernel_KRSIO)))
    return y_NHWO.reshape(batch, -1, *y_NHWO.shape[1:])


# Winograd's minimal filtering, F(2x2, 3x3) in Lavin & Gray (arXiv 1509.09308). A tile of 2x2
# outputs takes 16 products of transformed pixels and weights instead of 36. Larger tiles would save
# more and cost a digit of a metric. These are the rows of the transforms, as their non-zero terms:
# (index, weight).
_PIXELS = (
    ((0, 1.0), (2, -1.0)),
    ((1, 1.0), (2, 1.0)),
    ((1, -1.0), (2, 1.0)),
    ((1, 1.0), (3, -1.0)),
)
_WEIGHTS = (
    ((0, 1.0),),
    ((0, 0.5), (1, 0.5), (2, 0.5)),
    ((0, 0.5), (1, -0.5), (2, 0.5)),
    ((2, 1.0),),
)
_OUTPUTS = (
    ((0, 1.0), (1, 1.0), (2, 1.0)),
    ((1, 1.0), (2, -1.0), (3, -1.0)),
)


def winograd_pays(kernel_HWIO: Float[Array, "3 3 c d"]) -> bool:
    """Whether `winograd` is faster: narrow layers spend more on the transforms than they save."""
    return kernel_HWIO.shape[2] * kernel_HWIO.shape[3] >= 64 * 128


def winograd(
    x_NHWC: Float[Array, "n h w c"], kernel_HWIO: Float[Array, "3 3 c d"]
) -> Float[Array, "n h w d"]:
    """A 3x3 convolution with stride 1 over pictures padded with zeros, by 2x2 tiles, in float32."""
    n, height, width, _ = x_NHWC.shape
    rows, columns = -(-height // 2), -(-width // 2)
    x = jnp.pad(x_NHWC, ((0, 0), (1, 2 * rows - height + 1), (1, 2 * columns - width + 1), (0, 0)))
    # One direction after the other, and all 16 products as one: there is little to compile.
    x = _transformed(_PIXELS, [x[:, i : i + 2 * rows - 1 : 2] for i in range(4)])
    x = _transformed(_PIXELS, [x[:, :, :, j : j + 2 * columns - 1 : 2] for j in range(4)])
    weights = _transformed(_WEIGHTS, list(kernel_HWIO))
    weights = _transformed(_WEIGHTS, [weights[:, j] for j in range(3)])
    products = jnp.einsum(
        "jitc,jicd->jitd",
        x.reshape(4, 4, n * rows * columns, -1),
        weights,
        precision=jax.lax.Precision.HIGHEST,
    )
    out = _transformed(_OUTPUTS, list(products))
    out = _transformed(_OUTPUTS, [out[:, i] for i in range(4)])  # [2 down, 2 across, tiles, d]
    out = out.reshape(2, 2, n, rows, columns, -1).transpose(2, 3, 0, 4, 1, 5)
    return out.reshape(n, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _transformed(transform, parts: Sequence[jax.Array]) -> jax.Array:
    """Sums of weighted parts, along a new first axis; not fused with what comes next."""
    sums = [sum(weight * parts[index] for index, weight in terms) for terms in transform]
    return jax.lax.optimization_barrier(jnp.stack(sums))
