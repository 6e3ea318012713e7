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
from painting_jax.data import (
    contents,
    crews,
    dataset_folder,
    disk,
    looks,
    process,
    record_size,
    shuffle_files,
    skipping,
    splits,
    unfinished_build,
    workers,
)
from painting_jax.data.sightings import Sighting
from painting_jax.data.skipping import Skipped
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside
from painting_jax.locking import alone

shuffle_files.use()


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
      sighting: The recording beside the process; None if it is no recording.
    """

    look: looks.Look | None
    sighting: Sighting | None = None


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
        if self.skipped and (listed := pathlib.Path(self.path, skipping.FILE)).exists():
            lines.append(f"what was skipped is listed in {listed}")
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
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        noted = len({remark.name for remark in self.remarks})
        notes = f", {noted} with notes" if noted else ""
        lines.append(f"{verb} {self.path}: {total} processes{notes}{left_out}")
        return lines


def _alike(groups: Sequence[Sequence[str]]) -> str:
    if not groups:
        return "no two sources look alike"
    shown = [" = ".join(_first(group)) for group in groups]
    return f"these look alike and share a split: {'; '.join(_first(shown))}"


def _first(names: Sequence[str], count: int = 4) -> list[str]:
    more = len(names) - count
    return [*names[:count], *([f"{more} more"] if more > 0 else [])]


class _NothingUsable(UserError):
    """Raised when no source can be used.

    Attributes:
      skipped: The sources.
    """

    def __init__(self, message: str, skipped: Sequence[Skipped]):
        super().__init__(message)
        self.skipped = skipped


class _EmptySplit(Exception):
    """Raised when every source of a split proves unusable while it is read."""


# How sources are split, for the fingerprint: other splits are another data set.
_SPLIT_BY = "perceptual hash"


class ProcessBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """A TFDS builder of painting processes.

    A subclass finds its sources (`_find`), estimates the size of their records (`_estimate`), looks
    at them (`_survey`), and turns them into processes (`_processes`).

    Attributes:
      copies: How often the records are on the disk while they are written.
      crew: Those who do tasks.
      kept: Folder of records that are kept until the data set is complete.
      say: Called with a line on what is being done.
    """

    copies = 1

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

    def __init__(
        self,
        *,
        unusable: Sequence[Skipped] = (),
        surveyed: Self | None = None,
        crew: crews.Crew | None = None,
        kept: epath.Path | None = None,
        say: Callable[[str], object] = lambda line: None,
        **kwargs,
    ):
        """Makes a builder.

        Args:
          unusable: Sources to leave out, matched by name.
          surveyed: Another builder of the same sources, which has surveyed them.
          crew: Those who do tasks; None for workers without a limit of time.
          kept: Folder of records that are kept until the data set is complete.
          say: Called with a line on what is being done.
          **kwargs: Arguments of the TFDS builder.
        """
        self.crew, self.kept, self.say = crew or workers.Crew(), kept, say
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
            raise _NothingUsable(f"none of the {len(skipped)} sources can be used{first}", skipped)
        return sorted(sources, key=lambda source: source.name), skipped

    def estimate(self) -> int:
        """About how many bytes the data set will have."""
        return self._estimate(self._found[0])

    def survey(self) -> Iterator[Skipped]:
        """Looks at all sources, before any of them is written; yields those that are skipped."""
        sources, skipped = self._found
        yield from skipped
        surveys: dict[str, Survey | Skipped] = {}
        pictured = 0
        for source, survey in zip(sources, self._survey(sources), strict=True):
            if isinstance(survey, Survey) and survey.sighting is not None:
                pictured += 1
                # Those of thousands would fill the memory.
                if pictured > contents.PICTURED:
                    seen = survey.sighting.without_strips()
                    survey = dataclasses.replace(survey, sighting=seen)
            surveys[source.name] = survey
            if isinstance(survey, Skipped):
                yield survey
        self._surveys = surveys

    def sightings(self) -> dict[str, Sighting]:
        """What was seen of the sources that were recorded, by their names."""
        seen = {name: getattr(survey, "sighting", None) for name, survey in self._surveys.items()}
        return {name: sighting for name, sighting in seen.items() if sighting is not None}

    def record_name(self, source: SourceItem) -> str:
        """Hash of everything that determines the record of a source."""
        return _hash([*self._made_by, source.key, source.name, _without_path(source.item)])

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of everything that determines the records: arguments, versions and contents."""
        sources, skipped = self._found
        return _hash(
            [
                *self._made_by,
                [[source.key, source.name, _without_path(source.item)] for source in sources],
                [dataclasses.astuple(skip) for skip in skipped],
            ]
        )

    @functools.cached_property
    def _made_by(self) -> list:
        """Versions and arguments."""
        versions = [str(self.VERSION), painting_jax.__version__, _SPLIT_BY]
        return [versions, self.options]

    @property
    def options(self) -> dict[str, Any]:
        """What the user chose, by name, without where the sources and networks lie."""
        base = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
        config = dataclasses.asdict(self.builder_config)
        # The location of the sources, and of networks, does not affect the records.
        arguments = {name: config[name] for name in config.keys() - base - {"source"}}
        return _without_paths(arguments)

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
            raise _NothingUsable(
                f"no source can be used; {first.name}: {first.reason}", [*skipped, *unusable]
            )
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
        for result in map(_storable, self._processes(sources, split)):
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


def _storable(result: process.Process | Skipped) -> process.Process | Skipped:
    """The process, or `Skipped` if it is larger than a record can be."""
    if isinstance(result, Skipped):
        return result
    try:
        record_size.check(result)
    except UserError as error:
        return Skipped(result.source, str(error))
    return result


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


def _hash(what: list) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _without_path(item: Any) -> dict:
    return {name: value for name, value in dataclasses.asdict(item).items() if name != "path"}


def _without_paths(arguments: dict) -> dict:
    """Arguments without the entries "path", also of those that are dictionaries themselves."""
    return {
        name: _without_paths(value) if isinstance(value, dict) else value
        for name, value in arguments.items()
        if name != "path"
    }


def build(
    builder_class: type[ProcessBuilder],
    config: tfds.core.BuilderConfig,
    data_dir: epath.PathLike,
    *,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
    crew: crews.Crew | None = None,
    kept_dir: epath.PathLike | None = None,
    present: Callable[[pathlib.Path, contents.Contents], object] = lambda folder, of: None,
) -> Summary:
    """Writes a data set as ArrayRecord, unless it exists already.

    The data set is written beside its place, which it takes when it is complete: a data set that it
    replaces is there until then. What earlier, killed attempts have left is removed first, except
    the records that a builder keeps: they are used again.

    Args:
      builder_class: Class of the builder.
      config: Arguments of the builder and name of the data set.
      data_dir: Folder of data sets. This one is written to BUILDER/NAME/VERSION below it.
      overwrite: Replace an existing data set, whatever it was made from.
      say: Called with a line on the disk space that the data set will take, before it is written,
        and with one on records that were kept.
      crew: Those who read the sources; None for workers without a limit of time.
      kept_dir: Folder for records that are kept until the data set is complete, which the crew
        sees; None for one beside the data set.
      present: Called with the folder of a new data set, before it takes its place, and with its
        contents, to write more files to it for people.

    Returns:
      Contents of the data set.

    Raises:
      UserError: If there is no usable source, if a data set made from other arguments or sources
        exists and `overwrite` is False, if another process is writing the data set, if there is far
        too little disk space, or if the file system reports an error. Then no files are left, but
        records that were kept, and the list of sources when none is usable.
    """
    if crew is None:
        with workers.Crew() as own:
            return build(
                builder_class,
                config,
                data_dir,
                overwrite=overwrite,
                say=say,
                crew=own,
                kept_dir=kept_dir,
                present=present,
            )
    place = pathlib.Path(builder_class.name, config.name, str(builder_class.VERSION))
    path = pathlib.Path(data_dir) / place
    left = unfinished_build.Left.of(path, kept_dir, place)

    def new(root: epath.PathLike, **options: Any) -> ProcessBuilder:
        return builder_class(
            data_dir=root, config=config, crew=crew, kept=left.records, say=say, **options
        )

    # Of a folder that does not exist: what lies at the path is not to be trusted.
    surveyed = new(path / "none")
    try:
        if path.exists() and not overwrite:
            return _summary(path, made_from=surveyed.fingerprint)
        busy = f"{path} is being written by another prepare: wait for it to end"
        with alone(path.parent, busy):
            for incomplete in path.parent.glob("incomplete.*"):  # by TFDS, in earlier versions
                shutil.rmtree(incomplete, ignore_errors=True)
            if path.exists() and not overwrite:
                return _summary(path, made_from=surveyed.fingerprint)
            with folder_written_beside(path) as unfinished:
                # The estimate may be wrong, but not so far.
                remedy = "name another --data_dir, or lower --size"
                say(disk.use(surveyed.estimate(), path, spare=0.5 * surveyed.copies, remedy=remedy))
                with disk.refusals_told(path):
                    left.list_skipped(surveyed.survey())
                    _write(functools.partial(new, surveyed=surveyed), unfinished, place)
                    written = _indexed(unfinished, surveyed)
                    skipping.write(unfinished, written.skipped)
                    present(unfinished, written)
            left.remove()
    except _NothingUsable as error:
        try:
            listed = left.list_skipped(error.skipped)
        except OSError:  # What is wrong with the sources is what matters.
            raise error from None
        raise UserError(f"{error} (all are listed in {listed})") from None
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


def _indexed(folder: pathlib.Path, surveyed: ProcessBuilder) -> contents.Contents:
    """Writes the index of a new data set, and returns what was read for it."""
    entries = contents.read_back(folder, surveyed.sightings())
    contents.write_index(folder, entries)
    return contents.gathered(
        folder,
        entries,
        builder=surveyed.name,
        name=surveyed.builder_config.name,
        version=str(surveyed.version),
        options=surveyed.options,
    )


def _skipped(metadata: Mapping[str, Any]) -> tuple[Skipped, ...]:
    return tuple(Skipped(*skip) for skip in metadata["skipped"])


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
        skipped = _skipped(metadata)
        groups = metadata.get("alike")
        alike = None if groups is None else tuple(map(tuple, groups))
        remarks = tuple(Skipped(*remark) for remark in metadata.get("remarks", ()))
        counts = {split: dict(counts) for split, counts in metadata["counts"].items()}
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path} is damaged: prepare it with --overwrite") from None
    return Summary(str(path), counts, skipped, alike, built=made_from is None, remarks=remarks)
