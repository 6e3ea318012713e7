"""How far a photographed canvas is in a known process."""

import dataclasses

import numpy as np
from scipy import ndimage

from painting_jax.data import pictures

_SIDE = 64  # pixels a side at which canvases are compared
_SOFT = 0.8  # radius of the blur before that, in such pixels
_DARK = 12.0  # levels of 255 that are added to all, since the ratio of dark colours is noise
_MOST = 0.5  # largest difference of logs that counts: another difference is no larger
_ROUNDS = 3  # in which the light is fitted


@dataclasses.dataclass(frozen=True)
class Whereabouts:
    """The frames of a process, made ready to be compared with a canvas.

    Attributes:
      log_TPC: Logs of the colours of the frames' pixels.
      progress_T: Progress of the frames.
    """

    log_TPC: np.ndarray
    progress_T: np.ndarray

    @classmethod
    def of(cls, frames_THWC: np.ndarray, progress_T: np.ndarray) -> "Whereabouts":
        """Of frames, uint8 RGB, and their progress from 0 to 1."""
        return cls(np.stack([_logs(frame_HWC) for frame_HWC in frames_THWC]), progress_T)

    def progress(self, canvas_HWC: np.ndarray) -> float:
        """The progress of a canvas, uint8 RGB, seen from the front in any even light.

        The frame is sought that differs least from it, whatever the light, and then how far it
        is on the way to the neighbour that differs less. A pixel looks as in one or the other, so
        that what it differs from both adds up to what they differ.
        """
        logs_PC = _logs(canvas_HWC)
        apart_T = np.array([_apart(logs_PC, frame_PC) for frame_PC in self.log_TPC])
        best = int(apart_T.argmin())
        beside = [i for i in (best - 1, best + 1) if 0 <= i < len(apart_T)]
        near = min(beside, key=lambda i: apart_T[i])
        far = max(_apart(self.log_TPC[best], self.log_TPC[near]), 1e-6)
        share = np.clip(0.5 + (apart_T[best] - apart_T[near]) / (2 * far), 0, 0.5)
        moment = self.progress_T[best] + share * (self.progress_T[near] - self.progress_T[best])
        return float(moment)


def _logs(picture_HWC: np.ndarray) -> np.ndarray:
    small_HWC = pictures.resize(picture_HWC, _SIDE, _SIDE).astype(np.float32)
    soft_HWC = ndimage.gaussian_filter(small_HWC, (_SOFT, _SOFT, 0))
    return np.log(soft_HWC + _DARK).reshape(-1, 3)


def _apart(one_PC: np.ndarray, other_PC: np.ndarray) -> float:
    """The mean difference of two canvases, without that of their light, which changes evenly."""
    apart_PC = one_PC - other_PC
    y_HW, x_HW = np.meshgrid(*[np.linspace(-1, 1, _SIDE)] * 2, indexing="ij")
    basis_P3 = np.stack([np.ones(_SIDE**2), x_HW.ravel(), y_HW.ravel()], 1)
    weight_P = np.ones(len(apart_PC))
    for _ in range(_ROUNDS):
        # Where the canvas itself differs, it says nothing of the light.
        weighted = basis_P3 * weight_P[:, None]
        light_3C = np.linalg.solve(
            weighted.T @ basis_P3 + 1e-3 * np.eye(3) * len(apart_PC), weighted.T @ apart_PC
        )
        rest_PC = apart_PC - basis_P3 @ light_3C
        weight_P = 1 / (0.02 + np.abs(rest_PC).mean(1))
        weight_P = weight_P / weight_P.mean()
    return float(np.minimum(np.abs(rest_PC), _MOST).mean())
