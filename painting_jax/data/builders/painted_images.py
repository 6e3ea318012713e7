"""Data set of painting processes that the procedural painter makes from photos."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import (
    building,
    painting,
    photos,
    pictures,
    remarks,
    splits,
    tones,
    workers,
)
from painting_jax.data.process import Process
from painting_jax.errors import UserError


@dataclasses.dataclass(kw_only=True, eq=False)
class Config(tfds.core.BuilderConfig):
    """Choice of photos, and how they are painted.

    Attributes:
      source: Picture, folder or glob pattern; None for the photos in scikit-image and scikit-learn.
      media: Names from `media.MEDIA`.
      height: Height of a frame in pixels.
      width: Width of a frame in pixels.
      frames: Number of frames stored for each process.
      variants: Number of variants of each training photo in each medium. Variants differ in crop,
        colours, tone, manner and strokes. Photos of the other splits are painted from a centred
        crop: as they are in each medium, and in each tone of `tones.HELD_OUT` in one medium.
      tones: Whether training photos vary in tone, and held-out ones come in every tone, too.
      seed: Seed of crops, colours and strokes.
    """

    source: str | None = None
    media: tuple[str, ...] = tuple(media.MEDIA)
    height: int = 64
    width: int = 64
    frames: int = 17
    variants: int = 8
    tones: bool = True
    seed: int = 0


class Builder(building.ProcessBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Painting processes that the painter made from photos."""

    name = "painted_images"

    def _find(self) -> tuple[list[building.SourceItem], list[building.Skipped]]:
        config = self.builder_config
        if config.source is None:
            found = photos.packaged()
        else:
            paths = pictures.list_pictures(config.source)
            root = os.path.commonpath([os.path.dirname(path) for path in paths])
            found = [photos.described(path, root) for path in paths]
        sources, skipped, seen = [], [], {}
        results = workers.in_order(_check, found, "looking at photos", _lost)
        for photo, (checked, notes) in zip(found, results, strict=True):
            self.remark(photo.name, notes)
            if isinstance(checked, building.Skipped):
                skipped.append(checked)
            elif checked in seen:
                reason = f"the same file as {seen[checked]}"
                skipped.append(building.Skipped(photo.name, reason))
            else:
                seen[checked] = photo.name
                sources.append(building.SourceItem(checked, photo.name, photo))
        return sources, skipped

    def _processes(self, sources: Sequence[building.SourceItem], split: str) -> Iterator[Process]:
        config = self.builder_config
        training = split == splits.SPLITS[0]
        tasks = []
        for source in sources:
            task = painting.PhotoTask(
                photo=source.item,
                key=source.key,
                media=config.media,
                height=config.height,
                width=config.width,
                frames=config.frames,
                seed=config.seed,
                vary_tone=config.tones,
            )
            if training:
                variants = range(config.variants)
                tasks += [dataclasses.replace(task, variant=variant) for variant in variants]
            else:
                tasks += [task, *(_in_tones(task) if config.tones else ())]
        for processes in workers.in_order(painting.paint_photo, tasks, f"painting {split}"):
            yield from processes


def _in_tones(task: painting.PhotoTask) -> list[painting.PhotoTask]:
    """The photo in each held-out tone, each in one medium, in turn."""
    media_in_turn = itertools.cycle(task.media)
    return [
        dataclasses.replace(task, tone=tone, media=(next(media_in_turn),))
        for tone in tones.HELD_OUT
    ]


def _lost(photo: photos.Photo) -> tuple[building.Skipped, list[str]]:
    reason = "its decoder crashed, or took more memory than there is"
    return building.Skipped(photo.name, reason), []


def _check(photo: photos.Photo) -> tuple[str | building.Skipped, list[str]]:
    """The content hash of a photo that can be painted, or why it cannot, and remarks."""
    with remarks.collected() as notes:
        try:
            pictures.load(photo.path)
        except UserError as error:
            return building.Skipped(photo.name, str(error)), notes
        return splits.content_hash(photo.path), notes
