"""Small views of the boxes in a picture of a screen, and whether one goes on in another."""

import dataclasses
from typing import Self

import cv2
import numpy as np

_WIDTH = 48  # columns of the small view in which they are compared
_GLANCE = 8  # columns and rows that tell at once that two views differ
ALIKE = 24.0  # levels of 255 by which pixels of the same canvas differ, from picture to picture
_FEW_PAINTED, _MOST_PAINTED = 0.005, 0.6  # share that is painted, if strokes lie on paper


@dataclasses.dataclass(frozen=True)
class View:
    """A small view of a box, as wide as all are.

    Attributes:
      planes_CHW: uint8 RGB.
      painted_HW: Where strokes lie on paper; everywhere if little paper is left, or no stroke lies
        on it.
    """

    planes_CHW: np.ndarray
    painted_HW: np.ndarray

    @classmethod
    def of(cls, picture_HWC: np.ndarray, box_4: np.ndarray) -> Self:
        """The view of a box in a picture."""
        left, top, right, bottom = box_4
        height = max(1, round(_WIDTH * (bottom - top) / (right - left)))
        small_HWC = resized(picture_HWC[top:bottom, left:right], _WIDTH, height)
        paper_C = np.median(small_HWC, (0, 1))
        painted_HW = np.abs(small_HWC - paper_C).max(-1) > ALIKE
        if not _FEW_PAINTED < painted_HW.mean() < _MOST_PAINTED:
            painted_HW = np.ones_like(painted_HW)
        return cls(np.ascontiguousarray(np.moveaxis(small_HWC, 2, 0)), painted_HW)

    @property
    def glance(self) -> np.ndarray:
        """Much smaller still, in all its numbers."""
        small_HWC = np.moveaxis(self.planes_CHW, 0, 2)
        return resized(small_HWC, _GLANCE, _GLANCE).astype(np.int16).ravel()


def alike(one: View, other: View) -> float:
    """How well a view goes on in a later one: 0..1.

    It is the share of the pixels that are alike, where both show the canvas, from its top on; or
    that of the pixels which are painted in the first, if it is lower: all blank paper is alike.
    """
    low = min(one.planes_CHW.shape[1], other.planes_CHW.shape[1])
    apart = cv2.absdiff(one.planes_CHW[:, :low], other.planes_CHW[:, :low]) < ALIKE
    alike_HW = apart[0] & apart[1] & apart[2]
    painted_HW = one.painted_HW[:low]
    of_all = np.count_nonzero(alike_HW) / alike_HW.size
    of_painted = np.count_nonzero(alike_HW & painted_HW) / max(1, int(np.count_nonzero(painted_HW)))
    return min(of_all, of_painted)


def resized(picture_HWC: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture at another size; edges of a screen stay straight."""
    return cv2.resize(picture_HWC, (width, height), interpolation=cv2.INTER_AREA)
