"""Colour differences as the eye sees them: CIE L*a*b* under daylight (D65)."""

import jax
import jax.numpy as jnp
import numpy as np

# Linear sRGB to X, Y, Z relative to D65 white (IEC 61966-2-1).
_TO_XYZ = (
    (0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883),
)


def lab(pictures: jax.Array) -> jax.Array:
    """sRGB [..., 3], uint8 or float32 in [0, 1] -> L*, a*, b* over 100, float32[..., 3].

    White has L = 1; a difference of about 0.02 can just be seen.
    """
    if pictures.dtype == jnp.uint8:
        linear = jnp.asarray(_TABLE)[pictures]
    else:
        linear = _linear(pictures, jnp)
    red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
    x, y, z = (_root(r * red + g * green + b * blue) for r, g, b in _TO_XYZ)
    return jnp.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], axis=-1)


def difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """The colour difference of pictures pixel by pixel, Delta E (1976) over 100: float32[...].

    Args:
      a: sRGB [..., 3], uint8 or float32 in [0, 1].
      b: sRGB, of a shape that broadcasts with it.
    """
    return apart(lab(a), lab(b))


def apart(a: jax.Array, b: jax.Array) -> jax.Array:
    """The same of pictures that are in Lab already, as `lab` gives them."""
    off = a - b
    return jnp.sqrt(off[..., 0] ** 2 + off[..., 1] ** 2 + off[..., 2] ** 2)


def _linear(x, xp):
    return xp.where(x <= 0.04045, x / 12.92, ((xp.maximum(x, 0.04045) + 0.055) / 1.055) ** 2.4)


def _root(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0.008856, jnp.cbrt(jnp.maximum(x, 0.008856)), 7.787 * x + 16 / 116)


_TABLE = _linear(np.arange(256) / 255, np).astype(np.float32)
