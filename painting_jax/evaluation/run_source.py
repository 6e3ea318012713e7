"""A training run as a source of processes: its model paints the held-out pictures."""

import dataclasses
import functools
import json
import math
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from etils import epath

from painting_jax.data import dataset_folder, painting, pipeline, tones, video
from painting_jax.data.builders import painted_images
from painting_jax.errors import UserError
from painting_jax.evaluation import baselines
from painting_jax.evaluation.cache import Cache, Outcome, file_state
from painting_jax.evaluation.comparison import Group
from painting_jax.evaluation.condition_effects import Losses, condition_effects
from painting_jax.evaluation.look_transfer import look_transfers
from painting_jax.evaluation.measurement import Watch
from painting_jax.evaluation.measures import GENERATED, OTHER_PICTURE, interval
from painting_jax.evaluation.media_comparison import with_gained
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.result import ConditionEffect, Result
from painting_jax.evaluation.videos import Video
from painting_jax.evaluation.word_effects import word_effects
from painting_jax.generation.devices import Devices
from painting_jax.generation.magnitudes_file import NAME, MagnitudesFile
from painting_jax.generation.run import Run
from painting_jax.metrics.bootstrap import Interval
from painting_jax.tasks.published import is_finetuned
from painting_jax.training import sampled

# Draws of noise per example when conditions are exchanged, and the number of examples, whose
# pictures are held in memory at once.
_DRAWS, _EXCHANGED = 4, 256

_SYNTHETIC = (
    "The recorded processes are none of people: this project's own stroke painter, a program, "
    "painted them."
)

# Duration of a generated video in seconds, and the minimum of its longer side in pixels.
_SECONDS, _SIDE = 6.0, 256


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Held-out recorded processes, read on demand.

    Attributes:
      row: Function from the index of a process to the arrays of one row of a batch.
      batch_size: Size of the batches for the model.
      names: Unique name of each process.
      media: Medium of each process.
      pictures: Identifier of each process's picture, shared by its media, crops and variants.
    """

    row: Callable[[int], pipeline.Batch]
    batch_size: int
    names: Sequence[str]
    media: Sequence[str]
    pictures: Sequence[str]

    @classmethod
    def load(
        cls,
        source: pipeline.DataSource,
        examples: pipeline.Examples,
        *,
        batch_size: int,
        at_most: int,
    ) -> "HeldOut":
        """The first processes of a split; their frames stay on disk."""
        records = map(source.record, range(min(at_most, len(source))))
        facts = [(record.id, record.medium, record.source) for record in records]
        names, media, pictures = zip(*facts, strict=True) if facts else ((), (), ())
        return cls(
            lambda index: examples.of(source.record(index), index, None),
            batch_size,
            names,
            media,
            pictures,
        )

    def __len__(self) -> int:
        return len(self.names)

    def spans(self) -> list[range]:
        """The indices of the processes of each batch."""
        starts = range(0, len(self), self.batch_size)
        return [range(start, min(start + self.batch_size, len(self))) for start in starts]

    def batch(self, span: range) -> dict[str, np.ndarray]:
        """A batch of full size: the last one is filled up with its last process."""
        filled = range(span.start, span.start + self.batch_size)
        return pipeline.stack([self.row(min(index, span[-1])) for index in filled])

    def video(self, index: int, row: Mapping[str, np.ndarray] | None = None) -> Video:
        """A recorded process, from its row if that was read."""
        row = self.row(index) if row is None else row
        return Video(
            self.names[index],
            row["frames_BTHWC"],
            row["progress_BT"],
            self.media[index],
            picture=str(self.pictures[index]),
        )


class RunSource:
    """Held-out processes and what a model paints of them, a `measurement.ProcessSource`."""

    title = "How the model paints"
    doing = "generating and measuring"
    methods = (GENERATED,)

    def __init__(
        self,
        held_out: HeldOut,
        generate: Callable[[pipeline.Batch], np.ndarray],
        *,
        label: str,
        videos: pathlib.Path,
        settings: Mapping[str, object],
        depends_on: Mapping[str, object] | None = None,
        losses: Losses | None = None,
        in_one_shape: HeldOut | None = None,
        transfers: Callable | None = None,
        words: Callable | None = None,
        synthetic: bool = False,
    ):
        """Takes the parts; `open` finds them in a workdir.

        Args:
          held_out: The processes.
          generate: Function batch -> frames_BTHWC uint8 in painted order, at even progress.
          label: Name of the model.
          videos: Folder for the generated videos, which are kept with the cache.
          settings: Settings for the report.
          depends_on: Further plain values that the numbers depend on, for the cache.
          losses: Function (batch, seed=) -> float32[B]; None omits the effects of conditions.
          in_one_shape: The processes with pictures of one shape, among which conditions can be
            exchanged; None = as `held_out`.
          transfers: Function (networks, cache, watch) -> the result of `look_transfers`; None omits
            it.
          words: Function (cache, watch) -> the result of `word_effects`; None omits it.
          synthetic: Whether the held-out processes were painted by the stroke painter.

        Raises:
          UserError: If there are no processes.
        """
        if not len(held_out):
            raise UserError("nothing is held out to evaluate on: prepare more pictures")
        self.batches = held_out.spans()
        self.settings = settings
        self.depends_on = {**settings, **(depends_on or {})}
        self._held_out, self._generate, self._label = held_out, generate, label
        self._videos, self._losses = videos, losses
        self._transfers, self._words = transfers, words
        self._synthetic = synthetic
        self._in_one_shape = in_one_shape or held_out
        self._others = baselines.other_pictures(held_out.pictures, held_out.media)

    @classmethod
    def open(
        cls,
        workdir: str,
        *,
        videos: pathlib.Path,
        data_dir: str | None,
        split: str,
        examples: int,
        steps: int | None,
        guidance: float | None,
        seed: int,
        size: int | None = None,
        step_cache: float = 0.0,
        devices: Devices | None = None,
    ) -> "RunSource":
        """Loads the model of a run and its data set.

        Args:
          workdir: Folder of the run.
          videos: Folder for the generated videos.
          data_dir: Folder of the data sets; None = as in training.
          split: Split to evaluate on.
          examples: Number of processes to evaluate on, at most.
          steps: Sampling steps; None = the run's.
          guidance: Guidance scale; None = the run's.
          seed: Seed of the noise and of all statistics.
          size: Longer side in pixels at which the model paints and is measured; None = as in
            training.
          step_cache: Threshold of the step cache, see `step_cache.skipped_steps`; 0 = none.
          devices: Devices that the model paints on; None = all, along the data axis.

        Raises:
          UserError: If the run or its data set cannot be used, or a setting is invalid.
        """
        model = Run.load(workdir, devices)
        data, sampling = model.config.data, model.config.sampling
        steps = sampling.steps if steps is None else steps
        guidance = sampling.guidance if guidance is None else guidance
        if steps < 1:
            raise UserError(f"--steps={steps}: it must be at least 1")
        if not math.isfinite(guidance):
            raise UserError(f"--guidance={guidance}: it must be a number, 1 for none")
        source = pipeline.DataSource(data_dir or data.data_dir, split, data.dataset)
        # Of another one, nobody knows whether the model has seen its pictures.
        remedy = "name that one with --data_dir"
        dataset_folder.check_same(source.path, data.get("fingerprint", ""), workdir, remedy)
        model.text_conditioner.prepare(source.captions_and_media())
        rows = dataclasses.replace(model.task.examples(model.text_conditioner), buckets=())
        held_out = HeldOut.load(source, rows, batch_size=data.batch_size, at_most=examples)
        in_one_shape = held_out
        if size is not None:
            height, width = model.sides(size)
            at_size = dataclasses.replace(rows, height=height, width=width)
            held_out = HeldOut.load(source, at_size, batch_size=1, at_most=examples)
        if buckets := model.task.shapes.buckets:
            # Processes of different buckets do not fit into one batch.
            in_buckets = dataclasses.replace(rows, buckets=buckets)
            held_out = HeldOut.load(source, in_buckets, batch_size=1, at_most=examples)

        magnitudes = MagnitudesFile(epath.Path(workdir, NAME), f"step {model.step}")
        skipping = magnitudes.cache(step_cache)

        def generate(batch: pipeline.Batch) -> np.ndarray:
            paint = functools.partial(
                model.generate,
                batch,
                frames=model.task.frames,
                steps=steps,
                guidance=guidance,
                seed=seed,
                cache=skipping,
            )
            return magnitudes.skipped(skipping, paint) if skipping else paint()

        def transfers(networks: Networks, cache: Cache, watch: Watch):
            return look_transfers(
                networks.distance,
                source,
                rows,
                clip=networks.backbones.get("clip"),
                generate=generate,
                batch_size=data.batch_size,
                at_most=examples,
                seed=seed,
                cache=cache,
                watch=watch,
            )

        # Its folder is BUILDER/NAME/VERSION.
        synthetic = source.path.parent.parent.name == painted_images.Builder.name

        def words(cache: Cache, watch: Watch):
            return word_effects(
                source,
                rows,
                generate=generate,
                painter_too=synthetic,
                batch_size=data.batch_size,
                at_most=examples,
                seed=seed,
                cache=cache,
                watch=watch,
            )

        return cls(
            held_out,
            generate,
            label=model.label,
            videos=videos,
            settings={
                "workdir": str(workdir),
                "model": model.label,
                "trained_steps": int(model.step),
                "data": str(source.path),
                "split": split,
                "examples": examples,
                "sampling_steps": steps,
                "guidance": guidance,
                "seed": seed,
                **({"size": size} if size else {}),
                **({"step_cache": step_cache} if step_cache else {}),
            },
            # A retrained run or a new data set of the same name is a different one.
            depends_on={
                "checkpoint": file_state(sampled.path(workdir, model.step)),
                "rows": file_state(source.path),
            },
            losses=model.losses,
            in_one_shape=in_one_shape,
            transfers=transfers,
            # Published models are asked in other words.
            words=None if is_finetuned(model.config) else words,
            synthetic=synthetic,
        )

    def key(self, index: int) -> list:
        """Index and name of a process."""
        return ["held out", index, self._held_out.names[index]]

    def is_complete(self, index: int, outcome: Outcome) -> bool:
        """Whether the generated video still exists."""
        return self._video(index).is_file()

    def read(self, span: range) -> tuple[dict[str, np.ndarray], dict[int, Video]]:
        """Reads a batch, and for each process the recorded one of another picture."""
        others = {i: self._others[i] for i in span if self._others[i] is not None}
        return self._held_out.batch(span), {
            index: self._held_out.video(other) for index, other in others.items()
        }

    def groups(
        self, span: range, data: tuple[dict[str, np.ndarray], dict[int, Video]]
    ) -> Iterator[Group]:
        """Generates a batch; yields each process with its recording and the baselines."""
        batch, others = data
        generated_BTHWC = self._generate(batch)
        for b, index in enumerate(span):
            row = {name: array[b] for name, array in batch.items()}
            recorded, frames_THWC = self._held_out.video(index, row), generated_BTHWC[b]
            progress_T = np.linspace(0, 1, len(frames_THWC), dtype=np.float32)
            generated = dataclasses.replace(
                recorded, frames_THWC=frames_THWC, progress_T=progress_T
            )
            methods = {GENERATED: generated, **baselines.from_picture(recorded)}
            if index in others:
                methods[OTHER_PICTURE] = dataclasses.replace(
                    others[index],
                    name=recorded.name,
                    medium=recorded.medium,
                    picture=recorded.picture,
                )
            self._write_video(index, frames_THWC)
            yield Group(
                methods,
                recorded,
                segments_HW=row["segments_BHW"],
                input_HWC=row["reference_BHWC"],
                video=f"videos/{self._video(index).name}",
            )

    def _write_video(self, index: int, frames_THWC: np.ndarray) -> None:
        metadata = {
            "title": self._held_out.names[index],
            "description": f"Generated painting process, not a recording. Model: {self._label}.",
            "comment": json.dumps({"generated": True, "model": self._label}),
        }
        shown_THWC = video.enlarged(frames_THWC, _SIDE)
        video.write_mp4(self._video(index), shown_THWC, len(frames_THWC) / _SECONDS, metadata)

    def _video(self, index: int) -> pathlib.Path:
        # The index keeps names apart that differ only in replaced characters.
        name = re.sub(r"[^\w.-]+", "-", self._held_out.names[index])[:80].strip(".-")
        return self._videos / f"{index:04d}-{name}.mp4"

    def complete(self, result: Result, networks: Networks, cache: Cache, watch: Watch) -> Result:
        """Adds the effects of conditions, and paintings of photos in other looks."""
        effects = self._effects(cache, watch, result.seed)
        transfers, gained = self._transfers(networks, cache, watch) if self._transfers else ([], {})
        count, pictures = len(self._held_out), len(set(self._held_out.pictures))
        plural = "s" if pictures != 1 else ""
        subtitle = (
            f"{count} held-out process{'es' if count != 1 else ''} of {pictures} "
            f"picture{plural} that the model never saw, each painted by {self._label} and "
            "compared with the recorded one."
        )
        notes = [
            "The model is given the finished picture of the held-out process: the numbers of the "
            "final picture say how well it copies what it is given."
        ]
        if self._synthetic:
            subtitle += f" {_SYNTHETIC}"
            notes.append(
                "The numbers say how well the model learned the stroke painter's ways, not how "
                "people paint."
            )
        return dataclasses.replace(
            result,
            subtitle=subtitle,
            conditions=effects,
            transfers=transfers,
            words=self._words(cache, watch) if self._words else (),
            tones=_by_tone(result) if self._synthetic else {},
            across=with_gained(result.across, gained),
            videos=self._videos,
            notes=[*notes, *result.notes],
        )

    def _effects(self, cache: Cache, watch: Watch, seed: int) -> dict[str, ConditionEffect]:
        if self._losses is None:
            return {}
        if entry := cache.get("condition effects"):
            return {
                name: ConditionEffect(Interval(*rise), loss)
                for name, (*rise, loss) in entry[0].items()
            }
        held_out = self._in_one_shape
        spans = held_out.spans()
        spans = [span for span in spans if span.stop <= _EXCHANGED] or spans[:1]
        effects = condition_effects(
            self._losses,
            [(held_out.batch(span), len(span)) for span in spans],
            pictures=[str(held_out.pictures[index]) for span in spans for index in span],
            draws=_DRAWS,
            seed=seed,
            watch=watch,
        )
        cache.put("condition effects", {name: [*e.rise, e.loss] for name, e in effects.items()}, {})
        return effects


def _by_tone(result: Result) -> dict[str, Interval]:
    """Mean error of the generated final pictures by tone, the photos' own first."""
    generated = [row for row in result.rows if row.method == GENERATED]
    by_tone = {
        tone or "the photo's own": [row for row in generated if painting.tone_of(row.name) == tone]
        for tone in (None, *tones.HELD_OUT)
    }
    return {
        tone.replace("_", " "): interval(rows, "final_error", seed=result.seed)
        for tone, rows in by_tone.items()
        if rows
    }
