"""Reads the time-lapse of a Procreate archive: a zip with `video/segments/segment-N.mp4`."""

import contextlib
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax.data import containers, remarks
from painting_jax.errors import UserError

_SEGMENT = re.compile(r"(?:^|/)video/segments/segment-(\d{1,9})\.(?:mp4|mov|m4v)$", re.IGNORECASE)
_MOST_SEGMENTS = 10_000
_MOST_BYTES = 4 << 30  # of all segments together
_BLOCK = 1 << 20

_DAMAGE = (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError)


class Procreate:
    """The frames of a time-lapse, as `States`. Its segments follow each other by their numbers.

    A segment that cannot be read is left out with a remark.
    """

    stated: Mapping[str, Any] = {}

    def __init__(self, path: epath.PathLike):
        """Opens an archive.

        Raises:
          UserError: If it is damaged, holds no time-lapse, or a larger one than can be read.
        """
        self._path = epath.Path(path)
        self._folder = tempfile.TemporaryDirectory(prefix="painting_jax_")
        self._segments: list[tuple[epath.Path, containers.Timeline]] = []
        for file in self._unpacked(pathlib.Path(self._folder.name)):
            try:
                self._segments.append((file, containers.timeline(file)))
            except UserError as error:
                remarks.add(f"{self._path.name}: {file.name} is left out: {error}")
        if not self._segments:
            raise UserError(f"{self._path} has a time-lapse of which nothing can be read")
        counts = [len(times.seconds) for _, times in self._segments]
        self._first_S = np.concatenate([[0], np.cumsum(counts)])

    def __len__(self) -> int:
        return int(self._first_S[-1])

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """As `States.pictures`; one frame is in memory at a time."""
        segment_N = np.searchsorted(self._first_S, indices, side="right") - 1
        for number in np.unique(segment_N):
            file, times = self._segments[number]
            within = np.asarray(indices)[segment_N == number] - self._first_S[number]
            wanted = [times.seconds[index] for index in within]
            for _, frame_HWC in containers.frames(file, times, wanted):
                yield frame_HWC

    def _unpacked(self, folder: pathlib.Path) -> Iterator[epath.Path]:
        """Writes the segments beside each other, under names of our own, in their order."""
        try:
            with self._path.open("rb") as file, zipfile.ZipFile(file) as archive:
                members = {
                    int(found[1]): member
                    for member in archive.infolist()
                    if (found := _SEGMENT.search(member.filename))
                }
                if not members:
                    raise UserError(
                        f"{self._path} holds no time-lapse: record one in Procreate "
                        "(Actions, Video, Time-lapse recording)"
                    )
                if len(members) > _MOST_SEGMENTS:
                    raise UserError(f"{self._path} has {len(members)} segments: too many to read")
                left = _MOST_BYTES
                for number, member in sorted(members.items()):
                    target = folder / f"segment-{number}.mp4"
                    left -= _copied(archive, member, target, left)
                    if left < 0:
                        raise UserError(
                            f"{self._path} has a time-lapse of more than {_MOST_BYTES >> 30} GiB"
                        )
                    yield epath.Path(target)
        except _DAMAGE as error:
            raise UserError(f"{self._path} is damaged or no Procreate archive: {error}") from None


def _copied(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: pathlib.Path, most: int
) -> int:
    """Copies a member to a file and returns its bytes, or more than `most` as soon as it has."""
    size = 0
    # What the archive states of its sizes may be wrong: what is read counts.
    with archive.open(member) as source, contextlib.closing(target.open("wb")) as file:
        while size <= most and (block := source.read(_BLOCK)):
            size += len(block)
            file.write(block)
    return size
