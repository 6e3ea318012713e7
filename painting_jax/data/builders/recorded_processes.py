"""Data set of painting processes made from recordings of people who paint."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import (
    building,
    looks,
    pictures,
    processes,
    remarks,
    timelapse,
    workers,
)
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# Bytes a pixel of a stored frame, the mean over a process: 0.24 to 0.47 in recordings of oil, ink,
# pencil and digital painting.
_BYTES_PER_PIXEL = 0.35


@dataclasses.dataclass(kw_only=True, eq=False)
class Config(tfds.core.BuilderConfig):
    """Choice of recordings, and how much of them is kept.

    Attributes:
      source: Video files, folders and `.jsonl` manifests.
      medium: Medium of recordings that state none.
      size: Maximum length of the longer side in pixels; larger frames are scaled down. The default
        is the longer side of Wan's largest videos.
      max_frames: Maximum number of frames kept of each recording, evenly spread over its duration.
      grid: "2x2" or "3x3" if pictures are processes whose steps lie in a grid; None if not.
      clean: Whether videos are cleaned: the canvas from the front, without hands and tools.
      progress: What the progress of videos that are cleaned is measured by, "time" without pauses,
        or "change".
      min_quality: Lowest quality of a video that is cleaned, 0..1, at which it is used.
      edits: What is done about openings, fades and recordings that run backwards, one of
        `timelapse.CHOICES`.
    """

    source: tuple[str, ...]
    medium: str | None = None
    size: int = 1280
    max_frames: int = 128
    grid: str | None = None
    clean: bool = False
    progress: str = "time"
    min_quality: float = 0.1
    edits: str = timelapse.CUT


class Builder(building.ProcessBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Recorded painting processes."""

    name = "recorded_processes"

    def _find(self) -> tuple[list[building.SourceItem], list[building.Skipped]]:
        config = self.builder_config
        found, skipped = processes.find(
            config.source,
            medium=config.medium or "",
            known_media=media.MEDIA,
            grid=config.grid or "",
        )
        keys = workers.in_order(_key, found, "looking at recordings", _lost)
        sources, seen = [], {}
        for recording, key in zip(found, keys, strict=True):
            # Parts of one file, or one file in two media, are not duplicates.
            what = (key, dataclasses.replace(recording, path="", name=""))
            if isinstance(key, building.Skipped):
                skipped.append(key)
            elif what in seen:
                reason = f"the same recording as {seen[what]}"
                skipped.append(building.Skipped(recording.name, reason))
            else:
                seen[what] = recording.name
                sources.append(building.SourceItem(key, recording.name, recording, recording.split))
        return sources, skipped

    def _estimate(self, sources: Sequence[building.SourceItem]) -> int:
        config = self.builder_config
        estimate = functools.partial(_size, max_frames=config.max_frames, max_side=config.size)
        items = [source.item for source in sources]
        return sum(workers.in_order(estimate, items, "estimating the size", lambda recording: 0))

    def _survey(
        self, sources: Sequence[building.SourceItem]
    ) -> Iterator[building.Survey | building.Skipped]:
        """Reads the recordings: what they look like in the end is known only then."""
        config = self.builder_config
        read = functools.partial(
            _read,
            max_frames=config.max_frames,
            max_side=config.size,
            edits=config.edits,
            cleaning=processes.Cleaning(config.progress, config.min_quality)
            if config.clean
            else None,
        )
        items = [source.item for source in sources]
        results = workers.in_order(
            read, items, "reading recordings", lambda recording: (_lost(recording), [])
        )
        for item, (result, notes) in zip(items, results, strict=True):
            self.remark(item.name, notes)
            if isinstance(result, building.Skipped):
                yield result
            else:
                look = looks.look(pictures.decode(result.reference))
                yield building.Survey(look, self.keep(result))

    def _processes(self, sources: Sequence[building.SourceItem], split: str) -> Iterator[Process]:
        for source in sources:
            yield self.take(source)


def _lost(recording: processes.ProcessFile) -> building.Skipped:
    return building.Skipped(
        recording.name, "its decoder crashed, or took more memory than there is"
    )


def _key(recording: processes.ProcessFile) -> str | building.Skipped:
    try:
        # Reading a recording makes the same remarks.
        with remarks.collected():
            return processes.content_key(recording)
    except UserError as error:
        return building.Skipped(recording.name, str(error))


def _size(recording: processes.ProcessFile, *, max_frames: int, max_side: int) -> int:
    """About how many bytes the record of a recording will have; 0 if it cannot be read."""
    start = -math.inf if recording.start is None else recording.start
    end = math.inf if recording.end is None else recording.end
    # Reading the whole recording makes the same remarks.
    with remarks.collected(), contextlib.suppress(UserError, OSError, IndexError):
        times = processes.frame_times(recording)
        inside = [time for time in times if start <= time <= end]
        # The first two frames tell the size of all.
        opening = dataclasses.replace(
            recording, start=inside[0], end=inside[min(1, len(inside) - 1)], progress=None
        )
        frame_HWC = processes.load(opening, max_frames=2, max_side=max_side).frames_THWC[0]
        # The finished picture is stored once more.
        count = min(max_frames, len(inside)) + 1
        return round(count * frame_HWC.shape[0] * frame_HWC.shape[1] * _BYTES_PER_PIXEL)
    return 0


def _read(
    recording: processes.ProcessFile,
    *,
    max_frames: int,
    max_side: int,
    edits: str,
    cleaning: processes.Cleaning | None,
) -> tuple[Process | building.Skipped, list[str]]:
    """The record of a recording, or why there is none, and remarks."""
    with remarks.collected() as notes:
        try:
            record = processes.to_record(
                recording, max_frames=max_frames, max_side=max_side, edits=edits, cleaning=cleaning
            )
        except UserError as error:
            return building.Skipped(recording.name, str(error)), notes
    return building.storable(record), notes
