"""Padding to few array sizes, since every new shape costs a compilation."""

import math

import numpy as np

_STEP = 8

# Frames that shorter videos are padded to: it costs less than another compilation.
_FEWEST = 33


def round_up(count: int, multiple: int = 1) -> int:
    """Rounds a count up to one of few sizes: from 64 on, by at most an eighth."""
    step = max(_STEP, 2 ** max(0, count.bit_length() - 4))
    step = math.lcm(step, multiple)
    return max(1, -(-count // step)) * step


def round_up_frames(count: int, multiple: int = 1) -> int:
    """Rounds a number of frames up to one of fewer sizes still: all short videos have the same."""
    return round_up(max(count, _FEWEST), multiple)


def padded(x_N: np.ndarray, size: int) -> np.ndarray:
    """Appends zeros up to `size` entries."""
    return np.pad(x_N, [(0, size - len(x_N))] + [(0, 0)] * (x_N.ndim - 1))


def row(values_T: np.ndarray, multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pads frames to a batch of one; also returns bool[1, T], True where they are not padding."""
    width = round_up_frames(len(values_T), multiple)
    return padded(np.asarray(values_T), width)[None], (np.arange(width) < len(values_T))[None]
