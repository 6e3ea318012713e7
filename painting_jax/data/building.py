"""What both dataset builders share: splits by source, one record format, all or nothing on disk."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

import painting_jax
from painting_jax.data import process, splits
from painting_jax.errors import UserError, readable
from painting_jax.locking import alone


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Something the user named that gives no process, and why."""

    name: str
    reason: str

    def __post_init__(self):
        # Both may quote the names of files; the data set says what was skipped.
        object.__setattr__(self, "name", readable(self.name))
        object.__setattr__(self, "reason", readable(self.reason))


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


# What the ArrayRecord writer says when the file system refuses, as text only.
_REFUSED = re.compile(r"write\(\) failed: ([^;]+)")


class ProcessBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
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

    def __init__(self, *, unusable: Sequence[Skipped] = (), **kwargs):
        """Args: `unusable` sources are left out, by name; the rest as TFDS has it."""
        self._unusable = list(unusable)
        super().__init__(**kwargs)

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
            [str(self.VERSION), painting_jax.__version__],
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
        left_out = {skip.name for skip in self._unusable}
        sources = [source for source in sources if source.name not in left_out]
        if not sources:
            first = self._unusable[0]
            raise UserError(f"no source can be used; {first.name}: {first.reason}")
        assigned = splits.assign(source.key for source in sources)
        self.info.metadata.update(
            fingerprint=self.fingerprint,
            counts={},
            skipped=[dataclasses.astuple(skip) for skip in [*skipped, *self._unusable]],
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
                self._unusable.append(result)
                continue
            counts[result.medium] += 1
            yield result.id, process.to_example(result)
        if not counts:
            raise _EmptySplit(self._unusable)
        self.info.metadata["counts"][split] = dict(sorted(counts.items()))


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Looks for nothing: TFDS would in its own bucket, and leave a temporary folder behind."""


def _without_path(item: Any) -> dict:
    return {name: value for name, value in dataclasses.asdict(item).items() if name != "path"}


def build(
    builder_class: type[ProcessBuilder],
    config: tfds.core.BuilderConfig,
    data_dir: epath.PathLike,
    *,
    overwrite: bool = False,
) -> Summary:
    """Writes a data set as ArrayRecord, unless it is there already.

    It is written beside its place and renamed when it is complete; what an earlier, killed attempt
    left beside is removed first.

    Args:
      builder_class: which builder.
      config: its arguments and the data set's name.
      data_dir: folder of data sets; this one comes to lie in BUILDER/NAME/VERSION below it.
      overwrite: replace the data set that stands there, whatever it was made from.

    Returns:
      what the data set holds.

    Raises:
      UserError: if there is no usable source, a data set made from other arguments or sources
        stands there and is not to be replaced, another process on this machine is writing it, or
        the file system refuses (nothing is left then).
    """

    def new(unusable: Sequence[Skipped] = ()) -> ProcessBuilder:
        return builder_class(data_dir=data_dir, config=config, unusable=unusable)

    builder = new()
    path = epath.Path(builder.data_dir)
    lock = alone(path, f"{path} is being written by another prepare: wait for it to end")
    with lock, _no_empty_folders(path.parents):
        return _build(new, builder, path, overwrite=overwrite)


@contextlib.contextmanager
def _no_empty_folders(folders: Sequence[epath.Path]) -> Iterator[None]:
    """Removes those of some folders, the innermost first, that were made for nothing."""
    missing = [folder for folder in folders if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in missing:
            # Not epath's, which for some file systems removes what is in the folder, too.
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


def _build(
    new: Callable[..., ProcessBuilder], builder: ProcessBuilder, path: epath.Path, *, overwrite
) -> Summary:
    for left in path.parent.glob("incomplete.*") if path.parent.exists() else ():
        left.rmtree()
    fingerprint = builder.fingerprint
    if not path.exists():
        return _summary(_written(new), built=True)
    if not overwrite:
        if builder.info.metadata.get("fingerprint") == fingerprint:
            return _summary(builder, built=False)
        raise UserError(
            f"{path} was made from other arguments or sources: "
            "give another --name or --data_dir, or --overwrite"
        )
    replaced = path.parent / f"incomplete.replaced_{path.name}"
    path.rename(replaced)
    try:
        builder = _written(new)
    except BaseException:
        replaced.rename(path)
        raise
    replaced.rmtree()
    return _summary(builder, built=True)


def _written(new: Callable[[Sequence[Skipped]], ProcessBuilder]) -> ProcessBuilder:
    """Writes the data set of a new builder and returns that."""
    # TFDS draws its own progress bars, prints of downloads, and makes a folder for them.
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    unusable: Sequence[Skipped] = ()
    while True:
        builder = new(unusable)
        try:
            with (
                tempfile.TemporaryDirectory() as downloads,
                contextlib.redirect_stdout(io.StringIO()),
            ):
                builder.download_and_prepare(
                    download_dir=downloads, download_config=config, file_format="array_record"
                )
        except _EmptySplit as empty:
            # Split the sources that are left anew.
            [unusable] = empty.args
        except (OSError, RuntimeError) as error:
            reason = _refusal(error)
            if reason is None:
                raise
            raise UserError(f"{builder.data_dir} cannot be written: {reason}") from error
        else:
            return builder


def _refusal(error: OSError | RuntimeError) -> str | None:
    """Why the file system refused, if that is what an error is about."""
    if match := _REFUSED.search(str(error)):
        return match[1]
    # TFDS wraps system errors into ones without a number.
    for cause in (error, error.__cause__):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return None


def _summary(builder: ProcessBuilder, *, built: bool) -> Summary:
    metadata = builder.info.metadata
    skipped = tuple(Skipped(*skip) for skip in metadata["skipped"])
    return Summary(str(builder.data_dir), metadata["counts"], skipped, built)
