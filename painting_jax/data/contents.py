"""What there is to say of a data set: the facts that its page and its card show."""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from painting_jax.data import dataset_folder, index, pipeline, process
from painting_jax.data.name_order import natural_order
from painting_jax.data.process import Process
from painting_jax.data.sightings import Sighting
from painting_jax.data.skipping import Skipped
from painting_jax.errors import one_line

# Strips of so many recordings are kept in memory, and shown.
PICTURED = 100
# Processes of each medium that are drawn where nothing was recorded.
_DRAWN = 2
_RECORDS = "*.array_record-*"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A process of a data set.

    Attributes:
      row: The process without its pictures.
      split: Its split.
      source: Name of the picture or recording that it was made from.
      licence: Licence of the source.
      sighting: The recording beside the process; None if there was nothing to see of it.
    """

    row: index.Row
    split: str
    source: str
    licence: str
    sighting: Sighting | None = None

    @property
    def is_pictured(self) -> bool:
        """Whether there are pictures of it."""
        return self.sighting is not None and bool(self.sighting.came)


@dataclasses.dataclass(frozen=True)
class Contents:
    """The contents of a data set.

    Attributes:
      builder: Name of the builder.
      name: Name of the data set, unique for its builder.
      version: Its version.
      options: What the user chose, by name.
      entries: The processes, in the natural order of their ids.
      skipped: Sources that yielded no process.
      remarks: What was said of each source, by its name.
      alike: Names of the sources in each group of near-duplicates.
      size: Bytes of the records on the disk.
    """

    builder: str
    name: str
    version: str
    options: Mapping[str, Any]
    entries: Sequence[Entry]
    skipped: Sequence[Skipped]
    remarks: Mapping[str, Sequence[str]]
    alike: Sequence[Sequence[str]]
    size: int

    @property
    def sources(self) -> list[str]:
        """Names of the sources that were used, each once."""
        return list(dict.fromkeys(entry.source for entry in self.entries))

    @property
    def noted(self) -> list[str]:
        """Names of the sources that were used with remarks: in part, or with something guessed."""
        return [source for source in self.sources if one_line(source) in self.remarks]

    @property
    def frames(self) -> int:
        """Number of stored frames."""
        return sum(entry.row.frames for entry in self.entries)

    @property
    def seconds(self) -> float:
        """Seconds of recording, where they are known."""
        seen = [entry.sighting for entry in self.entries if entry.sighting is not None]
        return sum(sighting.seconds or 0.0 for sighting in seen)

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of processes by medium, the most frequent first, then split."""
        counted: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for entry in self.entries:
            counted[entry.row.medium][entry.split] += 1
        by_total = sorted(counted.items(), key=lambda item: (-item[1].total(), item[0]))
        return {medium: dict(by_split) for medium, by_split in by_total}

    def by_licence(self) -> dict[str, list[Entry]]:
        """The processes under each licence, the most frequent first; "" is not stated."""
        found = collections.defaultdict(list)
        for entry in self.entries:
            found[entry.licence].append(entry)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))

    def said_of(self, source: str) -> Sequence[str]:
        """The remarks on a source."""
        return self.remarks.get(one_line(source), ())


def read_back(folder: pathlib.Path, sightings: Mapping[str, Sighting]) -> list[Entry]:
    """Reads all records of a data set that has no index yet, split by split in their order.

    Args:
      folder: Its folder.
      sightings: What was seen of the sources, by their names. Of other sources, the first few
        processes of each medium are drawn.

    Raises:
      UserError: If a record is damaged.
    """
    drawn: collections.Counter[str] = collections.Counter()

    def sighting(record: Process) -> Sighting | None:
        if record.source in sightings:
            return sightings[record.source]
        drawn[record.medium] += 1
        return Sighting.of_process(record) if drawn[record.medium] <= _DRAWN else None

    entries = []
    for split in dataset_folder.read(folder, process.features()).shards:
        source = pipeline.DataSource(folder, split)
        for record in map(source.record, range(len(source))):
            row = index.Row.of(record)
            entry = Entry(row, split, record.source, record.licence, sighting(record))
            entries.append(entry)
    return entries


def write_index(folder: pathlib.Path, entries: Sequence[Entry]) -> None:
    """Writes the index of a data set, from what was read back."""
    rows: dict[str, list[index.Row]] = {}
    for entry in entries:
        rows.setdefault(entry.split, []).append(entry.row)
    index.write(epath.Path(folder), rows)


def gathered(
    folder: pathlib.Path,
    entries: Sequence[Entry],
    *,
    builder: str,
    name: str,
    version: str,
    options: Mapping[str, Any],
) -> Contents:
    """The contents of a data set that is being written.

    Args:
      folder: Its folder, with its metadata.
      entries: Its processes.
      builder: As in `Contents`, as are the others.
      name: See there.
      version: See there.
      options: See there.
    """
    noted = dataset_folder.metadata(folder)
    remarks: dict[str, list[str]] = {}
    for source, remark in noted.get("remarks", ()):
        remarks.setdefault(source, []).append(remark)
    return Contents(
        builder=builder,
        name=name,
        version=version,
        options=dict(sorted(options.items())),
        entries=sorted(entries, key=lambda entry: natural_order(entry.row.id)),
        skipped=[Skipped(*skip) for skip in noted["skipped"]],
        remarks=remarks,
        alike=noted["alike"],
        size=sum(path.stat().st_size for path in folder.glob(_RECORDS)),
    )
