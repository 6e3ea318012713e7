"""Colours under daylight D65, 2 degree observer: spectra, CIE Lab, sRGB, and their differences."""

import functools

import cv2
import numpy as np
from skimage import color
from skimage.color import colorconv

from painting_jax.instruction.mixing import spectra

_OKLAB_CONES = np.array(
    [
        [0.8189330101, 0.3618667424, -0.1288597137],
        [0.0329845436, 0.9293118715, 0.0361456387],
        [0.0482003018, 0.2643662691, 0.6338517070],
    ]
)
_OKLAB_A_B = np.array(
    [[1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]]
)


def lab_of_spectrum(reflectance_W: np.ndarray) -> np.ndarray:
    """CIE Lab of reflectances 0..1 at `spectra.wavelengths`: float64[..., W] to [..., 3]."""
    return color.xyz2lab(np.clip(reflectance_W, 0, 1) @ spectra.xyz_under_d65())


def lab_of_srgb(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab of uint8 sRGB[..., 3], float32; within 0.05 of the exact one on each axis.

    cv2 is given linear light: from sRGB it interpolates in a coarse table, off by up to 0.5.
    """
    row_1P3 = np.ascontiguousarray(rgb).reshape(1, -1, 3)
    linear_1P3 = cv2.LUT(row_1P3, _linear_levels())
    return cv2.cvtColor(linear_1P3, cv2.COLOR_LRGB2LAB).reshape(rgb.shape)


@functools.cache
def _linear_levels() -> np.ndarray:
    """The linear value of each of 256 levels of sRGB."""
    level_L = np.arange(256) / 255
    linear_L = np.where(level_L > 0.04045, ((level_L + 0.055) / 1.055) ** 2.4, level_L / 12.92)
    return linear_L.astype(np.float32)


def srgb_of_lab(lab: np.ndarray) -> np.ndarray:
    """uint8 sRGB of CIE Lab[..., 3]. What a screen cannot show is cut off, channel by channel."""
    xyz = color.lab2xyz(np.asarray(lab, np.float64))
    return np.rint(255 * np.clip(color.xyz2rgb(np.maximum(xyz, 0)), 0, 1)).astype(np.uint8)


def hue_angle(rgb: np.ndarray) -> np.ndarray:
    """Hue of uint8 sRGB[..., 3] in OKLab, degrees 0..360, float64[...].

    Blues of one hue keep their angle there; in CIE Lab dark ones turn violet. From Ottosson, A
    perceptual color space for image processing, 2020.
    """
    cones = np.cbrt(color.rgb2xyz(rgb) @ _OKLAB_CONES.T)
    a_b = cones @ _OKLAB_A_B.T
    return np.degrees(np.arctan2(a_b[..., 1], a_b[..., 0])) % 360


def difference(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """CIEDE2000 of CIE Lab[..., 3], float64[...]: about 1 is just visible, side by side."""
    return color.deltaE_ciede2000(*np.broadcast_arrays(lab, other))


@functools.cache
def linear_rgb_of_spectrum() -> np.ndarray:
    """Matrix [W, 3] from reflectances to linear sRGB."""
    return spectra.xyz_under_d65() @ colorconv.rgb_from_xyz.T
