"""Cleans a recording: the canvas from the front, in even light, without what lies before it."""

import dataclasses
from collections.abc import Callable

import numpy as np

from painting_jax.data.curation import (
    camera,
    canvas,
    colours,
    denoising,
    filling,
    leaps,
    light,
    occluders,
    overlays,
    screen,
    step_hands,
)
from painting_jax.data.curation.activity import activity
from painting_jax.data.curation.averages import shrunk


@dataclasses.dataclass(frozen=True)
class Steps:
    """Which steps are taken.

    Attributes:
      camera: Whether the camera is followed, and title cards and inserts are dropped.
      light: Whether changes of the light are taken out.
      canvas: Whether the canvas is found and seen from the front.
      overlays: Whether logos that stay in a corner of the frame are taken away.
      occluders: Whether hands, tools and their shadows are taken away.
      noise: Whether the noise of the camera and the codec is taken out.
      colours: Whether colours that a codec has blurred are made as sharp as their lightness.
      span: Whether what lies before and after the painting, and pauses, are dropped.
    """

    camera: bool = True
    light: bool = True
    canvas: bool = True
    overlays: bool = True
    occluders: bool = True
    noise: bool = True
    colours: bool = True
    span: bool = True


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """A cleaned recording of T frames, of which K are kept.

    Attributes:
      frames_KHWC: uint8 RGB, the canvas alone.
      kept_K: Indices of these frames in the recording.
      corners_K42: Corners of the canvas in them; None for the whole frame.
      occluded_KHW: Where occluders and logos were, in the cleaned frames.
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


def moving_or_shaped(frames_THWC: np.ndarray) -> np.ndarray:
    """Finds hands and tools by motion, or by colour and shape where frames leap: bool[T, H, W].

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front, in even light.
    """
    occluded_THW = occluders.occluded(frames_THWC)
    if leaps.is_leaping(frames_THWC, occluded_THW):
        return step_hands.in_steps(frames_THWC)
    return occluded_THW


def cleaned(
    frames_THWC: np.ndarray,
    steps: Steps = Steps(),
    occluders_in: Callable[[np.ndarray], np.ndarray] = moving_or_shaped,
) -> Cleaned:
    """Cleans a recording.

    Args:
      frames_THWC: uint8 RGB, T >= 2, evenly spaced in time.
      steps: Which steps are taken.
      occluders_in: Where something lies before the canvas in frames that a camera saw, as
        `moving_or_shaped`.
    """
    views = screen.found(frames_THWC) if steps.canvas else None
    frames_KHWC, kept_K, corners_K42, cuts, overlaid_KHW = (
        _of_camera(frames_THWC, steps) if views is None else _of_screen(frames_THWC, views)
    )
    occluded_KHW = np.zeros(frames_KHWC.shape[:3], bool)
    if steps.occluders:
        # Pointers and panels lie anywhere on a screen, and no hand before it.
        occluded_KHW = (
            occluders_in(frames_KHWC)
            if views is None
            else occluders.occluded(frames_KHWC, from_outside=False)
        )
    hidden_KHW = occluded_KHW | overlaid_KHW
    if hidden_KHW.any():
        frames_KHWC = filling.filled(frames_KHWC, hidden_KHW)
    shown_K = np.ones(len(kept_K), bool)
    if steps.span:
        # A hand tells that somebody paints, a logo does not. Faint lines tell it too, which the
        # mean over time would lose.
        shown_K = activity(frames_KHWC, occluded_KHW).kept_T
    if steps.noise:
        frames_KHWC = denoising.denoised(frames_KHWC)
    frames_KHWC = frames_KHWC[shown_K]
    if steps.colours:
        frames_KHWC = colours.sharpened(frames_KHWC)
    return Cleaned(
        frames_KHWC,
        kept_K[shown_K],
        None if corners_K42 is None else corners_K42[shown_K],
        hidden_KHW[shown_K],
        np.asarray(hidden_KHW.all(0)),
        cuts,
        len(frames_THWC) - len(kept_K),
        int((~shown_K).sum()),
    )


# The frames of the canvas, their indices in the recording, its corners in them, the number of cuts,
# and where a logo lies.
_View = tuple[np.ndarray, np.ndarray, np.ndarray | None, int, np.ndarray]


def _of_screen(frames_THWC: np.ndarray, views: screen.Views) -> _View:
    frames_KHWC = screen.shown(frames_THWC, views)
    overlaid_KHW = np.zeros(frames_KHWC.shape[:3], bool)
    return frames_KHWC, views.kept_K, views.corners_K42, 0, overlaid_KHW


def _of_camera(frames_THWC: np.ndarray, steps: Steps) -> _View:
    small_THWC = shrunk(frames_THWC, camera.SIDE)
    path = camera.still(len(frames_THWC))
    if steps.camera:
        path = camera.followed(frames_THWC, small_THWC)
    kept_K = np.flatnonzero(path.shows_T)
    frames_KHWC, to_common_K33 = frames_THWC[kept_K], path.to_common_T33[kept_K]
    # No light falls on a logo.
    overlaid_HW = np.zeros(frames_KHWC.shape[1:3], bool)
    if steps.overlays:
        overlaid_HW = overlays.found(frames_KHWC, to_common_K33)
    even_KHWC = frames_KHWC
    if steps.light:
        # The whole frame says what the light is: at first, strokes change most of the canvas.
        seen_KHWC = camera.aligned(small_THWC[kept_K], to_common_K33, frames_THWC.shape[1:3])
        even_KHWC = light.evened(frames_KHWC, light.gains(seen_KHWC))
    overlaid_KHW = np.broadcast_to(overlaid_HW, frames_KHWC.shape[:3])
    corners_K42 = canvas.found(even_KHWC, to_common_K33) if steps.canvas else None
    if corners_K42 is not None:
        sides = canvas.sides(corners_K42)
        even_KHWC = canvas.front(even_KHWC, corners_K42, *sides)
        overlaid_KHW = canvas.mask_from_front(overlaid_HW, corners_K42, *sides)
    elif steps.canvas:
        # Nothing but the canvas is seen: whatever changes may have been painted.
        even_KHWC = frames_KHWC
    return even_KHWC, kept_K, corners_K42, len(path.cuts), overlaid_KHW
