"""Number of frames that a process needs, and their places: where it changes, frames are."""

from collections.abc import Callable

import numpy as np

FEWEST, MOST = 9, 49

# Frames for each time that the whole canvas is repainted.
_EACH = 8

# Share of the frames that is spaced evenly in time, so that no rest lacks frames.
_EVEN = 0.1


def moments(work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Progress of the frames of a process: float32[T], T from 9 to 49, rising from 0 to 1.

    Between two frames about equally much of the canvas is repainted. A picture whose last stages
    find little to do has fewer frames.

    Args:
      work: Function from progress [S] to how often the whole canvas was repainted up to then [S].
    """
    progress_S = np.linspace(0, 1, 513)
    work_S = work(progress_S)
    count = int(np.clip(1 + round(_EACH * work_S[-1]), FEWEST, MOST))
    passed_S = _EVEN * progress_S + (1 - _EVEN) * work_S / max(work_S[-1], 1e-9)
    passed_S /= passed_S[-1]
    return np.interp(np.linspace(0, 1, count), passed_S, progress_S).astype(np.float32)
