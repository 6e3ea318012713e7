"""Painting processes for evaluation: named for pairing, and resized to a common shape."""

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
    """One painting process, in painted order.

    Attributes:
      name: Name that pairs it with a process of another set.
      frames_THWC: Frames, uint8 RGB, T >= 2.
      progress_T: Share of the painting time at each frame, float32, increasing from 0 to 1.
      medium: Name of the medium in the registry; names of a mixture are joined by " + ", and "" is
        unknown.
      order: Order of the frames in the file: `PAINTED`, or `REVERSED` if they were reversed here.
      stated: Whether the progress is stated, so that the order is known.
      cut: Share of the picture that was cropped for the comparison with another.
      picture: Identifier of the painted picture, shared by its processes in several media; "" is
        unknown.

    Raises:
      UserError: If the frames have another dtype, or the progress is not finite.
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
            raise UserError(f"{self.name} has a progress that is NaN")


def find(folder: str | os.PathLike) -> tuple[list[ProcessFile], list[str]]:
    """Finds processes with `processes.find`, and gives them the names by which they are paired.

    The suffix of a video is removed from its name unless another process would have the same name.

    Returns:
      The processes in natural order of their names, and a line for each file that is not one.

    Raises:
      UserError: If `processes.find` fails, or no file is a process.
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
    """Reads at most `frames` frames of a process, scaled to longer sides of at most `size` pixels.

    Args:
      file: File or folder from `find`.
      frames: Maximum number of frames.
      size: Maximum length of the longer side, in pixels.
      edits: What is done about edits, see `processes.load`.

    Raises:
      UserError: If the process cannot be read, see `processes.load`.
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
    """Height and width at which a video is compared, close to its own.

    Every new shape costs a compilation, so sides and aspect ratios are rounded to a short list. The
    longer side is the largest listed one that exceeds neither the video's nor `size`, but at least
    64.
    """
    at_most = min(max(height, width), size)
    long = max((side for side in _LONG_SIDES if side <= at_most), default=_LONG_SIDES[0])
    aspect = min(height, width) / max(height, width)
    shorts = [round(long * listed / 16) * 16 for listed in _ASPECTS]
    short = min(shorts, key=lambda listed: abs(np.log(listed / long / aspect)))
    return (short, long) if height <= width else (long, short)


def fit(frames_THWC: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """Crops frames around their centre to an aspect ratio and resizes them: uint8[T, H, W, C]."""
    return np.stack([pictures.fit(frame_HWC, *shape_HW) for frame_HWC in frames_THWC])
