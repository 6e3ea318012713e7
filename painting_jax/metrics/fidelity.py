"""How near one picture is to another, pixel by pixel and patch by patch."""

import jax
import jax.numpy as jnp

_SIGMA, _RADIUS = 1.5, 5


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

    Gaussian window of 11x11 pixels, sigma 1.5, channels alike, windows that reach over the border
    left out.

    Args:
      a_NHWC: RGB uint8, at least 11 pixels a side.
      b_NHWC: RGB uint8.
    """
    a, b = (x.astype(jnp.float32) / 255 for x in (a_NHWC, b_NHWC))
    # About zero, so that squares less the square of the mean lose fewer digits.
    shift = jnp.mean(a, axis=(1, 2, 3), keepdims=True)
    a, b = a - shift, b - shift
    offset = jnp.arange(-_RADIUS, _RADIUS + 1)
    window = jnp.exp(-0.5 * (offset / _SIGMA) ** 2)
    window = window / window.sum()

    def blur(x_NHWC):
        # Two passes of a depthwise convolution: the window is a product of rows and columns.
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
