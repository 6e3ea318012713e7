"""A recording made into a process: cleaned, told what was done, judged, and thinned out."""

import dataclasses
from collections.abc import Callable

import numpy as np

from painting_jax.data import timelapse, video
from painting_jax.data.curation.cleaning import Cleaned, Steps, cleaned, moving_or_shaped
from painting_jax.data.curation.distinct import distinct
from painting_jax.data.curation.options import CHANGE, TIME
from painting_jax.data.curation.progress import changed
from painting_jax.data.curation.quality import Quality, quality


@dataclasses.dataclass(frozen=True)
class Restored:
    """A process of K frames from a recording.

    Attributes:
      frames_KHWC: uint8 RGB, the canvas alone.
      progress_K: Share of the painting that is done, from 0 to 1; as stated, if it was.
      kept_K: Indices of these frames in the recording.
      remarks: What was done.
      quality: How well the recording shows the process.
      sign: 1 = in painted order, -1 = reversed, 0 = undecided; see `timelapse.direction`.
    """

    frames_KHWC: np.ndarray
    progress_K: np.ndarray
    kept_K: np.ndarray
    remarks: tuple[str, ...]
    quality: Quality
    sign: int


def restored(
    frames_THWC: np.ndarray,
    progress_T: np.ndarray,
    *,
    max_frames: int,
    measure: str = TIME,
    is_stated: bool = False,
    occluders_in: Callable[[np.ndarray], np.ndarray] = moving_or_shaped,
) -> Restored:
    """Makes a process of a recording.

    Args:
      frames_THWC: uint8 RGB, T >= 2.
      progress_T: Share of the time, or what was stated.
      max_frames: Largest number of frames that are returned.
      measure: `TIME` without pauses, or `CHANGE`, the share of what was painted.
      is_stated: Whether the progress was stated; it is believed then, and no frame is dropped.
      occluders_in: As in `cleaned`.
    """
    result = cleaned(frames_THWC, Steps(span=not is_stated), occluders_in)
    judged = quality(result)
    frames_KHWC, progress_K = result.frames_KHWC, progress_T[result.kept_K]
    if not is_stated:
        # What is dropped took no time. A cut took some, but nobody knows how much.
        steps_T = np.diff(progress_T, prepend=progress_T[0])
        time_K = np.cumsum(steps_T[result.kept_K])
        progress_K = changed(frames_KHWC) if measure == CHANGE else time_K - time_K[0]
        progress_K = progress_K / progress_K[-1] if progress_K[-1] > 0 else time_K
    kept_K = distinct(frames_KHWC)
    kept_K = kept_K[video.evenly_spaced(len(kept_K), max_frames)]
    return Restored(
        frames_KHWC[kept_K],
        progress_K[kept_K],
        result.kept_K[kept_K],
        _told(result, judged, len(frames_THWC)),
        judged,
        # All frames tell more than those few that are kept.
        timelapse.direction(frames_KHWC).sign,
    )


def _told(result: Cleaned, judged: Quality, count: int) -> tuple[str, ...]:
    told = []
    if result.corners_K42 is None:
        told.append("no canvas was found in the frame, which is taken whole")
    if result.others:
        told.append(
            f"{result.others} of {count} frames show something else, such as a title card: they "
            "are left out"
        )
    if result.cuts:
        told.append(f"the camera stands elsewhere after {_counted(result.cuts, 'cut')}")
    if result.idle:
        told.append(
            f"{result.idle} of {count} frames, before the painting, after it or in pauses, are "
            "left out"
        )
    if hidden := float(result.occluded_KHW.mean()):
        told.append(f"hands, tools and logos hid {hidden:.1%} of the canvas, which is restored")
    if judged.reasons:
        told.append(f"quality {judged.score:.2f} of 1: {', '.join(judged.reasons)}")
    return tuple(told)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
