"""Data set of painting processes made from recordings of people who paint."""

import dataclasses
import functools
import math
import os
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import (
    building,
    kept_records,
    processes,
    reading_recordings,
    readings,
    timelapse,
)
from painting_jax.data.curation.options import TIME, Cleaning, Prompted
from painting_jax.data.enrichment import trial
from painting_jax.data.enrichment.enrichment import NONE, Enrichment
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# Recordings from which the size of all is estimated.
_ESTIMATED_FROM = 64


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
      progress: What the progress of videos that are cleaned is measured by, one of
        `options.MEASURES`.
      min_quality: Lowest quality of a video that is cleaned, 0..1, at which it is used.
      occluders: Networks that find hands and tools before the canvas of videos that are cleaned;
        None for motion alone.
      edits: What is done about openings, fades and recordings that run backwards, one of
        `timelapse.CHOICES`.
      enrichment: Which networks add to the records.
    """

    source: tuple[str, ...]
    medium: str | None = None
    size: int = 1280
    max_frames: int = 128
    grid: str | None = None
    clean: bool = False
    progress: str = TIME
    min_quality: float = 0.1
    occluders: Prompted | None = None
    edits: str = timelapse.CUT
    enrichment: Enrichment = NONE


class Builder(building.ProcessBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Recorded painting processes."""

    name = "recorded_processes"
    copies = 2

    def _find(self) -> tuple[list[building.SourceItem], list[building.Skipped]]:
        config = self.builder_config
        found, skipped = processes.find(
            config.source,
            medium=config.medium or "",
            known_media=media.MEDIA,
            needs_medium=config.enrichment.medium is None,
            grid=config.grid or "",
        )
        keys = self.crew.in_order(
            reading_recordings.key, found, "looking at recordings", reading_recordings.no_key
        )
        sources, seen = [], {}
        for recording, (key, reason) in zip(found, keys, strict=True):
            # Parts of one file, or one file in two media, are not duplicates.
            what = (key, dataclasses.replace(recording, path="", name=""))
            if key is None:
                skipped.append(building.Skipped(recording.name, reason))
            elif what in seen:
                reason = f"the same recording as {seen[what]}"
                skipped.append(building.Skipped(recording.name, reason))
            else:
                seen[what] = recording.name
                sources.append(building.SourceItem(key, recording.name, recording, recording.split))
        return sources, skipped

    def _estimate(self, sources: Sequence[building.SourceItem]) -> int:
        config = self.builder_config
        estimate = functools.partial(
            reading_recordings.size,
            max_frames=config.max_frames,
            max_side=config.size,
            variants=len(config.enrichment.looks),
        )
        some = [source.item for source in sources[:: math.ceil(len(sources) / _ESTIMATED_FROM)]]
        sizes = self.crew.in_order(estimate, some, "estimating the size", lambda *_: 0)
        return round(sum(sizes) * len(sources) / len(some))

    def _survey(
        self, sources: Sequence[building.SourceItem]
    ) -> Iterator[building.Survey | building.Skipped]:
        """Reads the recordings: what they look like in the end is known only then."""
        config = self.builder_config
        names = [self.record_name(source) for source in sources]
        there = kept_records.only(self.kept, names)
        if there:
            self.say(f"{len(there)} of {len(sources)} recordings were read by an earlier run")
        tasks = [
            readings.Task(source.item, str(self.kept / name))
            for source, name in zip(sources, names, strict=True)
            if name not in there
        ]
        enrichment, workers = config.enrichment, self.crew.workers_for(len(tasks))
        occluders = config.occluders if config.clean else None
        if tasks and (enrichment.networks or occluders):
            workers = trial.room(enrichment, config.size, workers, self.say, occluders)
            if workers:
                threads = len(os.sched_getaffinity(0)) // workers
                enrichment = dataclasses.replace(enrichment, threads=threads)
                occluders = occluders and dataclasses.replace(occluders, threads=threads)
        cleaning = Cleaning(config.progress, config.min_quality, occluders)
        read = functools.partial(
            reading_recordings.read,
            max_frames=config.max_frames,
            max_side=config.size,
            edits=config.edits,
            cleaning=cleaning if config.clean else None,
            enrichment=enrichment,
        )
        outcomes = self.crew.in_order(
            readings.Keeper(read), tasks, "reading recordings", readings.lost, most=workers
        )
        for source, name in zip(sources, names, strict=True):
            if name not in there:
                reason, notes = next(outcomes)
                if reason is not None:
                    self.remark(source.name, notes)
                    yield building.Skipped(source.name, reason)
                    continue
            head = kept_records.head(self.kept / name)
            if head is None:
                raise UserError(
                    f"{self.kept / name} is gone: let nothing else write to this folder"
                )
            self.remark(source.name, head.notes)
            yield building.Survey(head.look, head.sighting)

    def _processes(self, sources: Sequence[building.SourceItem], split: str) -> Iterator[Process]:
        for source in sources:
            yield kept_records.read(self.kept / self.record_name(source))
