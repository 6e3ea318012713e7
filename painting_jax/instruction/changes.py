"""What changes from frame to frame of a process, measured small: how much, where, and how."""

import dataclasses

import numpy as np

from painting_jax.data import pictures
from painting_jax.instruction.mixing.colours import lab_of_srgb

_SIDE = 96  # longer side at which frames are compared, in pixels
_MOMENTS = 129  # frames that are compared at most; others are skipped evenly
_TOUCHED = 4.0  # difference in CIELAB, summed over its axes, from which on a pixel is painted
_TIMES = 6  # that a place is painted, from which on they are many


@dataclasses.dataclass(frozen=True)
class Changes:
    """The changes of a process between N + 1 moments.

    Attributes:
      frames_M: Index of the frame at each moment, rising from the first to the last.
      manner_NF: How each change is made, in F numbers: whether it brings the canvas nearer to its
        end, how often its places were painted before, how far they still are from their end, and
        how large an area it is.
      painted_NHW: Whether a pixel begins to be painted: it changes, and did not just before.
    """

    frames_M: np.ndarray
    manner_NF: np.ndarray
    painted_NHW: np.ndarray

    @classmethod
    def of(cls, frames_THWC: np.ndarray) -> "Changes":
        """Compares the frames of a process, uint8 RGB [T, H, W, 3], T >= 2."""
        count = len(frames_THWC)
        frames_M = np.unique(np.linspace(0, count - 1, min(count, _MOMENTS)).round().astype(int))
        lab_MHWC = np.stack([lab_of_srgb(pictures.shrunk(frames_THWC[i], _SIDE)) for i in frames_M])
        amount_NHW = np.abs(np.diff(lab_MHWC, axis=0)).sum(-1)
        touched_NHW = amount_NHW > _TOUCHED
        # A stroke that two moments see in part is one.
        painted_NHW = touched_NHW.copy()
        painted_NHW[1:] &= ~touched_NHW[:-1]
        manner_NF = _manner(lab_MHWC, amount_NHW, touched_NHW, painted_NHW)
        return cls(frames_M, manner_NF, painted_NHW)


def _manner(
    lab_MHWC: np.ndarray, amount_NHW: np.ndarray, touched_NHW: np.ndarray, painted_NHW: np.ndarray
) -> np.ndarray:
    """Numbers that stay the same within a stage of a painting, and are of similar weight."""
    far_MHW = np.abs(lab_MHWC - lab_MHWC[-1]).sum(-1)
    far_M = far_MHW.mean((1, 2))
    nearing_N = -np.diff(far_M) / (amount_NHW.mean((1, 2)) + 1e-3)
    # Grain and trembling hands paint a place again and again.
    times_NHW = np.minimum(np.cumsum(painted_NHW, 0) - painted_NHW, _TIMES)
    left_N = np.log(_mean_where(far_MHW[1:], touched_NHW) + 2)
    area_N = np.log(touched_NHW.mean((1, 2)) + 0.002)
    return np.column_stack(
        [1.2 * nearing_N, 0.7 * _mean_where(times_NHW, touched_NHW), 0.7 * left_N, 0.4 * area_N]
    )


def _mean_where(value_NHW: np.ndarray, where_NHW: np.ndarray) -> np.ndarray:
    """Means over the places of each change; of one without places, that of those beside it."""
    count_N = where_NHW.sum((1, 2))
    mean_N = (value_NHW * where_NHW).sum((1, 2)) / np.maximum(count_N, 1)
    known = np.flatnonzero(count_N)
    return np.interp(np.arange(len(mean_N)), known, mean_N[known]) if len(known) else mean_N
