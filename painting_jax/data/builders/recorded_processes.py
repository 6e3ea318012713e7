"""Data set of painting processes made from recordings of people who paint."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds
from etils import epath

from painting_jax import media
from painting_jax.data import building, looks, pictures, processes, video, workers
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# Frames at which a recording is looked at before it is read: the first, the middle, the last.
_LOOKED_AT = 3


@dataclasses.dataclass(kw_only=True, eq=False)
class Config(tfds.core.BuilderConfig):
    """Choice of recordings, and how much of them is kept.

    Attributes:
      source: Video files, folders and `.jsonl` manifests.
      medium: Medium of recordings that state none.
      size: Maximum length of the longer side in pixels; larger frames are scaled down. The default
        is the longer side of Wan's largest videos.
      max_frames: Maximum number of frames kept of each recording, evenly spread over its duration.
    """

    source: tuple[str, ...]
    medium: str | None = None
    size: int = 1280
    max_frames: int = 128


class Builder(building.ProcessBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Recorded painting processes."""

    name = "recorded_processes"

    def _find(self) -> tuple[list[building.SourceItem], list[building.Skipped]]:
        config = self.builder_config
        found, skipped = processes.find(
            config.source, medium=config.medium or "", known_media=media.MEDIA
        )
        keys = workers.in_order(_key, found, "looking at recordings")
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
                sources.append(building.SourceItem(key, recording.name, recording))
        return sources, skipped

    def _survey(
        self, sources: Sequence[building.SourceItem]
    ) -> Iterator[building.Survey | building.Skipped]:
        config = self.builder_config
        survey = functools.partial(_survey, max_frames=config.max_frames, max_side=config.size)
        items = [source.item for source in sources]
        yield from workers.in_order(survey, items, "looking at pictures")

    def _processes(
        self, sources: Sequence[building.SourceItem], split: str
    ) -> Iterator[Process | building.Skipped]:
        config = self.builder_config
        read = functools.partial(_read, max_frames=config.max_frames, max_side=config.size)
        items = [source.item for source in sources]
        yield from workers.in_order(read, items, f"reading {split}")


def _key(recording: processes.ProcessFile) -> str | building.Skipped:
    try:
        return processes.content_key(recording)
    except UserError as error:
        return building.Skipped(recording.name, str(error))


def _survey(
    recording: processes.ProcessFile, *, max_frames: int, max_side: int
) -> building.Survey | building.Skipped:
    """Looks at three frames of a recording."""
    try:
        some_THWC = processes.load(recording, max_frames=_LOOKED_AT, max_side=max_side).frames_THWC
        frames = min(max_frames, _frames(recording))
    except UserError as error:
        return building.Skipped(recording.name, str(error))
    mean = sum(len(pictures.encode(frame_HWC)) for frame_HWC in some_THWC) / len(some_THWC)
    # The finished picture is stored once more.
    return building.Survey(looks.look(some_THWC[-1]), round((frames + 1) * mean))


def _frames(recording: processes.ProcessFile) -> int:
    """Number of frames between start and end; of a folder, at most that."""
    path = epath.Path(recording.path)
    times = range(len(list(path.iterdir()))) if path.is_dir() else video.frame_times(path)
    start = -math.inf if recording.start is None else recording.start
    end = math.inf if recording.end is None else recording.end
    return sum(start <= time <= end for time in times)


def _read(
    recording: processes.ProcessFile, *, max_frames: int, max_side: int
) -> Process | building.Skipped:
    try:
        return processes.to_record(recording, max_frames=max_frames, max_side=max_side)
    except UserError as error:
        return building.Skipped(recording.name, str(error))
