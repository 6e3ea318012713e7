"""What changes from frame to frame of a process, measured small: how much, where, how finely."""

import dataclasses

import cv2
import numpy as np

from painting_jax.data import pictures
from painting_jax.instruction.mixing.colours import lab_of_srgb

_SIDE = 96  # longer side at which frames are compared, in pixels
_MOMENTS = 129  # frames that are compared at most; others are skipped evenly
_TOUCHED = 4.0  # difference in CIELAB, summed over its axes, from which on a pixel is painted
_SCALES = (1.2, 2.4, 4.8, 9.6)  # standard deviations of the blurs that part fine from broad


@dataclasses.dataclass(frozen=True)
class Changes:
    """The changes of a process between N + 1 moments.

    Attributes:
      frames_M: Index of the frame at each moment, rising from the first to the last.
      lab_MHWC: The frames there in CIELAB, float32, small.
      manner_NF: How each change is made, in F numbers: how fine its marks are, whether they
        darken, whether they colour, whether they bring the canvas nearer to its end, how much.
      painted_NHW: Whether a pixel begins to be painted: it changes, and did not just before.
    """

    frames_M: np.ndarray
    lab_MHWC: np.ndarray
    manner_NF: np.ndarray
    painted_NHW: np.ndarray

    @classmethod
    def of(cls, frames_THWC: np.ndarray) -> "Changes":
        """Compares the frames of a process, uint8 RGB [T, H, W, 3], T >= 2."""
        count = len(frames_THWC)
        frames_M = np.unique(np.linspace(0, count - 1, min(count, _MOMENTS)).round().astype(int))
        lab_MHWC = np.stack([lab_of_srgb(pictures.shrunk(frames_THWC[i], _SIDE)) for i in frames_M])
        step_NHWC = np.diff(lab_MHWC, axis=0)
        touched_NHW = np.abs(step_NHWC).sum(-1) > _TOUCHED
        # A stroke that two moments see in part is one.
        painted_NHW = touched_NHW.copy()
        painted_NHW[1:] &= ~touched_NHW[:-1]
        return cls(frames_M, lab_MHWC, _manner(lab_MHWC, step_NHWC), painted_NHW)


def _manner(lab_MHWC: np.ndarray, step_NHWC: np.ndarray) -> np.ndarray:
    """Numbers that stay the same within a stage of a painting, and are of similar size."""
    amount_N = np.abs(step_NHWC).sum(-1).mean((1, 2)) + 1e-3
    fineness_NS = _fineness(step_NHWC)
    darkening_N = step_NHWC[..., 0].mean((1, 2)) / amount_N
    colouring_N = np.abs(step_NHWC[..., 1:]).sum(-1).mean((1, 2)) / amount_N
    far_M = np.abs(lab_MHWC - lab_MHWC[-1]).sum(-1).mean((1, 2))
    nearing_N = -np.diff(far_M) / amount_N
    return np.column_stack(
        [3 * fineness_NS, darkening_N, 1.5 * colouring_N, nearing_N, 0.5 * np.log(amount_N + 0.02)]
    )


def _fineness(step_NHWC: np.ndarray) -> np.ndarray:
    """Share of each scale in the energy of a change, from fine to broad: float[N, S + 1]."""
    left_NHWC, energy = step_NHWC, []
    for scale in _SCALES:
        blurred_NHWC = np.stack([cv2.GaussianBlur(step, (0, 0), scale) for step in step_NHWC])
        energy.append(_energy(left_NHWC - blurred_NHWC))
        left_NHWC = blurred_NHWC
    energy_NS = np.stack([*energy, _energy(left_NHWC)], 1)
    return energy_NS / (energy_NS.sum(1, keepdims=True) + 1e-3)


def _energy(step_NHWC: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(step_NHWC).sum(-1).mean((1, 2)))
