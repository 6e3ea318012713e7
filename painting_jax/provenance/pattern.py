"""The pattern of a mark: a sum of waves that repeats in both directions, noise to the eye.

The pattern is a tile. Its waves are those with `LEAST` to `MOST` periods a tile, each of the same
strength. A quarter of them have known phases: by these a reader finds where the tile begins. The
phases of the others carry the bits, two chips a wave, each bit on three chips in random places.
"""

import functools
import hashlib

import numpy as np

from painting_jax.provenance.payload import BITS

LEAST = 3
MOST = 16
_SYNC_SHARE = 4  # one wave of so many


def _waves() -> np.ndarray:
    """Waves of a tile as int[K, 2], periods down and across; of two opposite ones, one."""
    down, across = np.mgrid[-MOST : MOST + 1, 0 : MOST + 1]
    radius = np.hypot(down, across)
    chosen = (radius >= LEAST) & (radius <= MOST) & ((across > 0) | (down > 0))
    return np.stack([down[chosen], across[chosen]], 1)


def _random(purpose: str, count: int) -> np.ndarray:
    """Fixed random numbers, uint32[count]. NumPy's generators may change with a version."""
    stream = hashlib.shake_256(f"painting_jax mark 1 {purpose}".encode()).digest(4 * count)
    return np.frombuffer(stream, ">u4")


WAVES = _waves()
_order = np.argsort(_random("order", len(WAVES)))
_sync_count = len(WAVES) // _SYNC_SHARE
SYNC = _order[:_sync_count]  # indices into WAVES
BEARING = _order[_sync_count:]
SYNC_PHASES = np.exp(2j * np.pi * _random("sync", _sync_count) / 2**32)
_CHIPS = 2 * len(BEARING)
_SIGN = np.where(_random("signs", _CHIPS) & 1, 1.0, -1.0)
# Bit of each chip: all bits in turn, in random places.
_BIT = np.empty(_CHIPS, np.int64)
_BIT[np.argsort(_random("places", _CHIPS))] = np.arange(_CHIPS) % BITS


def coefficients(bits: np.ndarray) -> np.ndarray:
    """Complex amplitude of each wave, complex[K] of modulus 1, for bool[BITS]."""
    chips = np.where(bits[_BIT], _SIGN, -_SIGN)
    amplitude_K = np.empty(len(WAVES), complex)
    amplitude_K[SYNC] = SYNC_PHASES
    amplitude_K[BEARING] = (chips[0::2] + 1j * chips[1::2]) / np.sqrt(2)
    return amplitude_K


def soft_bits(amplitude_K: np.ndarray) -> np.ndarray:
    """Bits that measured amplitudes state, float[BITS]: positive for a set bit."""
    bearing = amplitude_K[BEARING]
    chips = np.stack([bearing.real, bearing.imag], 1).ravel() * _SIGN
    return np.bincount(_BIT, chips, BITS)


@functools.lru_cache(8)
def _drawn(bits: bytes, height: int, width: int, period: float) -> np.ndarray:
    amplitude_K = coefficients(np.frombuffer(bits, bool))
    spectrum = np.zeros((2 * MOST + 1, MOST + 1), complex)
    spectrum[WAVES[:, 0] + MOST, WAVES[:, 1]] = amplitude_K
    down = waves_along(height, period, np.arange(-MOST, MOST + 1))
    across = waves_along(width, period, np.arange(MOST + 1))
    pattern = (down.conj().T @ (spectrum @ across.conj())).real
    return (pattern / np.sqrt(len(WAVES) / 2)).astype(np.float32)


def draw(bits: np.ndarray, height: int, width: int, period: float) -> np.ndarray:
    """The pattern, float32[height, width], with a mean of 0 and a variance of 1.

    Args:
      bits: bool[BITS].
      height: In pixels.
      width: In pixels.
      period: Side of the tile in pixels.
    """
    return _drawn(bits.tobytes(), height, width, period)


def waves_along(length: int, period: float, counts: np.ndarray) -> np.ndarray:
    """Conjugated waves along one axis, complex64[N, length], with `counts` periods a tile."""
    place = np.arange(length) / period
    return np.exp(-2j * np.pi * counts[:, None] * place).astype(np.complex64)
