"""Pictures to be painted: a user's own, or ones held out from training."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tqdm

from painting_jax.data import label_maps, pickled_files, pictures
from painting_jax.data.building import Skipped
from painting_jax.data.painting import tone_of
from painting_jax.data.pipeline import DataSource
from painting_jax.data.process import Process
from painting_jax.errors import UserError, readable

PictureAndLabels = tuple[np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A picture to be painted.

    Attributes:
      name: short.
      origin: File name of the picture, without its folders, which are the user's own.
      load: returns the picture, uint8[H, W, 3], and its label map, uint8[H, W] in painting order,
        or None if it has none. Pictures are loaded one at a time to bound memory.
    """

    name: str
    origin: str
    load: Callable[[], PictureAndLabels]


def from_files(
    paths: Sequence[str],
    segments: str | os.PathLike | None = None,
    output: str | os.PathLike | None = None,
) -> tuple[list[Subject], list[Skipped]]:
    """Lists pictures from files, folders and patterns.

    Each is read once with its label map, so that mistakes show before a model is loaded.

    Args:
      paths: see `pictures.list_pictures`.
      segments: a label map for a single picture, or a folder of maps named like the pictures.
      output: folder for the results; see `pictures.list_pictures`.

    Returns:
      The pictures, and the files of folders and patterns that cannot be read.

    Raises:
      UserError: if there is no picture, if one that is named itself cannot be read, or if a
        single map is given for several pictures.
    """
    files = [(path, file) for path in paths for file in pictures.list_pictures(path, output)]
    maps = pathlib.Path(segments) if segments else None
    if maps and not maps.is_dir() and len(files) > 1:
        raise UserError(
            f"--segments={maps} is one map for {len(files)} pictures: name a folder of maps"
        )
    found, skipped = [], []
    for path, file in tqdm.tqdm(files, desc="looking at pictures", disable=None):
        load = functools.partial(_load, file, maps)
        try:
            load()
        except UserError as error:
            if path == file:
                raise
            skipped.append(Skipped(pathlib.Path(file).name, str(error)))
        else:
            path = pathlib.Path(file)
            if path.name == pickled_files.REFERENCE and path.absolute().parent.name:
                # All references have one name: the folder is named after the video.
                path = path.absolute().parent
                found.append(Subject(readable(path.name), readable(path.name), load))
            else:
                found.append(Subject(readable(path.stem), readable(path.name), load))
    if not found:
        raise UserError(f"none of the {len(skipped)} pictures can be painted: {skipped[0].reason}")
    return found, skipped


def _load(file: str, maps: pathlib.Path | None) -> PictureAndLabels:
    picture_HWC = pictures.load(file)
    if maps is None:
        return picture_HWC, None
    path = maps / f"{pathlib.Path(file).stem}.png" if maps.is_dir() else maps
    return picture_HWC, label_maps.load(path, picture_HWC.shape[:2])


def held_out(source: DataSource, count: int) -> list[Subject]:
    """The photos (else the finished pictures) of the first `count` distinct sources of a split.

    A photo that was painted in several tones is taken in its own.
    """
    found: dict[str, int] = {}
    for row in range(len(source)):
        record = source.record(row)
        if tone_of(record.id) is None:
            found.setdefault(record.source, row)
        if len(found) == count:
            break
    if len(found) < count:
        raise UserError(f"{source.path} holds out {len(found)} pictures, fewer than {count}")
    return [_from_record(source, row) for row in found.values()]


def photo_of(record: Process) -> np.ndarray:
    """The photo that a process was painted from, else its finished picture: uint8[H, W, 3]."""
    photos = [variant.image for variant in record.variants if variant.kind == "photo"]
    return pictures.decode(photos[0] if photos else record.reference)


def _from_record(source: DataSource, row: int) -> Subject:
    record = source.record(row)

    def load() -> PictureAndLabels:
        photo_HWC, labels_HW = photo_of(record), record.segments
        # A photo that is larger than the frames shows borders that their map does not.
        return photo_HWC, labels_HW if labels_HW.shape == photo_HWC.shape[:2] else None

    name = "".join(
        letter if letter.isalnum() else "_" for letter in pathlib.Path(record.source).stem
    )
    return Subject(name, pathlib.Path(record.source).name, load)
