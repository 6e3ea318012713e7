"""Evaluates a model on processes that it was not trained on."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from painting_jax.data import pipeline
from painting_jax.errors import UserError
from painting_jax.evaluation import conditions, yardsticks
from painting_jax.evaluation.compare import Comparison, compare
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.result import Result, Strip, strip, versions
from painting_jax.evaluation.videos import Video
from painting_jax.metrics.perceptual import PerceptualDistance

# So many processes are shown; all are measured.
_SHOWN = 12

# Draws of noise that an example's loss is averaged over when conditions are exchanged.
_DRAWS = 4


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """A batch of recorded processes, with what the arrays do not say.

    Attributes:
      batch: of the batch contract, frames in painted order; B examples, of which the first
        len(names) count, and the rest fills the batch up.
      names: one an example, no two alike in an evaluation.
      media: one an example, a name from the registry.
      pictures: what identifies each example's picture; its media, crops and variants share it.
    """

    batch: Mapping[str, np.ndarray]
    names: Sequence[str]
    media: Sequence[str]
    pictures: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)


def load(
    source: pipeline.Source, examples: pipeline.Examples, *, batch_size: int, at_most: int
) -> list[HeldOut]:
    """The first processes of a split, in batches of one size."""
    batches = pipeline.evaluation_batches(source, examples, batch_size=batch_size)
    loaded = []
    for batch in itertools.islice(pipeline.iterate(batches), -(-at_most // batch_size)):
        room = at_most - len(loaded) * batch_size
        rows = batch["index_B"][batch["_mask"]][:room]
        records = [source.record(row) for row in rows]
        arrays = {name: array for name, array in batch.items() if name != "_mask"}
        loaded.append(
            HeldOut(
                arrays,
                [record.id for record in records],
                [record.medium for record in records],
                [record.source for record in records],
            )
        )
    return loaded


def evaluate(
    distance: PerceptualDistance,
    batches: Sequence[HeldOut],
    *,
    generate: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    losses: conditions.Losses | None,
    model: str,
    settings: dict[str, object],
    watch: Callable[[Iterable, str], Iterable],
) -> Result:
    """Generates each held-out process and compares it, and the yardsticks, with the recorded one.

    Args:
      distance: the perceptual distance.
      batches: the held-out processes.
      generate: batch -> frames_BTHWC uint8 in painted order, evenly spread in progress.
      losses: (batch, seed=) -> float32[B]; None leaves the conditions unmeasured.
      model: what it is called.
      settings: everything the numbers depend on; "seed" among it.
      watch: wraps an iterable, with what is done, to show progress.

    Raises:
      UserError: if there is nothing held out.
    """
    if not batches:
        raise UserError("nothing is held out to evaluate on: prepare more pictures")
    seed = int(settings["seed"])
    recorded = [video for held_out in batches for video in _recorded(held_out)]
    pictures = [picture for held_out in batches for picture in held_out.pictures]
    others = yardsticks.from_other_picture(recorded, pictures)
    rows, strips = [], []
    for start, held_out in watch(_with_starts(batches), "generating and measuring"):
        span = slice(start, start + len(held_out))
        generated_BTHWC = generate(held_out.batch)[: len(held_out)]
        for frames_THWC, target, faded, other, input_HWC in zip(
            generated_BTHWC,
            recorded[span],
            yardsticks.from_picture(recorded[span]),
            others[span],
            held_out.batch["reference_BHWC"][: len(held_out)],
            strict=True,
        ):
            progress_T = np.linspace(0, 1, len(frames_THWC), dtype=np.float32)
            made = Video(target.name, frames_THWC, progress_T, target.medium)
            comparison = Comparison({GENERATED: made, **faded, **other}, target)
            rows += compare(distance, comparison)
            shown = {RECORDED: target, **comparison.methods}
            strips.append(strip(shown, input_HWC=input_HWC))
    effects = {}
    if losses is not None:
        counted = [(held_out.batch, len(held_out)) for held_out in batches]
        effects = conditions.effects(losses, counted, draws=_DRAWS, seed=seed, watch=watch)
    shown_pictures = len(set(pictures))
    plural = "s" if shown_pictures != 1 else ""
    return Result(
        title="How the model paints",
        subtitle=(
            f"{len(recorded)} held-out processes of {shown_pictures} picture{plural} that the "
            f"model never saw, each painted by {model} and compared with the recorded one."
        ),
        distance=distance.label,
        rows=rows,
        strips=_shown(strips),
        settings={**settings, "versions": versions()},
        conditions=effects,
        notes=[
            f"Intervals are over the {len(recorded)} processes; these come from {shown_pictures} "
            f"picture{plural}, so they say little about other pictures."
        ],
    )


def _recorded(held_out: HeldOut) -> list[Video]:
    batch = held_out.batch
    return [
        Video(name, frames_THWC, progress_T, medium)
        for name, medium, frames_THWC, progress_T in zip(
            held_out.names,
            held_out.media,
            batch["frames_BTHWC"][: len(held_out)],
            batch["progress_BT"][: len(held_out)],
            strict=True,
        )
    ]


def _with_starts(batches: Sequence[HeldOut]) -> list[tuple[int, HeldOut]]:
    """Each batch with the number of examples before it."""
    sizes = [0, *(len(held_out) for held_out in batches[:-1])]
    return list(zip(np.cumsum(sizes).tolist(), batches, strict=True))


def _shown(strips: list[Strip]) -> list[Strip]:
    """Some of the strips: the first of every medium, then the second of every medium, ..."""
    seen: dict[str, int] = {}
    turns = []
    for index, shown in enumerate(strips):
        seen[shown.medium] = seen.get(shown.medium, 0) + 1
        turns.append((seen[shown.medium], index))
    return [strips[index] for _, index in sorted(turns)[:_SHOWN]]
