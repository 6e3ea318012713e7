"""Gaussian blur that stays fast where it is wide."""

import numpy as np

from painting_jax.data.gaussian import gaussian

# Sigma, in pixels, up to which every pixel is computed. Wider blurs are smooth enough to be
# computed on a coarser grid and interpolated.
_SHARP = 4.0
_TRUNCATE = 2.5


def blur(values_HWx: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur over the first two axes; borders are repeated outwards."""
    if sigma <= _SHARP:
        return gaussian(values_HWx, sigma, _TRUNCATE)
    height, width = values_HWx.shape[:2]
    step = int(sigma / 2)
    margins = [(0, -height % step), (0, -width % step)] + [(0, 0)] * (values_HWx.ndim - 2)
    padded_YXx = np.pad(values_HWx, margins, "edge")
    sums_yXx = np.add.reduceat(padded_YXx, np.arange(0, padded_YXx.shape[0], step))
    sums_yxx = np.add.reduceat(sums_yXx, np.arange(0, padded_YXx.shape[1], step), axis=1)
    # Averages and interpolation blur, too: by boxes and triangles of the step's width.
    narrow = np.sqrt((sigma / step) ** 2 - 1 / 12 - 1 / 6)
    coarse_yxx = gaussian(sums_yxx / np.float32(step**2), narrow, _TRUNCATE)
    return _interpolated(_interpolated(coarse_yxx, height, step, 0), width, step, 1)


def _interpolated(coarse: np.ndarray, size: int, step: int, axis: int) -> np.ndarray:
    """Linear interpolation along an axis of which every value stands for `step` pixels."""
    last = coarse.shape[axis] - 1
    place = np.clip((np.arange(size, dtype=np.float32) + 0.5) / step - 0.5, 0, last)
    left = place.astype(int)
    part = (place - left).astype(np.float32).reshape(-1, *(1,) * (coarse.ndim - 1 - axis))
    before = coarse.take(left, axis)
    return before + part * (coarse.take(np.minimum(left + 1, last), axis) - before)
