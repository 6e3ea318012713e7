"""Reads the time-lapse of a Procreate archive: a zip with `video/segments/segment-N.mp4`."""

import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax.data import containers, remarks
from painting_jax.data.artwork import archive
from painting_jax.errors import UserError

_SEGMENT = re.compile(r"video/segments/segment-(\d{1,9})\.(?:mp4|mov|m4v)", re.IGNORECASE)
_MOST_BYTES = 4 << 30  # of all that an archive holds


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
        with archive.opened(self._path, "Procreate archive", _MOST_BYTES) as file:
            names = {
                int(found[1]): name
                for name in file.namelist()
                if (found := _SEGMENT.fullmatch(name))
            }
            if not names:
                raise UserError(
                    f"{self._path} holds no time-lapse: switch on Actions, Video, Time-lapse "
                    "recording in Procreate before painting"
                )
            for number, name in sorted(names.items()):
                target = epath.Path(folder / f"segment-{number}.mp4")
                target.write_bytes(archive.read_member(file, name, _MOST_BYTES))
                yield target
