"""Base class of the dataset builders: splits by source, one record format, atomic writes."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import tensorflow_datasets as tfds
from etils import epath

import painting_jax
from painting_jax import media
from painting_jax.data import (
    dataset_folder,
    disk,
    index,
    looks,
    pipeline,
    process,
    shuffle_files,
    splits,
)
from painting_jax.errors import UserError, readable
from painting_jax.files import folder_written_beside
from painting_jax.locking import alone

shuffle_files.use()


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A source named by the user that yields no process.

    Attributes:
      name: Name of the source, as the user knows it.
      reason: Why it was skipped.
    """

    name: str
    reason: str

    def __post_init__(self):
        # Both may quote file names that are not Unicode, and both are stored in the data set.
        object.__setattr__(self, "name", readable(self.name))
        object.__setattr__(self, "reason", readable(self.reason))


@dataclasses.dataclass(frozen=True)
class SourceItem:
    """A picture or recording from which processes are made.

    Attributes:
      key: Content hash; sources with the same key share a split.
      name: Unique name, as the user knows it.
      item: Dataclass with everything that the builder needs to make processes. Its field `path`
        is the location of the contents.
      split: Split that it was published in, one of `splits.SPLITS`; "" for any.
    """

    key: str
    name: str
    item: Any
    split: str = ""


@dataclasses.dataclass(frozen=True)
class Survey:
    """What must be known of a source before its processes are made.

    Attributes:
      look: Look of its finished picture; None if that is too plain to be told from others.
      kept: File of its record, of a source that had to be read for this; see `keep` and `take`.
    """

    look: looks.Look | None
    kept: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True)
class Summary:
    """Contents of a data set.

    Attributes:
      path: Folder of the data set.
      counts: Number of processes by split and medium.
      skipped: Sources that yielded no process.
      alike: Names of the sources in each group of near-duplicates; None if it is not known, for a
        data set of an earlier version.
      remarks: Sources that were used, but not as they are, and what was done to them.
      built: Whether the data set was written now; False if it already existed, made from the same
        arguments and sources.
    """

    path: str
    counts: dict[str, dict[str, int]]
    skipped: tuple[Skipped, ...]
    alike: tuple[tuple[str, ...], ...] | None
    built: bool
    remarks: tuple[Skipped, ...] = ()

    def lines(self) -> list[str]:
        """Lines of text for the console."""
        total = sum(sum(media.values()) for media in self.counts.values())
        lines = [f"note: {remark.reason}" for remark in self.remarks]
        lines += [f"skipped {skip.name}: {skip.reason}" for skip in self.skipped]
        for split in splits.SPLITS:
            media = self.counts.get(split, {})
            named = ", ".join(f"{medium} {count}" for medium, count in media.items())
            lines.append(
                f"{split}: {sum(media.values())} processes" + (f" ({named})" * bool(named))
            )
        if splits.SPLITS[1] not in self.counts:
            lines.append("nothing is held out: that takes three different sources or more")
        if self.alike is not None:
            lines.append(f"by perceptual hash of the finished pictures, {_alike(self.alike)}")
        verb = "wrote" if self.built else "unchanged, nothing to do:"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        noted = len({remark.name for remark in self.remarks})
        notes = f", {noted} with notes" if noted else ""
        lines.append(f"{verb} {self.path}: {total} processes{notes}{skipped}")
        return lines


def _alike(groups: Sequence[Sequence[str]]) -> str:
    if not groups:
        return "no two sources look alike"
    shown = [" = ".join(_first(group)) for group in groups]
    return f"these look alike and share a split: {'; '.join(_first(shown))}"


def _first(names: Sequence[str], count: int = 4) -> list[str]:
    more = len(names) - count
    return [*names[:count], *([f"{more} more"] if more > 0 else [])]


class _EmptySplit(Exception):
    """Raised when every source of a split proves unusable while it is read."""


# How sources are split, for the fingerprint: other splits are another data set.
_SPLIT_BY = "perceptual hash"

# A record is a protocol buffer, of 2 GiB at most.
_MAX_RECORD = 19 * 10**8


class ProcessBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """A TFDS builder of painting processes.

    A subclass finds its sources (`_find`), estimates the size of their records (`_estimate`), looks
    at them (`_survey`), and turns them into processes (`_processes`).
    """

    VERSION = tfds.core.Version("1.0.0")

    def _find(self) -> tuple[list[SourceItem], list[Skipped]]:
        """Returns the usable sources, in any order, and the skipped ones."""
        raise NotImplementedError

    def _estimate(self, sources: Sequence[SourceItem]) -> int:
        """Returns about how many bytes the records will have. It takes little time."""
        raise NotImplementedError

    def _survey(self, sources: Sequence[SourceItem]) -> Iterator[Survey | Skipped]:
        """Yields the survey of each source, or `Skipped` for one that cannot be read."""
        raise NotImplementedError

    def _processes(
        self, sources: Sequence[SourceItem], split: str
    ) -> Iterator[process.Process | Skipped]:
        """Yields the processes of a split's sources, and `Skipped` for a source without any."""
        raise NotImplementedError

    def __init__(self, *, unusable: Sequence[Skipped] = (), surveyed: Self | None = None, **kwargs):
        """Makes a builder.

        Args:
          unusable: Sources to leave out, matched by name.
          surveyed: Another builder of the same sources, which has surveyed them.
          **kwargs: Arguments of the TFDS builder.
        """
        self._unusable = list(unusable)
        self._remarks: list[Skipped] = []
        self._surveys: Mapping[str, Survey | Skipped] = {}
        if surveyed is not None:
            self._found = surveyed._found
            self._surveys = surveyed._surveys
            self._remarks = list(surveyed._remarks)
        super().__init__(**kwargs)

    def remark(self, name: str, notes: Sequence[str]) -> None:
        """Stores remarks on a source that is used."""
        self._remarks += [Skipped(name, note) for note in notes]

    @functools.cached_property
    def _found(self) -> tuple[list[SourceItem], list[Skipped]]:
        sources, skipped = self._find()
        if not sources:
            first = f", {skipped[0].name}: {skipped[0].reason}" if skipped else ""
            raise UserError(f"none of the {len(skipped)} sources can be used{first}")
        return sorted(sources, key=lambda source: source.name), skipped

    def estimate(self) -> int:
        """About how many bytes the data set will have."""
        return self._estimate(self._found[0])

    def survey(self, kept: pathlib.Path) -> None:
        """Looks at all sources, before any of them is written.

        Args:
          kept: Folder for the records of sources that must be read for this.
        """
        self._kept = kept
        sources, _ = self._found
        names = [source.name for source in sources]
        self._surveys = dict(zip(names, self._survey(sources), strict=True))

    def keep(self, record: process.Process) -> pathlib.Path:
        """Writes a record to a file during a survey, so that its source need not be read again."""
        self._kept.mkdir(parents=True, exist_ok=True)
        # An identifier may have slashes.
        path = self._kept / hashlib.sha256(record.id.encode()).hexdigest()
        path.write_bytes(process.serialize(record))
        return path

    def take(self, source: SourceItem) -> process.Process:
        """Reads the record of a source that was kept in its survey, and removes the file."""
        survey = self._surveys[source.name]
        assert isinstance(survey, Survey)
        assert survey.kept is not None
        record = process.from_example(survey.kept.read_bytes(), list(media.MEDIA))
        survey.kept.unlink()
        return record

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of everything that determines the records: arguments, versions and contents."""
        base = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
        config = dataclasses.asdict(self.builder_config)
        # The location of the sources does not affect the records.
        arguments = {name: config[name] for name in config.keys() - base - {"source"}}
        sources, skipped = self._found
        what = [
            [str(self.VERSION), painting_jax.__version__, _SPLIT_BY],
            arguments,
            [[source.key, source.name, _without_path(source.item)] for source in sources],
            [dataclasses.astuple(skip) for skip in skipped],
        ]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            description=self.__doc__,
            features=process.features(),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        sources, skipped = self._found
        unread = [survey for survey in self._surveys.values() if isinstance(survey, Skipped)]
        unusable = [*unread, *self._unusable]
        left_out = {skip.name for skip in unusable}
        sources = [source for source in sources if source.name not in left_out]
        if not sources:
            first = unusable[0]
            raise UserError(f"no source can be used; {first.name}: {first.reason}")
        pairs = self._pairs(sources)
        stated = {source.key: source.split for source in sources if source.split}
        assigned = splits.assign([source.key for source in sources], pairs, stated)
        self.info.metadata.update(
            fingerprint=self.fingerprint,
            counts={},
            skipped=[dataclasses.astuple(skip) for skip in [*skipped, *unusable]],
            alike=_names_alike(sources, pairs),
        )
        by_split = collections.defaultdict(list)
        for source in sources:
            by_split[assigned[source.key]].append(source)
        return {
            split: self._generate_examples(by_split[split], split)
            for split in splits.SPLITS
            if by_split[split]
        }

    def _pairs(self, sources: Sequence[SourceItem]) -> list[tuple[str, str]]:
        """Pairs of keys of sources that look alike."""
        seen = [getattr(self._surveys[source.name], "look", None) for source in sources]
        return [(sources[i].key, sources[j].key) for i, j in looks.alike(seen)]

    def _generate_examples(
        self, sources: Sequence[SourceItem], split: str
    ) -> Iterator[tuple[str, dict]]:
        counts: collections.Counter[str] = collections.Counter()
        for result in map(storable, self._processes(sources, split)):
            if isinstance(result, Skipped):
                self.info.metadata["skipped"].append(dataclasses.astuple(result))
                self._unusable.append(result)
                continue
            counts[result.medium] += 1
            yield result.id, process.to_example(result)
        if not counts:
            raise _EmptySplit(self._unusable)
        self.info.metadata["counts"][split] = dict(sorted(counts.items()))
        self.info.metadata["remarks"] = [dataclasses.astuple(remark) for remark in self._remarks]


def storable(result: process.Process | Skipped) -> process.Process | Skipped:
    """The process, or `Skipped` if it is larger than a record can be."""
    if isinstance(result, Skipped) or (size := sum(map(len, result.frames))) <= _MAX_RECORD:
        return result
    reason = (
        f"its {len(result.frames)} frames take {disk.in_words(size)}, more than a record can hold"
    )
    return Skipped(result.source, f"{reason}: lower --size or --max_frames")


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Does nothing. TFDS would search its own bucket and leave a temporary folder behind."""


def _names_alike(
    sources: Sequence[SourceItem], pairs: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """Names of the sources in each group of near-duplicates. Parts of one file are none."""
    groups = splits.joined([source.key for source in sources], pairs)
    names = collections.defaultdict(list)
    for source in sources:
        if len(groups[source.key]) > 1:
            names[groups[source.key]].append(source.name)
    return list(names.values())


def _without_path(item: Any) -> dict:
    return {name: value for name, value in dataclasses.asdict(item).items() if name != "path"}


def build(
    builder_class: type[ProcessBuilder],
    config: tfds.core.BuilderConfig,
    data_dir: epath.PathLike,
    *,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> Summary:
    """Writes a data set as ArrayRecord, unless it exists already.

    The data set is written beside its place, which it takes when it is complete: a data set that it
    replaces is there until then. What earlier, killed attempts have left is removed first.

    Args:
      builder_class: Class of the builder.
      config: Arguments of the builder and name of the data set.
      data_dir: Folder of data sets. This one is written to BUILDER/NAME/VERSION below it.
      overwrite: Replace an existing data set, whatever it was made from.
      say: Called with a line on the disk space that the data set will take, before it is written.

    Returns:
      Contents of the data set.

    Raises:
      UserError: If there is no usable source, if a data set made from other arguments or sources
        exists and `overwrite` is False, if another process is writing the data set, if there is far
        too little disk space, or if the file system reports an error (no files are left then).
    """
    place = pathlib.Path(builder_class.name, config.name, str(builder_class.VERSION))
    path = pathlib.Path(data_dir) / place

    def new(root: epath.PathLike, **options: Any) -> ProcessBuilder:
        return builder_class(data_dir=root, config=config, **options)

    # Of a folder that does not exist: what lies at the path is not to be trusted.
    surveyed = new(path / "none")
    if path.exists() and not overwrite:
        return _summary(path, made_from=surveyed.fingerprint)
    busy = f"{path} is being written by another prepare: wait for it to end"
    with alone(path.parent, busy):
        for left in path.parent.glob("incomplete.*"):  # by TFDS, in earlier versions
            shutil.rmtree(left, ignore_errors=True)
        if path.exists() and not overwrite:
            return _summary(path, made_from=surveyed.fingerprint)
        with folder_written_beside(path) as unfinished:
            # The estimate may be wrong, but not so far.
            remedy = "name another --data_dir, or lower --size"
            say(disk.use(surveyed.estimate(), path, spare=0.5, remedy=remedy))
            with disk.refusals_told(path):
                surveyed.survey(unfinished / "kept")
                _write(functools.partial(new, surveyed=surveyed), unfinished, place)
                _write_index(unfinished)
    return _summary(path)


def _write(new: Callable[..., ProcessBuilder], folder: pathlib.Path, place: pathlib.Path) -> None:
    """Writes a data set into a new folder.

    Args:
      new: Makes a builder of a root folder and of sources to leave out.
      folder: Folder to fill.
      place: Place where the builder puts a data set below its root.
    """
    # TFDS draws its own progress bars, prints messages on downloads, and makes a folder for them.
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    root = folder / "root"
    unusable: Sequence[Skipped] = ()
    while True:
        try:
            with (
                tempfile.TemporaryDirectory() as downloads,
                contextlib.redirect_stdout(io.StringIO()),
            ):
                new(root, unusable=unusable).download_and_prepare(
                    download_dir=downloads, download_config=config, file_format="array_record"
                )
            break
        except _EmptySplit as empty:
            # Assign the remaining sources to splits again.
            [unusable] = empty.args
    for file in (root / place).iterdir():
        file.rename(folder / file.name)
    shutil.rmtree(root)
    shutil.rmtree(folder / "kept", ignore_errors=True)


def _write_index(folder: pathlib.Path) -> None:
    """Writes the index of a new data set."""
    shards = dataset_folder.read(folder, process.features()).shards
    sources = {split: pipeline.DataSource(folder, split) for split in shards}
    index.write(epath.Path(folder), {split: source.rows for split, source in sources.items()})


def _summary(path: pathlib.Path, made_from: str | None = None) -> Summary:
    """The contents of a data set.

    Args:
      path: Its folder.
      made_from: Fingerprint that an existing data set must have; None for one that was just built.

    Raises:
      UserError: If it has another fingerprint, or is damaged.
    """
    metadata = dataset_folder.metadata(path)
    if made_from not in (None, metadata.get("fingerprint")):
        raise UserError(
            f"{path} was made from other arguments or sources, or by another version: "
            "give another --name or --data_dir, or --overwrite"
        )
    try:
        skipped = tuple(Skipped(*skip) for skip in metadata["skipped"])
        groups = metadata.get("alike")
        alike = None if groups is None else tuple(map(tuple, groups))
        remarks = tuple(Skipped(*remark) for remark in metadata.get("remarks", ()))
        counts = {split: dict(counts) for split, counts in metadata["counts"].items()}
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path} is damaged: prepare it with --overwrite") from None
    return Summary(str(path), counts, skipped, alike, built=made_from is None, remarks=remarks)
