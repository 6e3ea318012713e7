"""The tables and sentences on a data set that its page and its card share."""

from collections.abc import Sequence

from painting_jax.data import sightings, skipping, splits
from painting_jax.data.contents import Contents, Entry
from painting_jax.data.curation import options
from painting_jax.data.sightings import Sighting
from painting_jax.errors import one_line, shortened
from painting_jax.report.table import MISSING, Cell, Table

# Rows of a table, at most: a browser takes seconds for more.
MOST_ROWS = 2000
_NAMED = 6  # sources that are named in a cell
_NOT_STATED = ("", "not stated")

_MEASURES = {
    options.TIME: "share of the time",
    options.CHANGE: "share of what has changed",
    sightings.STATED: "as stated with the recording",
    sightings.ORDER: "order of the pictures",
    "": MISSING,
}


def plain(text: str) -> str:
    """What a stranger wrote, as one line of bounded length."""
    return shortened(one_line(text))


def medium(name: str) -> str:
    """The name of a medium in words."""
    return name.replace("_", " ") or "unknown"


def licence(text: str) -> str:
    """A licence as it was stated."""
    return "not stated" if text in _NOT_STATED else plain(text)


def duration(seconds: float) -> str:
    """A length of time in words, such as "2 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def measure(seen: Sighting) -> str:
    """What the progress of a process is measured by."""
    without = " without pauses" if seen.is_cleaned and seen.measure == options.TIME else ""
    return _MEASURES[seen.measure] + without


def remarks(contents: Contents, source: str) -> list[str]:
    """The remarks on a source, without its name before each."""
    return [plain(said.removeprefix(f"{source}: ")) for said in contents.said_of(source)]


def counted(count: int, what: str, plural: str = "") -> str:
    """A number with its noun, such as "1 process" and "2 processes"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {plural or what + 's'}"


def split_names(contents: Contents) -> list[str]:
    """The splits that the data set has."""
    there = {entry.split for entry in contents.entries}
    return [split for split in splits.SPLITS if split in there]


def media(contents: Contents) -> Table:
    """Number of processes by medium and split."""
    columns = split_names(contents)
    rows = [
        [
            Cell(medium(name)),
            *(_count(by_split.get(split, 0)) for split in columns),
            _count(sum(by_split.values())),
        ]
        for name, by_split in contents.counts().items()
    ]
    by_split = [sum(entry.split == split for entry in contents.entries) for split in columns]
    rows.append([Cell("all"), *map(_count, by_split), _count(len(contents.entries))])
    return Table("Number of processes.", ["Medium", *columns, "all"], rows)


def licences(contents: Contents) -> Table:
    """The licences, with the sources under each."""
    rows = []
    for text, entries in contents.by_licence().items():
        sources = list(dict.fromkeys(entry.source for entry in entries))
        named = ", ".join(map(plain, sources[:_NAMED]))
        more = f" and {len(sources) - _NAMED:,} more" if len(sources) > _NAMED else ""
        rows.append(
            [
                Cell(licence(text)),
                _count(len(entries)),
                _count(len(sources)),
                Cell(named + more, is_words=True),
            ]
        )
    caption = "Licences, as they were stated with the sources. Every record states its own."
    if len(rows) > MOST_ROWS:
        caption += f" These are the {MOST_ROWS:,} most frequent ones of {len(rows):,}."
    return Table(caption, ["Licence", "Processes", "Sources", "Names"], rows[:MOST_ROWS])


def processes(contents: Contents) -> Table:
    """Every process, up to a bound."""
    rows = [_process(entry, contents) for entry in contents.entries[:MOST_ROWS]]
    more = len(contents.entries) - len(rows)
    caption = "Every process."
    if more:
        caption = (
            f"The first {len(rows):,} of {len(contents.entries):,} processes by name; the records "
            "hold the same of all."
        )
    header = ["Process", "Split", "Medium", "Frames", "Size", "Length", "Quality", "Progress"]
    return Table(caption, [*header, "Licence", "Caption", "Remarks"], rows)


def _process(entry: Entry, contents: Contents) -> Sequence[Cell]:
    row, seen = entry.row, entry.sighting
    seconds = None if seen is None else seen.seconds
    quality = None if seen is None else seen.quality
    return [
        Cell(plain(row.id)),
        Cell(entry.split),
        Cell(medium(row.medium)),
        _count(row.frames),
        Cell(f"{row.width}x{row.height}", value=row.width * row.height),
        Cell(MISSING if seconds is None else duration(seconds), value=seconds),
        Cell(MISSING if quality is None else f"{quality:.2f}", value=quality),
        Cell(MISSING if seen is None else measure(seen)),
        Cell(licence(entry.licence)),
        Cell(plain(row.caption) or MISSING, is_words=True),
        Cell(plain("; ".join(remarks(contents, entry.source))) or MISSING, is_words=True),
    ]


def skipped(contents: Contents) -> Table:
    """The sources that yielded no process, each with its reason, up to a bound."""
    rows = [
        [
            Cell(plain(skip.name)),
            Cell(plain(skip.reason), is_words=True),
            Cell(plain("; ".join(remarks(contents, skip.name))) or MISSING, is_words=True),
        ]
        for skip in contents.skipped[:MOST_ROWS]
    ]
    caption = f"These yielded no process; {skipping.FILE} lists them, too."
    if len(contents.skipped) > len(rows):
        caption = (
            f"The first {len(rows):,} of {len(contents.skipped):,} that yielded no process; "
            f"{skipping.FILE} lists all."
        )
    return Table(caption, ["Source", "Reason", "Remarks"], rows)


def chosen(contents: Contents) -> Table:
    """The options of the data set."""
    rows = [
        [Cell(name), Cell(plain(_value(value)), is_words=True)]
        for name, value in contents.options.items()
    ]
    return Table("What was chosen.", ["Option", "Value"], rows)


def _value(value: object) -> str:
    if isinstance(value, dict):
        # Networks are told by what their files hold, not by where these lie.
        used = [name for name, network in value.items() if isinstance(network, dict)]
        return f"networks: {', '.join(used)}" if used else MISSING
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return MISSING if value is None else str(value)


def making(contents: Contents) -> list[str]:
    """How the processes were made, one sentence or two each."""
    said = []
    cleaned = sum(e.sighting is not None and e.sighting.is_cleaned for e in contents.entries)
    turned = sum(e.sighting is not None and e.sighting.is_turned for e in contents.entries)
    if cleaned:
        said.append(
            f"{counted(cleaned, 'recording')} of {len(contents.entries):,} "
            f"{'was' if cleaned == 1 else 'were'} cleaned. Cleaning looks for the canvas and shows "
            "it from the front, evens the light, restores what hands, tools and logos hide, and "
            "leaves out what is not the painting."
        )
    elif contents.options.get("clean") is False:
        said.append("Frames show what the recordings show: nothing was cleaned.")
    if turned:
        said.append(f"{counted(turned, 'recording')} ran backwards and was turned round.")
    if contents.noted:
        said.append(
            f"{counted(len(contents.noted), 'source')} of {len(contents.sources):,} "
            f"{'has' if len(contents.noted) == 1 else 'have'} remarks: used in part, restored, or "
            "with something that had to be guessed."
        )
    if contents.alike:
        said.append(
            "Sources whose finished pictures look alike, by a perceptual hash, share a split: "
            + "; ".join(" = ".join(_few(group)) for group in contents.alike[:_NAMED])
            + (" and others." if len(contents.alike) > _NAMED else ".")
        )
    return said


def limits(contents: Contents) -> list[str]:
    """What one should know before using the data set, one sentence or two each."""
    count, said = len(contents.entries), []
    if len(split_names(contents)) == 1:
        said.append("Nothing is held out: that takes three different sources or more.")
    unstated = sum(entry.licence in _NOT_STATED for entry in contents.entries)
    if unstated:
        said.append(
            f"The licence of {unstated:,} of {count:,} processes is not stated: ask before you "
            "publish them, or what was trained on them."
        )
    silent = sum(not entry.row.caption for entry in contents.entries)
    if silent:
        said.append(f"{silent:,} of {count:,} processes have no caption.")
    unknown = sum(not entry.row.medium for entry in contents.entries)
    if unknown:
        said.append(f"The medium of {unknown:,} of {count:,} processes is unknown.")
    judged = [e.sighting.quality for e in contents.entries if e.sighting is not None]
    low = sum(quality is not None and quality < 0.5 for quality in judged)
    if low:
        said.append(f"{low:,} of {count:,} recordings have a quality below 0.5 of 1.")
    said.append(
        "Sources are told apart by their contents and by the look of their finished pictures: the "
        "same painter or subject may be in several splits."
    )
    said.append("Frames are stored as JPEG files of quality 95.")
    return said


def _few(names: Sequence[str]) -> list[str]:
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return [*map(plain, names[:_NAMED]), *more]


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", value=number)
