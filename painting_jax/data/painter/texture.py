"""Textures of tools and grounds: grain of paper, weave of canvas, and the bristles of a brush.

They are the same for every picture, like one kind of paper and one brush, so that a model can
learn them.
"""

import functools

import numpy as np

from painting_jax.data.painter.blurring import blur

# Samples along and across the brush from which the pattern of every stroke is taken.
_ALONG, _ACROSS = 48, 256


@functools.lru_cache(maxsize=8)
def grain(height: int, width: int, scale: int) -> np.ndarray:
    """Grain of paper at `scale` times the given size, nearly uniform in 0..1.

    A larger picture shows coarser grain: its paper is seen from nearer by.
    """
    coarse = _enlarged(height, width)
    noise_HW = np.random.default_rng(0).standard_normal((height, width)).astype(np.float32)
    noise_HW = blur(np.repeat(np.repeat(noise_HW, scale, 0), scale, 1), 0.5 * scale * coarse)
    noise_HW = noise_HW / noise_HW.std()
    grain_HW = 1 / (1 + np.exp(-1.7 * noise_HW))
    grain_HW.flags.writeable = False
    return grain_HW


@functools.lru_cache(maxsize=8)
def weave(height: int, width: int, scale: int) -> np.ndarray:
    """Threads of canvas at `scale` times the given size, from 0 (between them) to 1 (on them)."""
    period = 2.5 * scale * _enlarged(height, width)
    y_Y1, x_X = np.arange(height * scale)[:, None], np.arange(width * scale)
    # Threads along and across, which pass over and under each other.
    weave_YX = 0.5 - 0.5 * np.sin(np.pi / period * (x_X + y_Y1)) * np.sin(
        np.pi / period * (x_X - y_Y1)
    )
    weave_YX = weave_YX.astype(np.float32)
    weave_YX.flags.writeable = False
    return weave_YX


def _enlarged(height: int, width: int) -> float:
    """Size of a ground's texture, relative to that of a 64 x 64 picture."""
    return max(1.0, (np.sqrt(height * width) / 64) ** 0.4)


@functools.lru_cache(maxsize=64)
def bristles(along: int, across: int) -> np.ndarray:
    """Paint that the bristles of a brush leave, mean 0 and deviation 1, float32 [along, across].

    Args:
      along: Number of samples along a stroke.
      across: Number of samples across it, 0.8 pixels each.
    """
    rng = np.random.default_rng(1)
    steady_A = rng.standard_normal(_ACROSS).astype(np.float32)
    varying_BA = blur(rng.standard_normal((_ALONG, _ACROSS)).astype(np.float32), 0.6)
    varying_BA = np.cumsum(varying_BA, 0)
    varying_BA -= varying_BA.mean(0)
    mixed_BA = steady_A + 0.7 * varying_BA / varying_BA.std()
    rows = np.linspace(0, _ALONG - 1, along).astype(int)
    # A broad brush has broad tufts: neighbouring samples are alike.
    spread = max(1.0, across / 24)
    place_A = np.arange(across) / spread
    left_A = place_A.astype(int) % (_ACROSS - 1)
    part_A = (place_A % 1).astype(np.float32)
    sampled_BA = mixed_BA[rows][:, left_A] * (1 - part_A) + mixed_BA[rows][:, left_A + 1] * part_A
    sampled_BA = (sampled_BA - sampled_BA.mean()) / max(sampled_BA.std(), 1e-6)
    sampled_BA.flags.writeable = False
    return sampled_BA
