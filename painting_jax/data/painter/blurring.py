"""Gaussian blur that stays fast where it is wide."""

import functools

import numpy as np
from scipy import ndimage

# Sigma in pixels, and number of values, up to which every pixel is computed. Wider blurs are smooth
# enough to be computed on a coarser grid and interpolated.
_SHARP, _FEW = 2.5, 100_000


def blur(values_HWx: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur over the first two axes; borders are repeated outwards."""
    if sigma <= _SHARP or values_HWx.size < _FEW:
        sigmas = (sigma, sigma) + (0,) * (values_HWx.ndim - 2)
        return ndimage.gaussian_filter(values_HWx, sigmas, mode="nearest", truncate=2.5)
    height, width = values_HWx.shape[:2]
    (down_yH, up_Hy), (down_xW, up_Wx) = _coarse(height, sigma), _coarse(width, sigma)
    flat_HP = values_HWx.reshape(height, -1)
    coarse_yWC = (down_yH @ flat_HP).reshape(len(down_yH), width, -1)
    coarse_Cyx = coarse_yWC.transpose(2, 0, 1) @ down_xW.T
    blurred_HWC = (up_Hy @ (coarse_Cyx @ up_Wx.T)).transpose(1, 2, 0)
    return np.ascontiguousarray(blurred_HWC).reshape(values_HWx.shape)


@functools.lru_cache(maxsize=64)
def _coarse(size: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrices that blur an axis onto a coarser grid [n, size], and interpolate it [size, n]."""
    count = max(2, int(np.ceil(size / (0.8 * sigma))) + 1)
    place_n = np.linspace(0, size - 1, count)
    # Interpolation blurs a little, too.
    narrow = np.sqrt(sigma**2 - (place_n[1] - place_n[0]) ** 2 / 6)
    reach = int(np.ceil(2.5 * sigma))
    beyond = np.arange(-reach, size + reach)
    weight_nB = np.exp(-0.5 * ((place_n[:, None] - beyond) / narrow) ** 2)
    weight_nB /= weight_nB.sum(1, keepdims=True)
    down_nS = np.zeros((count, size))
    np.add.at(down_nS.T, np.clip(beyond, 0, size - 1), weight_nB.T)
    apart_Sn = np.abs(np.arange(size)[:, None] - place_n) / (place_n[1] - place_n[0])
    return down_nS.astype(np.float32), np.maximum(0, 1 - apart_Sn).astype(np.float32)
