"""Measures the processes of one picture after the other, and keeps what it found."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from painting_jax.data.prefetch import ahead
from painting_jax.data.processes import ProcessFile
from painting_jax.data.segmentation import segment
from painting_jax.errors import UserError
from painting_jax.evaluation import across, order, outcome, videos, yardsticks
from painting_jax.evaluation.compare import Comparison, compare
from painting_jax.evaluation.instruments import Instruments
from painting_jax.evaluation.measures import PAINTED, RECORDED, REVERSED
from painting_jax.evaluation.outcome import Outcome
from painting_jax.evaluation.store import Store, file_state
from painting_jax.evaluation.strips import strip
from painting_jax.evaluation.videos import Video


@dataclasses.dataclass(frozen=True)
class Picture:
    """The processes that are measured together: those of one picture.

    Attributes:
      sources: by method.
      recorded: the process that they are compared with, if there is one.
    """

    sources: Mapping[str, ProcessFile]
    recorded: ProcessFile | None = None


@dataclasses.dataclass(frozen=True)
class Measuring:
    """How pictures are read and measured.

    Attributes:
      instruments: what it is measured with.
      frames: at most so many of a video.
      size: longer sides are scaled down to this.
      with_yardsticks: measure the cross-fade and the blur-to-sharp beside each pair, too.
      order: of the generated videos' frames where no progress tells, one of `order.ORDERS`.
      store: of what was found; everything above is part of what its entries depend on.
    """

    instruments: Instruments
    frames: int
    size: int
    with_yardsticks: bool
    store: Store
    order: str = order.AUTO

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
        # What could not be read may have been mended since, and not every mending leaves a trace.
        if kept and not kept.skipped:
            return kept
        read, skipped = {}, []
        for method, source in _sources(picture).items():
            try:
                read[method] = videos.load(source, frames=self.frames, size=self.size)
            except UserError as error:
                skipped.append(str(error))
        return read, skipped

    def _measure(self, picture: Picture, read: dict[str, Video], skipped: list[str]) -> Outcome:
        recorded = read.get(RECORDED) if picture.recorded else None
        methods = {m: v for m, v in read.items() if m in picture.sources}
        if not methods or (picture.recorded and recorded is None):
            return Outcome([], None, skipped)
        together = methods | ({RECORDED: recorded} if recorded else {})
        if recorded:
            together = _told_alike(together)
        # All at one size, or the finer ones would be measured by what the coarser cannot show.
        size = min(max(video.frames_THWC.shape[1:3]) for video in together.values())
        first = recorded or next(iter(methods.values()))
        shape_HW = videos.common_shape(*first.frames_THWC.shape[1:3], size)
        fitted = {method: _fitted(video, shape_HW) for method, video in together.items()}
        recorded = fitted.pop(RECORDED) if recorded else None
        for method, video in fitted.items():
            if method != RECORDED and self._runs(video, recorded) == REVERSED:
                fitted[method], methods[method] = order.turned(video), order.turned(methods[method])
        notes = _looks_reversed(picture, recorded or fitted.get(RECORDED))
        segments_HW = None
        if recorded:
            segments_HW = segment(recorded.frames_THWC[-1])
            if self.with_yardsticks:
                fitted |= yardsticks.from_picture([recorded])[0]
        rows, features = compare(self.instruments, Comparison(fitted, recorded, segments_HW))
        if recorded:
            # Only sets that are not compared picture by picture are compared by texture.
            features = {key: array for key, array in features.items() if key[0] != "texture"}
        else:
            # Long, and told apart well enough by ten bits.
            features |= {k: x.astype(np.float16) for k, x in features.items() if k[0] == "texture"}
        for method in together:
            video = recorded if recorded and method == RECORDED else fitted[method]
            if video.medium and video.picture:
                features |= across.features(
                    video.frames_THWC[-1:], method, self.instruments.backbones.get("dino")
                )[0]
        shown = ({RECORDED: recorded} | fitted) if recorded else methods
        found = Outcome(rows, strip(shown), skipped, notes, features)
        self.store.put(_key(picture), *outcome.pack(found))
        return found

    def _runs(self, video: Video, recorded: Video | None) -> str:
        """Which way a generated video runs."""
        if video.stated:
            return PAINTED  # it was turned as it was read, if it had to be
        return order.of(video, recorded) if self.order == order.AUTO else self.order


def _looks_reversed(picture: Picture, recorded: Video | None) -> list[str]:
    if recorded is None or recorded.stated or order.of(recorded) == PAINTED:
        return []
    return [
        f"{_sources(picture)[RECORDED].path} looks reversed; recorded processes are taken as "
        "painted: turn it round if it is not"
    ]


def _told_alike(together: Mapping[str, Video]) -> dict[str, Video]:
    """A pair shows one picture in one medium, whichever side states them."""
    every = [together[RECORDED], *together.values()]
    medium = next((video.medium for video in every if video.medium), "")
    picture = next((video.picture for video in every if video.picture), "")
    return {
        method: dataclasses.replace(video, medium=video.medium or medium, picture=picture)
        for method, video in together.items()
    }


def _fitted(video: Video, shape_HW: tuple[int, int]) -> Video:
    (height, width), (shown_height, shown_width) = video.frames_THWC.shape[1:3], shape_HW
    aspects = height * shown_width, width * shown_height
    frames_THWC = videos.fit(video.frames_THWC, shape_HW)
    return dataclasses.replace(video, frames_THWC=frames_THWC, cut=1 - min(aspects) / max(aspects))


def _sources(picture: Picture) -> dict[str, ProcessFile]:
    return {**picture.sources, **({RECORDED: picture.recorded} if picture.recorded else {})}


def _key(picture: Picture) -> list:
    """What the numbers of a picture depend on, settings apart."""
    return [
        [method, file_state(source.path), dataclasses.astuple(dataclasses.replace(source, path=""))]
        for method, source in _sources(picture).items()
    ]
