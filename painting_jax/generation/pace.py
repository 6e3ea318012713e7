"""The pace of a model: how far its processes are at each share of the painting time.

A trained model may be ahead of the painter that it learned from: it paints the mean of what a
painter might do, which is nearer to the picture than what any painter does. It is then told less
progress than there is. `benchmarks/pace.py` finds out by how much.
"""

from collections.abc import Sequence

import numpy as np


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
