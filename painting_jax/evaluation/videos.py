"""Processes as the evaluation holds them: with names that pair, at a common shape."""

import collections
import dataclasses
import os

import numpy as np

from painting_jax.data import pictures, processes, timelapse
from painting_jax.data.name_order import natural_order
from painting_jax.data.processes import ProcessFile
from painting_jax.errors import UserError
from painting_jax.evaluation.measures import PAINTED, REVERSED


@dataclasses.dataclass(frozen=True)
class Video:
    """One painting process, in the order it was painted.

    Attributes:
      name: what pairs it with a process of another set.
      frames_THWC: uint8 RGB, T >= 2.
      progress_T: float32, share of the painting time, rising from 0 to 1.
      medium: a name from the registry, those of a mixture joined by " + ", or "" where it is not
        known.
      order: how the file had it: `PAINTED`, or `REVERSED`, and then it was turned round.
      stated: whether its progress is stated, and so its order known.
      cut: the share of the picture that was cropped away to compare it with another.
      picture: what tells which picture is painted, "" where it is not known; its processes in
        several media share it.

    Raises:
      UserError: for frames of another type, or a progress that is not finite.
    """

    name: str
    frames_THWC: np.ndarray
    progress_T: np.ndarray
    medium: str = ""
    order: str = PAINTED
    stated: bool = False
    cut: float = 0.0
    picture: str = ""

    def __post_init__(self):
        if self.frames_THWC.dtype != np.uint8:
            raise UserError(
                f"{self.name} has frames of {self.frames_THWC.dtype} where uint8 is measured: "
                "round them first, and see that none is NaN"
            )
        if not np.isfinite(self.progress_T).all():
            raise UserError(f"{self.name} has a progress that is no number")


def find(folder: str | os.PathLike) -> tuple[list[ProcessFile], list[str]]:
    """Finds processes as `processes.find` does, under the names by which they are paired.

    The name of a video has no suffix unless another process has the same name without it.

    Returns:
      The processes in natural order of their names, and a line for each file that is none.

    Raises:
      UserError: as in `processes.find`, or if no file is a process.
    """
    found, skipped = processes.find([folder])
    lines = [f"{skip.name}: {skip.reason}" for skip in skipped]
    if not found:
        raise UserError(f"none of the {len(lines)} files in {folder} is a process: {lines[0]}")
    short = [_without_suffix(file) for file in found]
    count = collections.Counter(short)
    found = [
        dataclasses.replace(file, name=file.name if count[name] > 1 else name)
        for file, name in zip(found, short, strict=True)
    ]
    return sorted(found, key=lambda file: natural_order(file.name)), lines


def _without_suffix(file: ProcessFile) -> str:
    suffix = os.path.splitext(file.path)[1]
    # Folders have none: what follows their last dot is a part of their name.
    is_folder = file.pictures is not None or os.path.isdir(file.path)
    return file.name if is_folder or not suffix else file.name.removesuffix(suffix)


def load(file: ProcessFile, *, frames: int, size: int, edits: str = timelapse.KEEP) -> Video:
    """Reads a process of at most `frames` frames with longer sides of at most `size` pixels.

    Args:
      file: from `find`.
      frames: maximum number of frames.
      size: maximum length of the longer side.
      edits: as in `processes.load`.

    Raises:
      UserError: as in `processes.load`.
    """
    loaded = processes.load(file, max_frames=frames, max_side=size, edits=edits)
    return Video(
        file.name,
        loaded.frames_THWC,
        loaded.progress_T,
        file.medium,
        REVERSED if loaded.was_reversed else PAINTED,
        file.progress is not None,
        picture=file.picture,
    )


_LONG_SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
_ASPECTS = (1.0, 7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 1 / 4)


def common_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """The shape at which a video is compared, near its own and one of few.

    Every new shape costs a compilation, so sides and aspects are rounded to a short list. The
    longer side is the largest listed one that neither the video nor `size` falls short of, but at
    least 64.
    """
    at_most = min(max(height, width), size)
    long = max((side for side in _LONG_SIDES if side <= at_most), default=_LONG_SIDES[0])
    aspect = min(height, width) / max(height, width)
    shorts = [round(long * listed / 16) * 16 for listed in _ASPECTS]
    short = min(shorts, key=lambda listed: abs(np.log(listed / long / aspect)))
    return (short, long) if height <= width else (long, short)


def fit(frames_THWC: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """Frames cropped around their centre to an aspect and resized to it: uint8[T, H, W, C]."""
    return np.stack([pictures.fit(frame_HWC, *shape_HW) for frame_HWC in frames_THWC])
