"""Progress of a painting, measured by what has changed on the canvas."""

import numpy as np

from painting_jax.data.curation.averages import averaged

_SIDE = 96  # pixels of the longer side at which change is measured
_NOISE = 6.0  # levels of 255 by which a pixel differs without having been painted


def changed(frames_THWC: np.ndarray) -> np.ndarray:
    """Share of all change up to each frame, float[T], rising from 0 to 1.

    Change is how far colours move, over the canvas. What is painted over counts each time.

    Args:
      frames_THWC: uint8 RGB frames of the canvas alone.
    """
    small_THWC = averaged(frames_THWC, _SIDE)
    before_HWC, steps = small_THWC[0], []
    for small_HWC in small_THWC:
        apart_HWC = np.abs(small_HWC - before_HWC)
        # Slow change adds up: a pixel is compared with what it was when it last counted.
        counts_HW1 = apart_HWC.max(-1, keepdims=True) > _NOISE
        steps.append(float((apart_HWC * counts_HW1).mean()))
        before_HWC = np.where(counts_HW1, small_HWC, before_HWC)
    total_T = np.cumsum(steps)
    return total_T / total_T[-1] if total_T[-1] > 0 else np.linspace(0, 1, len(steps))
