"""Evaluates a model on processes that it was not trained on."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from painting_jax.data import pipeline, video
from painting_jax.data.prefetch import ahead
from painting_jax.errors import UserError
from painting_jax.evaluation import across as across_media
from painting_jax.evaluation import conditions, naming, outcome, showing, yardsticks
from painting_jax.evaluation.compare import Comparison, compare
from painting_jax.evaluation.instruments import Instruments
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.outcome import Outcome
from painting_jax.evaluation.result import ConditionEffect, Result, versions
from painting_jax.evaluation.sets import Sets
from painting_jax.evaluation.store import Store
from painting_jax.evaluation.strips import strip
from painting_jax.evaluation.videos import Video
from painting_jax.metrics.bootstrap import Interval

# Draws of noise that an example's loss is averaged over when conditions are exchanged, and among
# how many of the first examples: their pictures are held at once.
_DRAWS, _EXCHANGED = 4, 256

# Seconds that a kept video lasts, and what its longer side has at least.
_SECONDS, _SIDE = 6.0, 256


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Recorded processes, read when they are needed.

    Attributes:
      row: number -> the arrays of one row of the batch contract, frames in painted order.
      batch_size: of the batches that a model gets.
      names: one a process, no two alike.
      media: one a process, a name from the registry.
      pictures: what identifies each one's picture; its media, crops and variants share it.
    """

    row: Callable[[int], Mapping[str, np.ndarray]]
    batch_size: int
    names: Sequence[str]
    media: Sequence[str]
    pictures: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def spans(self) -> list[range]:
        """The numbers of the processes of each batch."""
        starts = range(0, len(self), self.batch_size)
        return [range(start, min(start + self.batch_size, len(self))) for start in starts]

    def batch(self, span: range) -> dict[str, np.ndarray]:
        """A batch of one size: the last one is filled up with its last process."""
        filled = range(span.start, span.start + self.batch_size)
        return pipeline.stack([self.row(min(number, span[-1])) for number in filled])

    def video(self, number: int) -> Video:
        """A recorded process."""
        row = self.row(number)
        return Video(
            self.names[number], row["frames_BTHWC"], row["progress_BT"], self.media[number]
        )


def load(
    source: pipeline.Source, examples: pipeline.Examples, *, batch_size: int, at_most: int
) -> HeldOut:
    """The first processes of a split; their frames stay on disk."""
    numbers = range(min(at_most, len(source)))
    # Kept without the frames, which would fill the memory.
    told = [(r.id, r.medium, r.source) for r in map(source.record, numbers)]
    names, media, of_pictures = zip(*told, strict=True) if told else ((), (), ())
    return HeldOut(
        lambda number: examples.of(source.record(number), number, None),
        batch_size,
        names,
        media,
        of_pictures,
    )


def evaluate(
    instruments: Instruments,
    held_out: HeldOut,
    *,
    generate: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    losses: conditions.Losses | None,
    model: str,
    settings: dict[str, object],
    store: Store,
    watch: Callable[[Iterable, str], Iterable],
) -> Result:
    """Generates each held-out process and compares it, and the yardsticks, with the recorded one.

    What is generated is kept beside what was measured of it, so that neither is done twice when an
    interrupted evaluation starts again.

    Args:
      instruments: what processes are measured with.
      held_out: the processes.
      generate: batch -> frames_BTHWC uint8 in painted order, evenly spread in progress.
      losses: (batch, seed=) -> float32[B]; None leaves the conditions unmeasured.
      model: what it is called.
      settings: everything the numbers depend on; "seed" among it.
      store: of what is measured; the videos lie in its folder.
      watch: wraps an iterable, with what is done, to show progress.

    Raises:
      UserError: if there is nothing held out, or CLIP's weights lie without a tokenizer.
    """
    if not len(held_out):
        raise UserError("nothing is held out to evaluate on: prepare more pictures")
    seed = int(settings["seed"])
    clip = instruments.backbones.get("clip")
    names = naming.vectors(clip) if clip else {}
    measuring = _Measuring(instruments, held_out, generate, model, store)
    measured, finished, sets = [], [], Sets()
    for _, outcomes in measuring.all(watch(held_out.spans(), "generating and measuring")):
        for found in outcomes:
            measured.append(found.rows)
            sets.add(found)
            finished += across_media.finished(found)
    effects = {}
    if losses is not None:
        effects = _effects(losses, held_out, seed=seed, store=store, watch=watch)
    chosen = showing.choose(measured, (GENERATED,))
    shown_pictures = len(set(held_out.pictures))
    plural = "s" if shown_pictures != 1 else ""
    processes = f"{len(held_out)} held-out process{'es' if len(held_out) != 1 else ''}"
    return Result(
        title="How the model paints",
        subtitle=(
            f"{processes} of {shown_pictures} picture{plural} that the "
            f"model never saw, each painted by {model} and compared with the recorded one."
        ),
        labels=instruments.labels,
        stand_ins=instruments.stand_ins,
        rows=[row for rows in measured for row in rows],
        strips=[
            dataclasses.replace(kept.strip, why=why)
            for number, why in chosen
            if (kept := measuring.kept(number))
        ],
        settings={**settings, "versions": versions()},
        sets=sets.compare(),
        across=across_media.across(finished, names=names, seed=seed),
        conditions=effects,
        videos=store.folder / "videos",
        notes=[
            f"Intervals are taken over {shown_pictures} picture{plural}: few pictures say little "
            "about others."
        ],
    )


@dataclasses.dataclass(frozen=True)
class _Measuring:
    """Generates and measures batch after batch, and keeps what it found."""

    instruments: Instruments
    held_out: HeldOut
    generate: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    model: str
    store: Store

    def all(self, spans: Iterable[range]) -> Iterator[tuple[range, list[Outcome]]]:
        """What was found of each batch; the next one is read meanwhile."""
        held_out = self.held_out
        others = yardsticks.other_pictures(held_out.pictures, held_out.media)
        for span, read in ahead(lambda span: self._read(span, others), spans):
            yield span, read if isinstance(read, list) else self._measure(span, *read)

    def kept(self, number: int) -> Outcome | None:
        """What was found of a process, from the store, if its video is there, too."""
        if not self._video(number).is_file():
            return None
        entry = self.store.get(self._key(number))
        return outcome.unpack(*entry) if entry else None

    def _read(self, span: range, others: Sequence[int | None]):
        kept = [self.kept(number) for number in span]
        if all(kept):
            return kept
        other_videos = {
            number: self.held_out.video(others[number])
            for number in span
            if others[number] is not None
        }
        return self.held_out.batch(span), other_videos

    def _measure(
        self, span: range, batch: Mapping[str, np.ndarray], other: Mapping[int, Video]
    ) -> list[Outcome]:
        held_out = self.held_out
        recorded = [
            Video(held_out.names[number], frames_THWC, progress_T, held_out.media[number])
            for number, frames_THWC, progress_T in zip(
                span, batch["frames_BTHWC"], batch["progress_BT"], strict=False
            )
        ]
        found = []
        generated_BTHWC = self.generate(batch)
        dino = self.instruments.backbones.get("dino")
        finished = [
            across_media.features(frames_BTHWC[:, -1], method, dino)
            for method, frames_BTHWC in (
                (GENERATED, generated_BTHWC),
                (RECORDED, batch["frames_BTHWC"]),
            )
        ]
        for number, target, frames_THWC, faded, input_HWC, segments_HW in zip(
            span,
            recorded,
            generated_BTHWC,
            yardsticks.from_picture(recorded),
            batch["reference_BHWC"],
            batch["segments_BHW"],
            strict=False,
        ):
            progress_T = np.linspace(0, 1, len(frames_THWC), dtype=np.float32)
            made = dataclasses.replace(target, frames_THWC=frames_THWC, progress_T=progress_T)
            methods = {GENERATED: made, **faded}
            if number in other:
                methods[yardsticks.OTHER_PICTURE] = dataclasses.replace(
                    other[number], name=target.name, medium=target.medium
                )
            rows, features = compare(self.instruments, Comparison(methods, target, segments_HW))
            rows = [
                dataclasses.replace(row, picture=str(held_out.pictures[number])) for row in rows
            ]
            # Only sets that are not compared picture by picture are compared by texture.
            features = {key: array for key, array in features.items() if key[0] != "texture"}
            for of_method in finished:
                features |= of_method[number - span.start]
            shown = strip({RECORDED: target, **methods}, input_HWC=input_HWC)
            shown = dataclasses.replace(shown, video=f"videos/{self._video(number).name}")
            self._write_video(number, frames_THWC)
            found.append(Outcome(rows, shown, features=features))
            self.store.put(self._key(number), *outcome.pack(found[-1]))
        return found

    def _write_video(self, number: int, frames_THWC: np.ndarray) -> None:
        told = {
            "title": self.held_out.names[number],
            "description": f"Generated painting process, not a recording. Model: {self.model}.",
            "comment": json.dumps({"generated": True, "model": self.model}),
        }
        shown_THWC = video.enlarged(frames_THWC, _SIDE)
        video.write_mp4(self._video(number), shown_THWC, len(frames_THWC) / _SECONDS, told)

    def _video(self, number: int) -> pathlib.Path:
        # Two names may differ in signs that no file's name should have.
        name = re.sub(r"[^\w.-]+", "-", self.held_out.names[number])[:80].strip(".-")
        return self.store.folder / "videos" / f"{number:04d}-{name}.mp4"

    def _key(self, number: int) -> list:
        return ["held out", number, self.held_out.names[number]]


def _effects(
    losses: conditions.Losses, held_out: HeldOut, *, seed: int, store: Store, watch: Callable
) -> dict[str, ConditionEffect]:
    entry = store.get("conditions")
    if entry is None:
        spans = [span for span in held_out.spans() if span.stop <= _EXCHANGED] or held_out.spans()[
            :1
        ]
        batches = [(held_out.batch(span), len(span)) for span in spans]
        found = conditions.effects(losses, batches, draws=_DRAWS, seed=seed, watch=watch)
        store.put("conditions", {name: [*e.rise, e.loss] for name, e in found.items()}, {})
        return found
    return {
        name: ConditionEffect(Interval(*rise), loss) for name, (*rise, loss) in entry[0].items()
    }
