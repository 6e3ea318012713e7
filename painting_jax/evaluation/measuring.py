"""Measures the processes of one picture after the other, and keeps what it found."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from painting_jax.errors import UserError
from painting_jax.evaluation import outcome, videos, yardsticks
from painting_jax.evaluation.ahead import ahead
from painting_jax.evaluation.compare import Comparison, compare
from painting_jax.evaluation.instruments import Instruments
from painting_jax.evaluation.measures import RECORDED
from painting_jax.evaluation.outcome import Outcome
from painting_jax.evaluation.store import Store, file_state
from painting_jax.evaluation.strips import strip
from painting_jax.evaluation.videos import Source, Video


@dataclasses.dataclass(frozen=True)
class Picture:
    """The processes that are measured together: those of one picture.

    Attributes:
      sources: by method.
      recorded: the process that they are compared with, if there is one.
    """

    sources: Mapping[str, Source]
    recorded: Source | None = None


@dataclasses.dataclass(frozen=True)
class Measuring:
    """How pictures are read and measured.

    Attributes:
      instruments: what it is measured with.
      frames: at most so many of a video.
      size: longer sides are scaled down to this.
      with_yardsticks: measure the cross-fade and the blur-to-sharp beside each pair, too.
      store: of what was found; everything above is part of what its entries depend on.
    """

    instruments: Instruments
    frames: int
    size: int
    with_yardsticks: bool
    store: Store

    def all(self, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Outcome]]:
        """Measures pictures one after the other; the next one is read meanwhile."""
        for picture, read in ahead(self._read, pictures):
            yield picture, read if isinstance(read, Outcome) else self._measure(picture, *read)

    def kept(self, picture: Picture) -> Outcome | None:
        """What was found of a picture, from the store."""
        try:
            entry = self.store.get(_key(picture))
        except OSError:
            return None
        return outcome.unpack(*entry) if entry else None

    def _read(self, picture: Picture) -> Outcome | tuple[dict[str, Video], list[str]]:
        kept = self.kept(picture)
        if kept:
            return kept
        read, skipped = {}, []
        for method, source in _sources(picture).items():
            try:
                read[method] = videos.load(source, frames=self.frames, size=self.size)
            except (UserError, OSError) as error:
                skipped.append(str(error))
        return read, skipped

    def _measure(self, picture: Picture, read: dict[str, Video], skipped: list[str]) -> Outcome:
        recorded = read.get(RECORDED) if picture.recorded else None
        methods = {m: v for m, v in read.items() if m in picture.sources}
        if not methods or (picture.recorded and recorded is None):
            return Outcome([], None, skipped)
        together = methods | ({RECORDED: recorded} if recorded else {})
        # All at one size, or the finer ones would be measured by what the coarser cannot show.
        size = min(max(video.frames_THWC.shape[1:3]) for video in together.values())
        shape_HW = videos.common_shape(
            *(recorded or next(iter(methods.values()))).frames_THWC.shape[1:3], size
        )
        fitted = {
            method: dataclasses.replace(video, frames_THWC=videos.fit(video.frames_THWC, shape_HW))
            for method, video in methods.items()
        }
        if recorded:
            recorded = dataclasses.replace(
                recorded, frames_THWC=videos.fit(recorded.frames_THWC, shape_HW)
            )
            if self.with_yardsticks:
                fitted |= yardsticks.from_picture([recorded])[0]
        rows = compare(self.instruments, Comparison(fitted, recorded))
        shown = ({RECORDED: recorded} | fitted) if recorded else methods
        found = Outcome(rows, strip(shown), skipped)
        self.store.put(_key(picture), *outcome.pack(found))
        return found


def _sources(picture: Picture) -> dict[str, Source]:
    return {**picture.sources, **({RECORDED: picture.recorded} if picture.recorded else {})}


def _key(picture: Picture) -> list:
    """What the numbers of a picture depend on, settings apart."""
    return [
        [method, source.name, file_state(source.path), source.record and file_state(source.record)]
        for method, source in _sources(picture).items()
    ]
