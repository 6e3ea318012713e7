"""The theory of Kubelka and Munk, with two constants: how mixed pigments absorb and scatter light.

Kubelka and Munk, Ein Beitrag zur Optik der Farbanstriche, 1931; the mixture by Duncan, 1940; the
surface by Saunderson, 1942.
"""

import numpy as np

# Share of the light that a paint's surface throws back from outside, and from inside; Berns, 2016.
_OUTSIDE, _INSIDE = 0.03, 0.65
# A layer this much thicker than what light can pass hides its ground.
_HIDING = 30.0


def mixed(amounts_MP: np.ndarray, coefficients_PW: np.ndarray) -> np.ndarray:
    """Absorption, or scattering, of mixtures: that of the pigments, weighted by their amounts.

    Args:
      amounts_MP: Amounts of the pigments in each mixture.
      coefficients_PW: Absorption, or scattering, of a unit of each pigment.

    Returns:
      float64[M, W].
    """
    return amounts_MP @ coefficients_PW


def hiding_layer(absorption: np.ndarray, scattering: np.ndarray) -> np.ndarray:
    """Reflectance 0..1 of a layer that hides its ground, inside the paint."""
    ratio = absorption / scattering
    # Equals 1 + ratio - root, without the loss of digits where the ratio is large.
    return 1 / (1 + ratio + np.sqrt(ratio * (ratio + 2)))


def layer(absorption: np.ndarray, scattering: np.ndarray, ground_W: np.ndarray) -> np.ndarray:
    """Reflectance 0..1 of a layer over a ground, such as watercolour over paper.

    Args:
      absorption, scattering: Of the whole layer, float64[..., W].
      ground_W: Reflectance of the ground, 0..1.
    """
    scattering = np.maximum(scattering, 1e-9)
    ratio = absorption / scattering
    a, b = 1 + ratio, np.sqrt(np.maximum(ratio * (ratio + 2), 1e-12))
    coth_b = b / np.tanh(np.clip(b * scattering, 1e-9, _HIDING))
    return (1 - ground_W * (a - coth_b)) / (a - ground_W + coth_b)


def outside(inside: np.ndarray) -> np.ndarray:
    """Reflectance of a paint's surface, seen without gloss, of what is reflected inside."""
    return (1 - _OUTSIDE) * (1 - _INSIDE) * inside / (1 - _INSIDE * inside)


def inside(outside: np.ndarray) -> np.ndarray:
    """The inverse of `outside`."""
    return outside / ((1 - _OUTSIDE) * (1 - _INSIDE) + _INSIDE * outside)


def absorption_of(inside: np.ndarray, scattering: np.ndarray) -> np.ndarray:
    """Absorption with which a hiding layer reflects this inside."""
    return scattering * (1 - inside) ** 2 / (2 * inside)
