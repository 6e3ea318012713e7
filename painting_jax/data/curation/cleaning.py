"""Cleans a recording: the canvas from the front, in even light, without what lies before it."""

import dataclasses

import numpy as np

from painting_jax.data.curation import camera, canvas, filling, light, occluders
from painting_jax.data.curation.activity import activity


@dataclasses.dataclass(frozen=True)
class Steps:
    """Which steps are taken.

    Attributes:
      camera: Whether the camera is followed, and title cards and inserts are dropped.
      light: Whether changes of the light are taken out.
      canvas: Whether the canvas is found and seen from the front.
      occluders: Whether hands, tools and their shadows are taken away.
      span: Whether what lies before and after the painting, and pauses, are dropped.
    """

    camera: bool = True
    light: bool = True
    canvas: bool = True
    occluders: bool = True
    span: bool = True


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """A cleaned recording of T frames, of which K are kept.

    Attributes:
      frames_KHWC: uint8 RGB, the canvas alone.
      kept_K: Indices of these frames in the recording.
      corners_K42: Corners of the canvas in them; None for the whole frame.
      occluded_KHW: Where occluders were, in the cleaned frames.
      never_HW: Where no frame shows the canvas itself; it is inpainted there.
      cuts: Number of cuts after which the camera stands elsewhere.
      others: Number of frames dropped since they show something else, such as a title card.
      idle: Number of frames dropped before the painting, in pauses, and after it.
    """

    frames_KHWC: np.ndarray
    kept_K: np.ndarray
    corners_K42: np.ndarray | None
    occluded_KHW: np.ndarray
    never_HW: np.ndarray
    cuts: int
    others: int
    idle: int


def cleaned(frames_THWC: np.ndarray, steps: Steps = Steps()) -> Cleaned:
    """Cleans a recording.

    Args:
      frames_THWC: uint8 RGB, T >= 2, evenly spaced in time.
      steps: Which steps are taken.
    """
    small_THWC = camera.shrunk(frames_THWC, camera.SIDE)
    path = camera.still(len(frames_THWC))
    if steps.camera:
        path = camera.followed(frames_THWC, small_THWC)
    kept_K = np.flatnonzero(path.shows_T)
    frames_KHWC, to_common_K33 = frames_THWC[kept_K], path.to_common_T33[kept_K]
    if steps.light:
        # The whole frame says what the light is: at first, strokes change most of the canvas.
        seen_KHWC = camera.aligned(small_THWC[kept_K], to_common_K33, frames_THWC.shape[1:3])
        frames_KHWC = light.evened(frames_KHWC, light.gains(seen_KHWC))
    corners_K42 = canvas.found(frames_KHWC, to_common_K33) if steps.canvas else None
    if corners_K42 is not None:
        frames_KHWC = canvas.front(frames_KHWC, corners_K42, *canvas.sides(corners_K42))
    occluded_KHW = np.zeros(frames_KHWC.shape[:3], bool)
    if steps.occluders:
        occluded_KHW = occluders.occluded(frames_KHWC)
        frames_KHWC = filling.filled(frames_KHWC, occluded_KHW)
    shown_K = np.ones(len(kept_K), bool)
    if steps.span:
        shown_K = activity(frames_KHWC, occluded_KHW).kept_T
    return Cleaned(
        frames_KHWC[shown_K],
        kept_K[shown_K],
        None if corners_K42 is None else corners_K42[shown_K],
        occluded_KHW[shown_K],
        np.asarray(occluded_KHW.all(0)),
        len(path.cuts),
        len(frames_THWC) - len(kept_K),
        int((~shown_K).sum()),
    )
