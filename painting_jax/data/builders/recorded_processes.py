"""Data set of painting processes made from recordings of people who paint."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import building, processes, remarks, timelapse, workers
from painting_jax.data.process import Process
from painting_jax.errors import UserError


@dataclasses.dataclass(kw_only=True, eq=False)
class Config(tfds.core.BuilderConfig):
    """Choice of recordings, and how much of them is kept.

    Attributes:
      source: Video files, folders and `.jsonl` manifests.
      medium: Medium of recordings that state none.
      size: Maximum length of the longer side in pixels; larger frames are scaled down.
      max_frames: Maximum number of frames kept of each recording, evenly spread over its duration.
      edits: What is done about openings, fades and recordings that run backwards, one of
        `timelapse.CHOICES`.
    """

    source: tuple[str, ...]
    medium: str | None = None
    size: int = 256
    max_frames: int = 128
    edits: str = timelapse.CUT


class Builder(building.ProcessBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Recorded painting processes."""

    name = "recorded_processes"

    def _find(self) -> tuple[list[building.SourceItem], list[building.Skipped]]:
        config = self.builder_config
        found, skipped = processes.find(
            config.source, medium=config.medium or "", known_media=media.MEDIA
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
                sources.append(building.SourceItem(key, recording.name, recording))
        return sources, skipped

    def _processes(
        self, sources: Sequence[building.SourceItem], split: str
    ) -> Iterator[Process | building.Skipped]:
        config = self.builder_config
        read = functools.partial(
            _read, max_frames=config.max_frames, max_side=config.size, edits=config.edits
        )
        items = [source.item for source in sources]
        results = workers.in_order(
            read, items, f"reading {split}", lambda recording: (_lost(recording), [])
        )
        for item, (result, notes) in zip(items, results, strict=True):
            self.remark(item.name, notes)
            yield result


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


def _read(
    recording: processes.ProcessFile, *, max_frames: int, max_side: int, edits: str
) -> tuple[Process | building.Skipped, list[str]]:
    """The record of a recording, or why there is none, and remarks."""
    with remarks.collected() as notes:
        try:
            return processes.to_record(
                recording, max_frames=max_frames, max_side=max_side, edits=edits
            ), notes
        except UserError as error:
            return building.Skipped(recording.name, str(error)), notes
