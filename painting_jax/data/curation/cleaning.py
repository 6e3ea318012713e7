"""Cleans a recording: the canvas from the front, in even light, without what lies before it."""

import dataclasses

import numpy as np

from painting_jax.data.curation import canvas, filling, light, occluders


@dataclasses.dataclass(frozen=True)
class Steps:
    """Which steps are taken.

    Attributes:
      canvas: Whether the canvas is found and seen from the front.
      light: Whether changes of the light are taken out.
      occluders: Whether hands, tools and their shadows are.
    """

    canvas: bool = True
    light: bool = True
    occluders: bool = True


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """A cleaned recording.

    Attributes:
      frames_THWC: uint8 RGB, the canvas alone.
      corners_T42: Corners of the canvas in the frames of the recording; None for the whole frame.
      occluded_THW: Where occluders were, in the cleaned frames.
    """

    frames_THWC: np.ndarray
    corners_T42: np.ndarray | None
    occluded_THW: np.ndarray


def cleaned(frames_THWC: np.ndarray, steps: Steps = Steps()) -> Cleaned:
    """Cleans a recording.

    Args:
      frames_THWC: uint8 RGB, T >= 2, evenly spaced in time.
      steps: Which steps are taken.
    """
    if steps.light:
        # The whole frame says what the light is: at first, strokes change most of the canvas.
        frames_THWC = np.asarray(light.evened(frames_THWC, light.gains(frames_THWC)))
    corners_T42 = canvas.found(frames_THWC) if steps.canvas else None
    if corners_T42 is not None:
        frames_THWC = canvas.front(frames_THWC, corners_T42, *_sides(corners_T42))
    occluded_THW = np.zeros(frames_THWC.shape[:3], bool)
    if steps.occluders:
        occluded_THW = occluders.occluded(frames_THWC)
        frames_THWC = filling.filled(frames_THWC, occluded_THW)
    return Cleaned(frames_THWC, corners_T42, occluded_THW)


def _sides(corners_T42: np.ndarray) -> tuple[int, int]:
    """Height and width of the canvas from the front: the longer of each two opposite sides."""
    sides_4 = np.linalg.norm(np.roll(corners_T42, -1, axis=1) - corners_T42, axis=2).mean(0)
    return round(max(sides_4[1], sides_4[3])), round(max(sides_4[0], sides_4[2]))
