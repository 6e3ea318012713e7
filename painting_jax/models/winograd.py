"""3x3 convolutions with fewer multiplications, where it pays.

Winograd's minimal filtering, F(2x2, 3x3) in Lavin & Gray (arXiv 1509.09308): a tile of 2x2 outputs
takes 16 products of transformed pixels and weights instead of 36. On a CPU the wide layers of VGG16
are faster for it; other devices have kernels of their own. Larger tiles would save more and cost a
digit: the numbers of a metric are kept.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Layers with fewer channels in times out spend more on the transforms than they save.
_LEAST_CHANNELS = 64 * 128

# Rows of the transforms as their non-zero terms: (index, weight).
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
_EXACT = jax.lax.Precision.HIGHEST


def conv3x3(
    x_NHWC: Float[Array, "n h w c"], kernel_HWIO: Float[Array, "3 3 c d"]
) -> Float[Array, "n h w d"]:
    """A convolution with stride 1 over pictures padded with zeros, in float32 on any device."""
    if math.prod(kernel_HWIO.shape[2:]) < _LEAST_CHANNELS:
        return _direct(x_NHWC, kernel_HWIO)
    return jax.lax.platform_dependent(x_NHWC, kernel_HWIO, cpu=by_tiles, default=_direct)


def by_tiles(x_NHWC: jax.Array, kernel_HWIO: jax.Array) -> jax.Array:
    """`conv3x3` by 2x2 tiles of its output."""
    n, height, width, _ = x_NHWC.shape
    rows, columns = -(-height // 2), -(-width // 2)
    x = jnp.pad(x_NHWC, ((0, 0), (1, 2 * rows - height + 1), (1, 2 * columns - width + 1), (0, 0)))
    # One direction after the other and all 16 products as one: little to compile.
    x = _transformed(_PIXELS, [x[:, i : i + 2 * rows - 1 : 2] for i in range(4)])
    x = _transformed(_PIXELS, [x[:, :, :, j : j + 2 * columns - 1 : 2] for j in range(4)])
    weights = _transformed(_WEIGHTS, list(kernel_HWIO))
    weights = _transformed(_WEIGHTS, [weights[:, j] for j in range(3)])
    products = jnp.einsum(
        "jitc,jicd->jitd", x.reshape(4, 4, n * rows * columns, -1), weights, precision=_EXACT
    )
    out = _transformed(_OUTPUTS, list(products))
    out = _transformed(_OUTPUTS, [out[:, i] for i in range(4)])  # [2 down, 2 across, tiles, d]
    out = out.reshape(2, 2, n, rows, columns, -1).transpose(2, 3, 0, 4, 1, 5)
    return out.reshape(n, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _direct(x_NHWC: jax.Array, kernel_HWIO: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x_NHWC,
        kernel_HWIO,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=_EXACT,
    )


def _transformed(transform, parts: Sequence[jax.Array]) -> jax.Array:
    """Sums of weighted parts, along a new first axis; kept apart from what comes next."""
    sums = [sum(weight * parts[index] for index, weight in terms) for terms in transform]
    return jax.lax.optimization_barrier(jnp.stack(sums))
