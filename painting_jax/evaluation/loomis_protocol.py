"""How Loomis Painter's authors (arXiv 2511.17344) compare a method with recorded videos.

Each video of the test split has a reference. A method that paints squares gets it contained in
512x512 pixels and padded with white; its frames are un-padded afterwards, resized to the reference,
and stored under the source and the id of the video. Source: `eval/run_eval.py` and
`eval/img_utils.py` of the authors' fork of ProcessPainter.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from painting_jax.data import pickled_files, pictures, processes, remarks
from painting_jax.data.processes import ProcessFile
from painting_jax.errors import UserError
from painting_jax.evaluation.measures import RECORDED
from painting_jax.evaluation.videos import Video

NAME = "loomis_painter"
SIDE = 512
_SPLIT = "test"
_FRAMES = pathlib.PurePath(pickled_files.FRAMES).stem

# Mean difference of two files of one picture, of 255, that encoding does not explain.
_ANOTHER = 10

NOTE = (
    f"The protocol of Loomis Painter's authors: videos of the test split, paired by source and id, "
    f"at up to {SIDE} pixels unless --size says otherwise; square frames of a picture that is not "
    "square are taken as padded, and un-padded."
)


def named(files: Sequence[ProcessFile]) -> list[ProcessFile]:
    """Names each process `{source}/{id}`, whatever folder it was searched in."""
    return [dataclasses.replace(file, name=_name(file)) for file in files]


def _name(file: ProcessFile) -> str:
    path = pathlib.Path(file.path)
    is_exported = path.stem == _FRAMES
    parts = path.absolute().parts[:-1] if is_exported else pathlib.PurePath(file.name).parts
    return "/".join(parts[-2:])


def recorded(files: Sequence[ProcessFile]) -> tuple[list[ProcessFile], list[str]]:
    """Named videos of the test split, and a line for each other video that is left out.

    If no file states a split, all are the test split.

    Raises:
      UserError: If none belongs to it.
    """
    has_splits = any(file.split for file in files)
    of_test = [file for file in files if file.split == _SPLIT or not has_splits]
    if not of_test:
        raise UserError(
            f"--protocol={NAME} compares with the test split, and --recorded holds none: name a "
            "folder with test/SOURCE/ID"
        )
    others = len(files) - len(of_test)
    plural = "s" if others != 1 else ""
    lines = [f"{others} recorded video{plural} of other splits than {_SPLIT}"] if others else []
    found: dict[str, ProcessFile] = {}
    for original, file in zip(of_test, named(of_test), strict=True):
        if file.name in found:
            lines.append(f"{original.path} has the source and the id of {found[file.name].path}")
        found.setdefault(file.name, file)
    return list(found.values()), lines


def reference_path(file: ProcessFile) -> pathlib.Path:
    """Where the reference of a recorded video would lie."""
    return pathlib.Path(file.path).with_name(pickled_files.REFERENCE)


def unpadded(read: Mapping[str, Video], file: ProcessFile) -> dict[str, Video]:
    """The videos of a picture without padding.

    Args:
      read: Videos by method, the recorded one among them.
      file: The recorded process. A reference that is another picture than its last frame is
        remarked on.

    Raises:
      UserError: If the reference cannot be read.
    """
    reference_HWC, finished_HWC = processes.reference(file), read[RECORDED].frames_THWC[-1]
    if reference_HWC is None:
        reference_HWC = finished_HWC
    again_HWC = pictures.fit(reference_HWC, *finished_HWC.shape[:2]).astype(np.int16)
    if (apart := float(np.abs(again_HWC - finished_HWC).mean())) > _ANOTHER:
        remarks.add(
            f"{file.path}: its last frame, with which is compared, is {apart:.0f} of 255 from its "
            f"{pickled_files.REFERENCE}"
        )
    return {
        method: video if method == RECORDED else _unpadded(video, reference_HWC.shape[:2])
        for method, video in read.items()
    }


def _unpadded(video: Video, shape_HW: tuple[int, int]) -> Video:
    _, height, width, _ = video.frames_THWC.shape
    if height != width or shape_HW[0] == shape_HW[1]:
        return video
    top, left, bottom, right = _box(width, *shape_HW)
    return dataclasses.replace(video, frames_THWC=video.frames_THWC[:, top:bottom, left:right])


def _box(side: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Where a picture lies in a square that it was padded to, rounded as Pillow rounds."""
    longer = max(height, width)
    tall, wide = (max(1, round(side * length / longer)) for length in (height, width))
    top, left = round((side - tall) / 2), round((side - wide) / 2)
    return top, left, top + tall, left + wide
