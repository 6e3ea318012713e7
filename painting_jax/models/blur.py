"""Gaussian blur."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussian_blur(picture_BHWC: Float[Array, "b h w c"], sigma: float) -> Float[Array, "b h w c"]:
    """Blurs by `sigma` pixels, edges repeated, kernel cut at 3 sigma, as two passes."""
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
