"""Data set of painting processes that the procedural painter makes from photos."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from painting_jax import media
from painting_jax.data import (
    building,
    looks,
    painting,
    photos,
    pictures,
    remarks,
    splits,
    tones,
)
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# Photos from which the size of all is estimated.
_ESTIMATED_FROM = 16


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
        results = self.crew.in_order(_check, found, "looking at photos", _lost)
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

    def _estimate(self, sources: Sequence[building.SourceItem]) -> int:
        config = self.builder_config
        some = sources[:: max(1, len(sources) // _ESTIMATED_FROM)]
        sizes = [_encoded_size(source.item, config.height, config.width) for source in some]
        # Beside the frames, a record holds the finished picture, the photo and its lines.
        stored = (config.frames + 3) * sum(sizes) / len(sizes)
        held_out = splits.held_out_groups(len(sources)) * 2
        training = (len(sources) - held_out) * len(config.media) * config.variants
        as_they_are = held_out * len(config.media)
        in_tones = held_out * len(tones.HELD_OUT) * config.tones
        return round(stored * (training + as_they_are + in_tones))

    def _survey(
        self, sources: Sequence[building.SourceItem]
    ) -> Iterator[building.Survey | building.Skipped]:
        photos_N = [source.item for source in sources]
        yield from self.crew.in_order(
            _look, photos_N, "looking at pictures", lambda photo, reason: _lost(photo, reason)[0]
        )

    def _processes(
        self, sources: Sequence[building.SourceItem], split: str
    ) -> Iterator[Process | building.Skipped]:
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
        painted = self.crew.in_order(painting.paint_photo, tasks, f"painting {split}", _unpainted)
        for results in painted:
            yield from results


def _encoded_size(photo: photos.Photo, height: int, width: int) -> int:
    """Bytes of a photo as a frame, about as many as its paintings take; 0 if it is unreadable."""
    try:
        photo_HWC = pictures.load(photo.path)
    except UserError:
        return 0
    return len(pictures.encode(pictures.fit(photo_HWC, height, width)))


def _look(photo: photos.Photo) -> building.Survey | building.Skipped:
    # What there is to remark was said when the photo was checked.
    with remarks.collected():
        try:
            return building.Survey(looks.look(pictures.load(photo.path)))
        except UserError as error:
            return building.Skipped(photo.name, str(error))


def _in_tones(task: painting.PhotoTask) -> list[painting.PhotoTask]:
    """The photo in each held-out tone, each in one medium, in turn."""
    media_in_turn = itertools.cycle(task.media)
    return [
        dataclasses.replace(task, tone=tone, media=(next(media_in_turn),))
        for tone in tones.HELD_OUT
    ]


def _lost(photo: photos.Photo, reason: str) -> tuple[building.Skipped, list[str]]:
    return building.Skipped(photo.name, reason), []


def _unpainted(task: painting.PhotoTask, reason: str) -> list[building.Skipped]:
    return [building.Skipped(task.photo.name, f"it was not painted: {reason}")]


def _check(photo: photos.Photo) -> tuple[str | building.Skipped, list[str]]:
    """The content hash of a photo that can be painted, or why it cannot, and remarks."""
    with remarks.collected() as notes:
        try:
            pictures.load(photo.path)
        except UserError as error:
            return building.Skipped(photo.name, str(error)), notes
        return splits.content_hash(photo.path), notes
