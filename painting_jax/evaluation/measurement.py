"""Measures the processes of a source, group by group, and assembles the result."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from painting_jax.data.prefetch import prefetch
from painting_jax.evaluation.cache import Cache, Outcome
from painting_jax.evaluation.comparison import Features, Group, compare
from painting_jax.evaluation.measures import BASELINES, RECORDED
from painting_jax.evaluation.media_comparison import (
    compare_media,
    finished_features,
    finished_pictures,
    zero_shot_classifier,
)
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.result import Result, versions
from painting_jax.evaluation.sets import Sets
from painting_jax.evaluation.strips import choose, strip

Watch = Callable[[Iterable, str], Iterable]


class ProcessSource(Protocol):
    """Where processes come from: folders of videos, or a model that paints held-out pictures.

    A group of processes that are measured together has an item, which identifies it. Groups are
    read and prepared in batches.

    Attributes:
      title: Heading of the report.
      doing: Description of the work for the progress bar.
      methods: Evaluated methods, in their order.
      batches: Items of each batch.
      settings: Settings for the report, plain values.
      depends_on: Settings that the numbers of one group depend on, for the cache.
    """

    title: str
    doing: str
    methods: Sequence[str]
    batches: Sequence[Sequence[Any]]
    settings: Mapping[str, object]
    depends_on: Mapping[str, object]

    def key(self, item: Any) -> list:
        """Plain values that the numbers of a group depend on, for the cache."""

    def is_complete(self, item: Any, outcome: Outcome) -> bool:
        """Whether a cached outcome can be used as it is."""

    def read(self, batch: Sequence[Any]) -> Any:
        """Reads a batch, in a thread of its own."""

    def groups(self, batch: Sequence[Any], data: Any) -> Iterable[Group]:
        """The groups of a batch, in its order, from what `read` returned."""

    def complete(self, result: Result, networks: Networks, cache: Cache, watch: Watch) -> Result:
        """Adds what only this source can measure, and describes what was compared."""


def evaluate(
    source: ProcessSource, networks: Networks, cache: Cache, *, seed: int, watch: Watch
) -> Result:
    """Measures all processes of a source.

    The frames of a group are dropped once it is measured; its numbers are cached, so an interrupted
    evaluation resumes from there.

    Args:
      source: The processes.
      networks: The networks that measure.
      cache: Cache of the outcomes.
      seed: Seed of the bootstrap.
      watch: Wraps an iterable and a description of the work to show progress.

    Raises:
      UserError: If nothing can be measured, or CLIP's weights have no tokenizer beside them.
    """
    clip = networks.backbones.get("clip")
    # Before the long measurement, since the tokenizer may be missing.
    classifier = zero_shot_classifier(clip) if clip else {}
    measured, finished, skipped, notes, sets = [], [], [], [], Sets()
    for item, outcome in _outcomes(source, networks, cache, watch):
        skipped += outcome.skipped
        notes += outcome.notes
        if outcome.rows:
            sets.add(outcome)
            finished += finished_pictures(outcome)
            measured.append((item, outcome.rows))
    for item, rows in measured if sets.has_textures else ():
        if RECORDED in {row.method for row in rows} and (kept := _cached(source, cache, item)):
            sets.measure_recorded_textures(rows, kept)
    rows = [row for _, rows in measured for row in rows]
    usable = {row.method for row in rows}
    result = Result(
        title=source.title,
        subtitle="",
        labels=networks.labels,
        proxies=networks.proxies,
        rows=rows,
        strips=[],
        settings={**source.settings, "seed": seed, "versions": versions()},
        judged=tuple(method for method in source.methods if method in usable),
        sets=sets.distances(),
        across=compare_media(finished, classifier=classifier, seed=seed),
        skipped=skipped,
        notes=notes,
    )
    result = source.complete(result, networks, cache, watch)
    shown = choose([rows for _, rows in measured], result.judged)
    strips = [
        dataclasses.replace(kept.strip, why=why)
        for index, why in shown
        if (kept := _cached(source, cache, measured[index][0]))
    ]
    return dataclasses.replace(result, strips=strips)


def _outcomes(
    source: ProcessSource, networks: Networks, cache: Cache, watch: Watch
) -> Iterator[tuple[Any, Outcome]]:
    """The outcome of every item; the next batch is read while one is measured."""

    def load(batch: Sequence[Any]) -> tuple[Sequence[Outcome | None] | None, Any]:
        kept = [_cached(source, cache, item) for item in batch]
        if all(o and source.is_complete(item, o) for item, o in zip(batch, kept, strict=True)):
            return kept, None
        return None, source.read(batch)

    loaded = prefetch(load, watch(source.batches, source.doing))
    for batch, (kept, data) in loaded:
        if kept is not None:
            yield from zip(batch, kept, strict=True)
            continue
        for item, group in zip(batch, source.groups(batch, data), strict=True):
            outcome = _measure(networks, group)
            if outcome.rows:
                cache.put(source.key(item), *outcome.pack())
            yield item, outcome


def _cached(source: ProcessSource, cache: Cache, item: Any) -> Outcome | None:
    try:
        entry = cache.get(source.key(item))
    except OSError:
        return None  # the files that the key describes are gone
    return Outcome.unpack(*entry) if entry else None


def _measure(networks: Networks, group: Group) -> Outcome:
    if not group.methods:
        return Outcome([], None, group.skipped, group.notes)
    rows, features = compare(networks, group)
    finished = {
        method: video.frames_THWC[-1]
        for method, video in group.videos.items()
        if method not in BASELINES and video.medium and video.picture
    }
    features = _without_unused(features, paired=group.recorded is not None)
    features |= finished_features(finished, networks.backbones.get("dino"))
    shown = group.shown
    if shown is None:
        shown = {RECORDED: group.recorded, **group.methods}
    shown = dataclasses.replace(strip(shown, input_HWC=group.input_HWC), video=group.video)
    return Outcome(rows, shown, group.skipped, group.notes, features)


def _without_unused(features: Features, *, paired: bool) -> Features:
    """Textures are compared with a set only without pairs; float16 is enough for them."""
    return {
        (kind, method): array.astype(np.float16) if kind == "texture" else array
        for (kind, method), array in features.items()
        if kind != "texture" or not paired
    }
