"""What the photo of a person's canvas tells: its corners, which step it is, what differs most."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from painting_jax.data import canvas_photo
from painting_jax.data.quadrilateral import whole
from painting_jax.data.rehearsal import Rehearsal
from painting_jax.errors import UserError
from painting_jax.instruction.whereabouts import Whereabouts
from painting_jax.studio import differences
from painting_jax.studio.differences import Difference
from painting_jax.studio.painting import found
from painting_jax.studio.regions import Regions
from painting_jax.studio.settings import Settings, corners_of


@dataclasses.dataclass(frozen=True)
class Process:
    """A process that a person follows.

    Attributes:
      frames_THWC: Frames, uint8.
      progress_T: Progress of each, rising.
    """

    frames_THWC: Sequence[np.ndarray]
    progress_T: Sequence[float]


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a process that a canvas is compared with.

    Attributes:
      number: Its number, from 1 on.
      of: Number of steps.
      frame_HWC: uint8 picture of it.
    """

    number: int
    of: int
    frame_HWC: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a photo of a canvas tells.

    Attributes:
      corners: Corners as shares of the photo's sides.
      canvas_HWC: uint8 canvas from the front, in the picture's light.
      progress: How far it is, 0..1.
      step: The step that it is.
      differs: What differs most from it.
      warning: What may be wrong with the photo; empty if nothing is.
    """

    corners: tuple[tuple[float, float], ...]
    canvas_HWC: np.ndarray
    progress: float
    step: Step
    differs: Difference
    warning: str


def read(
    photo_HWC: np.ndarray,
    picture_HWC: np.ndarray,
    settings: Settings,
    rehearsal: Rehearsal,
    process: Process | None = None,
) -> Reading:
    """Reads a canvas from a photo; it takes a few seconds.

    Args:
      photo_HWC: uint8 RGB photo.
      picture_HWC: uint8 RGB picture that is painted.
      settings: Medium, number of frames and regions; corners, or None to find them.
      rehearsal: Paintings of the picture in the medium.
      process: Process that the person follows; None = the rehearsal, at even steps.

    Raises:
      UserError: If regions or corners are not as they must be.
    """
    if settings.corners is None:
        found_42 = canvas_photo.corners(photo_HWC, picture_HWC) / whole(photo_HWC.shape[:2])[2]
        corners = _shares(found_42)
        settings = dataclasses.replace(settings, corners=corners)
    canvas = found(photo_HWC, picture_HWC, settings, rehearsal)
    progress, rehearsed_THWC = canvas.progress, rehearsal.frames_RTHWC[0]
    if process is not None:
        where = Whereabouts.of(np.stack(process.frames_THWC), np.array(process.progress_T))
        # Something is left to paint.
        progress = min(where.progress(canvas.canvas_HWC), process.progress_T[-2])
        at = int(np.abs(np.array(process.progress_T) - progress).argmin())
        progress = round(progress, 4)
        step = Step(1 + at, len(process.frames_THWC), process.frames_THWC[at])
    else:
        of = settings.frames or len(rehearsed_THWC)
        at = round(progress * (len(rehearsed_THWC) - 1))
        step = Step(1 + round(progress * (of - 1)), of, rehearsed_THWC[at])
    regions = Regions.of(picture_HWC, settings.edits)
    differs = differences.most(canvas.canvas_HWC, step.frame_HWC, step.number, regions)
    warning = ""
    if canvas.shows_another:
        warning = (
            "this seems to be the canvas of another picture: move the corners to those of the "
            "canvas, or take the photo again, from the front"
        )
    return Reading(settings.corners, canvas.canvas_HWC, progress, step, differs, warning)


def _shares(corners_42: np.ndarray) -> tuple[tuple[float, float], ...]:
    try:
        return corners_of(np.clip(corners_42, -0.25, 1.25).tolist())
    except UserError:
        return corners_of(whole((1, 1)).tolist())
