"""Arrays of any length as batches of few lengths: every new shape would cost a compilation."""

import math

import numpy as np

_STEP = 8


def round_up(count: int, multiple: int = 1) -> int:
    """One of few numbers from `count` on: from 64 on, at most an eighth more."""
    step = max(_STEP, 2 ** max(0, count.bit_length() - 4))
    step = math.lcm(step, multiple)
    return max(1, -(-count // step)) * step


def padded(x_N: np.ndarray, size: int) -> np.ndarray:
    """The array with zeros behind it."""
    return np.pad(x_N, [(0, size - len(x_N))] + [(0, 0)] * (x_N.ndim - 1))


def row(values_T: np.ndarray, multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Values as a batch of one, padded, and bool[1, T], which of them are real."""
    width = round_up(len(values_T), multiple)
    return padded(np.asarray(values_T), width)[None], (np.arange(width) < len(values_T))[None]
