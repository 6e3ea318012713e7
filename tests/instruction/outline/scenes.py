"""Maps of regions that are known exactly."""

import functools

import numpy as np

from painting_jax.instruction.outline import outlines


def disc(side: int = 200) -> np.ndarray:
    """A disc (2) of a quarter of the side in the middle of a ground (1)."""
    y_HW, x_HW = np.mgrid[:side, :side] + 0.5
    return np.where(np.hypot(x_HW - side / 2, y_HW - side / 2) < side / 4, 2, 1)


def thirds(height: int = 300, width: int = 400) -> np.ndarray:
    """Sky (7) above, ground below in two halves (3 and 5)."""
    labels_HW = np.full((height, width), 7)
    labels_HW[height // 2 :, : width // 2] = 3
    labels_HW[height // 2 :, width // 2 :] = 5
    return labels_HW


def spots(height: int = 300, width: int = 400) -> np.ndarray:
    """A ground (1) with a small spot (2) and a large one (3)."""
    labels_HW = np.ones((height, width), int)
    labels_HW[60:65, 80:85] = 2
    labels_HW[150:250, 200:350] = 3
    return labels_HW


@functools.cache
def outline_of_thirds() -> outlines.Outline:
    """The outline of `thirds`, which nobody changes."""
    return outlines.of(thirds())
