"""What both dataset builders share: splits by source, one record format, all or nothing on disk."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from painting_jax.data import process, splits
from painting_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Something the user named that gives no process, and why."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A picture or recording from which processes are made.

    Attributes:
      key: content hash; sources with the same key share a split.
      name: as the user knows it; unique.
      item: a dataclass with all that the builder makes processes from; its `path` says where the
        contents lie.
    """

    key: str
    name: str
    item: Any


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Attributes:
      path: its folder.
      counts: the number of processes, by split and medium.
      skipped: what gave none.
      built: False if it stood there already, made from the same arguments and sources.
    """

    path: str
    counts: dict[str, dict[str, int]]
    skipped: tuple[Skipped, ...]
    built: bool

    def lines(self) -> list[str]:
        """The summary in words, for the console."""
        total = sum(sum(media.values()) for media in self.counts.values())
        lines = [f"skipped {skip.name}: {skip.reason}" for skip in self.skipped]
        for split in splits.SPLITS:
            media = self.counts.get(split, {})
            named = ", ".join(f"{medium} {count}" for medium, count in media.items())
            lines.append(
                f"{split}: {sum(media.values())} processes" + (f" ({named})" * bool(named))
            )
        if splits.SPLITS[1] not in self.counts:
            lines.append("nothing is held out: that takes three different sources or more")
        verb = "wrote" if self.built else "unchanged, nothing to do:"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        lines.append(f"{verb} {self.path}: {total} processes{skipped}")
        return lines


class _EmptySplit(Exception):
    """Every source of a split proved unusable while it was read."""


class ProcessBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A TFDS builder of painting processes.

    A subclass says where its sources are (`_find`) and how they become processes (`_processes`).
    """

    VERSION = tfds.core.Version("1.0.0")

    def _find(self) -> tuple[list[Source], list[Skipped]]:
        """The usable sources, in any order, and what was skipped in looking for them."""
        raise NotImplementedError

    def _processes(
        self, sources: Sequence[Source], split: str
    ) -> Iterator[process.Process | Skipped]:
        """The processes of a split's sources; `Skipped` (by its name) for one that gives none."""
        raise NotImplementedError

    @functools.cached_property
    def _found(self) -> tuple[list[Source], list[Skipped]]:
        sources, skipped = self._find()
        if not sources:
            first = f", {skipped[0].name}: {skipped[0].reason}" if skipped else ""
            raise UserError(f"none of the {len(skipped)} sources can be used{first}")
        return sorted(sources, key=lambda source: source.name), skipped

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides the records: arguments, versions and the sources' contents."""
        base = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
        config = dataclasses.asdict(self.builder_config)
        # Where the sources lie is not what they are.
        arguments = {name: config[name] for name in config.keys() - base - {"source"}}
        sources, skipped = self._found
        what = [
            str(self.VERSION),
            arguments,
            [[source.key, source.name, _without_path(source.item)] for source in sources],
            [dataclasses.astuple(skip) for skip in skipped],
        ]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=process.features(),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        sources, skipped = self._found
        assigned = splits.assign(source.key for source in sources)
        self.info.metadata.clear()
        self.info.metadata.update(
            fingerprint=self.fingerprint,
            counts={},
            skipped=[dataclasses.astuple(skip) for skip in skipped],
        )
        by_split = collections.defaultdict(list)
        for source in sources:
            by_split[assigned[source.key]].append(source)
        return {
            split: self._generate_examples(by_split[split], split)
            for split in splits.SPLITS
            if by_split[split]
        }

    def _generate_examples(
        self, sources: Sequence[Source], split: str
    ) -> Iterator[tuple[str, dict]]:
        counts: collections.Counter[str] = collections.Counter()
        for result in self._processes(sources, split):
            if isinstance(result, Skipped):
                self.info.metadata["skipped"].append(dataclasses.astuple(result))
                self._drop(result)
                continue
            counts[result.medium] += 1
            yield result.id, process.to_example(result)
        if not counts:
            raise _EmptySplit
        self.info.metadata["counts"][split] = dict(sorted(counts.items()))

    def _drop(self, skip: Skipped) -> None:
        """Leaves a source out of a second attempt."""
        sources, skipped = self._found
        self._found = [source for source in sources if source.name != skip.name], [*skipped, skip]


def _without_path(item: Any) -> dict:
    return {name: value for name, value in dataclasses.asdict(item).items() if name != "path"}


def build(builder: ProcessBuilder, *, overwrite: bool = False) -> Summary:
    """Writes a builder's data set as ArrayRecord, unless it is there already.

    It is written beside its place and renamed when it is complete; what an earlier, killed attempt
    left beside is removed first.

    Args:
      builder: a new one; it knows the folder.
      overwrite: replace a data set that was made from something else.

    Returns:
      what the data set holds.

    Raises:
      UserError: if there is no usable source, or a data set made from other arguments or sources
        stands there and is not to be replaced.
      OSError: as the file system does, for instance when the disk is full; nothing is left then.
    """
    path = epath.Path(builder.data_dir)
    for left in path.parent.glob("incomplete.*") if path.parent.exists() else ():
        left.rmtree()
    fingerprint = builder.fingerprint
    if not path.exists():
        _write(builder)
        return _summary(builder, built=True)
    if builder.info.metadata.get("fingerprint") == fingerprint:
        return _summary(builder, built=False)
    if not overwrite:
        raise UserError(
            f"{path} was made from other arguments or sources: "
            "give another --name or --data_dir, or --overwrite"
        )
    replaced = path.parent / f"incomplete.replaced_{path.name}"
    path.rename(replaced)
    try:
        _write(builder)
    except BaseException:
        replaced.rename(path)
        raise
    replaced.rmtree()
    return _summary(builder, built=True)


def _write(builder: ProcessBuilder) -> None:
    # TFDS draws its own progress bars, prints of downloads, and makes a folder for them.
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    while True:
        try:
            with (
                tempfile.TemporaryDirectory() as downloads,
                contextlib.redirect_stdout(io.StringIO()),
            ):
                builder.download_and_prepare(
                    download_dir=downloads, download_config=config, file_format="array_record"
                )
        except _EmptySplit:
            # The sources that proved unusable are dropped by now: split the others anew.
            continue
        return


def _summary(builder: ProcessBuilder, *, built: bool) -> Summary:
    metadata = builder.info.metadata
    skipped = tuple(Skipped(*skip) for skip in metadata["skipped"])
    return Summary(str(builder.data_dir), metadata["counts"], skipped, built)
