"""How far a photographed canvas is in a known process."""

import dataclasses

import cv2
import numpy as np
from scipy import ndimage

from painting_jax.data import pictures

_SIDE = 64  # pixels a side at which canvases are compared
_FINE = 128  # and at which what is painted between two frames is
_SOFT = 0.8  # radius of the blur before that, in such pixels
_DARK = 12.0  # levels of 255 that are added to all, since the ratio of dark colours is noise
_MOST = 0.5  # largest difference of logs that counts: another difference is no larger
_ROUNDS = 3  # in which the light is fitted
_RADII = (1, 2, 3, 5, 8, 12, 18)  # of discs that measure widths, in pixels
_SEEN = 0.03  # difference of logs from which on a pixel is painted between two frames


@dataclasses.dataclass(frozen=True)
class Whereabouts:
    """The frames of a process, made ready to be compared with a canvas.

    Attributes:
      log_TPC: Logs of the colours of the frames' pixels, coarse.
      fine_TPC: The same, finer.
      progress_T: Progress of the frames.
    """

    log_TPC: np.ndarray
    fine_TPC: np.ndarray
    progress_T: np.ndarray

    @classmethod
    def of(cls, frames_THWC: np.ndarray, progress_T: np.ndarray) -> "Whereabouts":
        """Of frames, uint8 RGB, and their progress from 0 to 1."""
        coarse_TPC, fine_TPC = (
            np.stack([_logs(frame_HWC, side) for frame_HWC in frames_THWC])
            for side in (_SIDE, _FINE)
        )
        return cls(coarse_TPC, fine_TPC, progress_T)

    def progress(self, canvas_HWC: np.ndarray) -> float:
        """The progress of a canvas, uint8 RGB, seen from the front in any even light.

        The frame is sought that differs least from it, whatever the light, and then how much is
        painted of what lies between it and a neighbour. A brush covers an area in the less time,
        the broader it is: each pixel counts by one over the width of what it is part of.
        """
        logs_PC = _logs(canvas_HWC, _SIDE)
        apart_T = [
            float(np.minimum(np.abs(_apart(logs_PC, frame_PC)), _MOST).mean())
            for frame_PC in self.log_TPC
        ]
        best = int(np.argmin(apart_T))
        fine_PC = _logs(canvas_HWC, _FINE)
        ways = []
        for first in (best - 1, best):
            if first >= 0 and first + 1 < len(apart_T):
                share, left = self._between(fine_PC, first)
                begin, end = self.progress_T[first : first + 2]
                ways.append((left, float(begin + share * (end - begin))))
        return min(ways)[1]

    def _between(self, fine_PC: np.ndarray, first: int) -> tuple[float, float]:
        """How far a canvas is from a frame to the next, 0..1, and what it differs from both."""
        before_PC, after_PC = self.fine_TPC[first : first + 2]
        from_P, to_P = (np.abs(_apart(fine_PC, one_PC)).mean(1) for one_PC in (before_PC, after_PC))
        painted_P = np.abs(after_PC - before_PC).mean(1) > _SEEN
        left = float(np.minimum(np.minimum(from_P, to_P), _MOST).mean())
        if not painted_P.any():
            return 0.5, left
        weight_P = 1 / _width(painted_P.reshape(_FINE, _FINE)).ravel()[painted_P]
        done_P = (to_P < from_P)[painted_P]
        return float(weight_P[done_P].sum() / weight_P.sum()), left


def _width(painted_HW: np.ndarray) -> np.ndarray:
    """Width of the marks that pixels are part of, in pixels: that of the widest disc over them."""
    inner_HW = cv2.distanceTransform(
        np.pad(painted_HW, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
    )[1:-1, 1:-1]
    width_HW = np.ones(painted_HW.shape)
    for radius in _RADII:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        over_HW = cv2.dilate((inner_HW > radius).astype(np.uint8), disc)
        width_HW[over_HW > 0] = 2 * radius + 1
    return width_HW


def _logs(picture_HWC: np.ndarray, side: int) -> np.ndarray:
    small_HWC = pictures.resize(picture_HWC, side, side).astype(np.float32)
    soft_HWC = ndimage.gaussian_filter(small_HWC, (_SOFT, _SOFT, 0))
    return np.log(soft_HWC + _DARK).reshape(-1, 3)


def _apart(one_PC: np.ndarray, other_PC: np.ndarray) -> np.ndarray:
    """The difference of two canvases, without that of their light, which changes evenly."""
    apart_PC = one_PC - other_PC
    side = round(np.sqrt(len(apart_PC)))
    y_HW, x_HW = np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij")
    basis_P3 = np.stack([np.ones(len(apart_PC)), x_HW.ravel(), y_HW.ravel()], 1)
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
    return rest_PC
