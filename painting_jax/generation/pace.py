"""The pace of a model: how far its processes are at each share of the painting time.

A trained model may be ahead of the painter that it learned from: it paints the mean of what a
painter might do, which is nearer to the picture than what any painter does. It is then told less
progress than there is. `benchmarks/pace.py` finds out by how much.
"""

import itertools
from collections.abc import Sequence

import numpy as np

_SHARES = np.linspace(0, 1, 5)  # of the time, at which a pace is found
_GRID = np.linspace(0, 1, 101)  # progress among which it is found


def told(pace: Sequence[float], time_T: np.ndarray) -> np.ndarray:
    """The progress that a model is told at each share of the time.

    Args:
      pace: That progress at even shares of the time, both ends left out: (0.5,) changes nothing.
      time_T: Shares of the time, 0..1.

    Returns:
      float32[T], linear between the given ones.
    """
    known_K = [0, *pace, 1]
    return np.interp(time_T, np.linspace(0, 1, len(known_K)), known_K).astype(np.float32)


def nearest(painter_NT: np.ndarray, even_NT: np.ndarray) -> tuple[float, ...]:
    """The rising pace at which profiles are nearest to those of the painter.

    Args:
      painter_NT: Profiles of the painter, at even shares of the time.
      even_NT: Profiles of the model at an even pace.
    """
    time_T = np.linspace(0, 1, painter_NT.shape[1])
    wanted_NS = np.array([np.interp(_SHARES, time_T, profile_T) for profile_T in painter_NT])
    had_NG = np.array([np.interp(_GRID, time_T, profile_T) for profile_T in even_NT])
    cost_GS = np.abs(had_NG[:, :, None] - wanted_NS[:, None]).mean(0)
    rising = itertools.combinations(range(1, len(_GRID) - 1), len(_SHARES) - 2)
    inner_NS = np.array([*rising])
    best = cost_GS[inner_NS, np.arange(1, len(_SHARES) - 1)].sum(1).argmin()
    return tuple(round(float(share), 2) for share in _GRID[inner_NS[best]])
