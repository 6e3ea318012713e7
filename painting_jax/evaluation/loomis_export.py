"""Writes videos in the layout that scripts of Loomis Painter's authors read.

{method}/test/{source}/{id}/frame_data.pkl       list of PNG bytes, in painted order
{method}/test/{source}/{id}/frame_progress.pkl   list of floats within 0 to 1
"""

import os
import pathlib
import pickle
import re
from collections.abc import Iterable

from painting_jax.data import pickled_files, pictures, processes
from painting_jax.errors import UserError
from painting_jax.evaluation import videos
from painting_jax.evaluation.folder_source import FolderSource, reverse
from painting_jax.evaluation.measurement import Watch
from painting_jax.evaluation.measures import RECORDED
from painting_jax.evaluation.videos import Video
from painting_jax.files import check_destination, folder_written_beside

# Everything that reads pickles of bytes reads it.
_PICKLE_PROTOCOL = 4


def check(flag: str, path: str | os.PathLike, inputs: Iterable[str | os.PathLike]) -> None:
    """Checks that the videos can be written, before any work.

    Args:
      flag: Name of the flag.
      path: Value of the flag.
      inputs: Folders that are evaluated.

    Raises:
      UserError: If they cannot, there is something already, or they would be found as inputs.
    """
    check_destination(flag, path, folder=True)
    folder = pathlib.Path(path)
    for evaluated in inputs:
        if folder.resolve().is_relative_to(pathlib.Path(evaluated).resolve()):
            raise UserError(f"--{flag}={path} lies in {evaluated}, which is evaluated")
    if not folder.name or (folder.is_dir() and any(folder.iterdir())):
        raise UserError(f"--{flag}={path} is not empty: name a new folder")


def write(source: FolderSource, folder: str | os.PathLike, watch: Watch) -> int:
    """Writes the methods' videos as they were measured, un-padded and at the reference's size.

    Args:
      source: Videos that are compared by `loomis_protocol`.
      folder: A new folder, which appears whole or not at all.
      watch: Wraps an iterable and a description of the work to show progress.

    Returns:
      The number of videos.
    """
    count = 0
    with folder_written_beside(folder) as unfinished:
        for batch in watch(source.batches, "exporting"):
            (files,), data = batch, source.read(batch)
            read = data[0]
            for group in source.groups(batch, data):
                for method in files.methods.keys() & group.methods.keys():
                    video = read[method]
                    # The group may have found that it runs backwards.
                    if group.methods[method].order != video.order:
                        video = reverse(video)
                    reference_HWC = processes.reference(files.recorded)
                    if reference_HWC is None:
                        reference_HWC = read[RECORDED].frames_THWC[-1]
                    parts = (method, "test", *files.recorded.name.split("/"))
                    beside = unfinished.joinpath(*map(_safe, parts))
                    _write(beside, video, reference_HWC.shape[:2])
                    count += 1
    return count


def _write(folder: pathlib.Path, video: Video, shape_HW: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    frames_THWC = videos.fit(video.frames_THWC, shape_HW)
    encoded = [pictures.encode(frame_HWC, "png") for frame_HWC in frames_THWC]
    progress = [round(float(share), 6) for share in video.progress_T]
    for name, values in ((pickled_files.FRAMES, encoded), (pickled_files.PROGRESS, progress)):
        with (folder / name).open("wb") as file:
            pickle.dump(values, file, _PICKLE_PROTOCOL)


def _safe(name: str) -> str:
    """A name of a folder that leads nowhere else."""
    return re.sub(r"[/\\]|^\.+", "_", name)
