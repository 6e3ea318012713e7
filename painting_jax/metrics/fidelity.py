"""Distances of pictures by their pixels: mean error, PSNR, SSIM and the CIE colour difference."""

import jax
import jax.numpy as jnp
import numpy as np

_SIGMA, _RADIUS = 1.5, 5

# Linear sRGB to X, Y, Z relative to D65 white (IEC 61966-2-1).
_TO_XYZ = (
    (0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883),
)


@jax.jit
def mean_error(a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
    """Mean absolute difference of the values, float32[N] in 0..255.

    Args:
      a_NHWC: RGB uint8.
      b_NHWC: RGB uint8.
    """
    return jnp.abs(a_NHWC.astype(jnp.float32) - b_NHWC).mean((1, 2, 3))


@jax.jit
def psnr(a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, float32[N]; capped at 100 for equal pictures.

    Args:
      a_NHWC: RGB uint8.
      b_NHWC: RGB uint8.
    """
    a, b = (x.astype(jnp.float32) / 255 for x in (a_NHWC, b_NHWC))
    return -10 * jnp.log10(jnp.maximum(jnp.mean((a - b) ** 2, axis=(1, 2, 3)), 1e-10))


@jax.jit
def ssim(a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
    """Structural similarity (Wang et al., 2004), float32[N] in [-1, 1], 1 = equal.

    Uses a Gaussian window of 11x11 pixels with sigma 1.5, the mean over channels, and only windows
    inside the picture.

    Args:
      a_NHWC: RGB uint8, at least 11 pixels a side.
      b_NHWC: RGB uint8.
    """
    a, b = (x.astype(jnp.float32) / 255 for x in (a_NHWC, b_NHWC))
    # Values around zero lose fewer digits in E[x^2] - E[x]^2.
    shift = jnp.mean(a, axis=(1, 2, 3), keepdims=True)
    a, b = a - shift, b - shift
    offset = jnp.arange(-_RADIUS, _RADIUS + 1)
    window = jnp.exp(-0.5 * (offset / _SIGMA) ** 2)
    window = window / window.sum()

    def blur(x_NHWC):
        # The window is separable: two passes of a depthwise convolution.
        for shape in ((-1, 1), (1, -1)):
            kernel = jnp.tile(window.reshape(*shape, 1, 1), (1, 1, 1, x_NHWC.shape[-1]))
            x_NHWC = jax.lax.conv_general_dilated(
                x_NHWC,
                kernel,
                (1, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=x_NHWC.shape[-1],
                precision=jax.lax.Precision.HIGHEST,
            )
        return x_NHWC

    mean_a, mean_b = blur(a), blur(b)
    var_a = blur(a * a) - mean_a**2
    var_b = blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    mean_a, mean_b = mean_a + shift, mean_b + shift
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def colour_difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """Colour difference of each pixel, CIE 1976 Delta E / 100 under D65: float32[...].

    Args:
      a: sRGB [..., 3], uint8 or float32 in [0, 1].
      b: sRGB, of a shape that broadcasts with it.
    """
    return lab_difference(lab(a), lab(b))


def lab_difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """`colour_difference` of pictures that are already in Lab, as `lab` returns them."""
    d = a - b
    return jnp.sqrt(d[..., 0] ** 2 + d[..., 1] ** 2 + d[..., 2] ** 2)


def lab(pictures: jax.Array) -> jax.Array:
    """Converts sRGB [..., 3], uint8 or float32 in [0, 1], to CIE L*a*b* / 100, float32[..., 3].

    White has L = 1. A difference of about 0.02 is just noticeable.
    """
    if pictures.dtype == jnp.uint8:
        linear = jnp.asarray(_TABLE)[pictures]
    else:
        linear = _linear(pictures, jnp)
    red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
    x, y, z = (_root(r * red + g * green + b * blue) for r, g, b in _TO_XYZ)
    return jnp.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], axis=-1)


def _linear(x, xp):
    return xp.where(x <= 0.04045, x / 12.92, ((xp.maximum(x, 0.04045) + 0.055) / 1.055) ** 2.4)


def _root(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0.008856, jnp.cbrt(jnp.maximum(x, 0.008856)), 7.787 * x + 16 / 116)


_TABLE = _linear(np.arange(256) / 255, np).astype(np.float32)
