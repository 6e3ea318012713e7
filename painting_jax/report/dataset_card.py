"""The card of a data set: README.md, as the Hugging Face Hub and people read it."""

import json
import re
from collections.abc import Sequence

from painting_jax.data import disk
from painting_jax.data.contents import Contents
from painting_jax.errors import one_line
from painting_jax.report import dataset_tables as tables
from painting_jax.report.table import Cell, Table, in_markdown

# Identifiers of licences that the hub knows, as far as recordings have them.
_KNOWN = re.compile(
    r"cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.[05]|apache-2\.0|mit|unlicense|gfdl|pddl|odbl"
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
_LARGER = "n>1M"
_SKIPPED = 50  # sources that are named; the page and a file have all

# What a record holds, with shapes and units.
FEATURES = {
    "id": ("text", "name of the process, unique in the data set"),
    "frames": ("N byte strings", "JPEG files of one size, from the blank canvas to the finished"),
    "progress": ("float32[N]", "share of the painting that is done, rising strictly from 0 to 1"),
    "medium": ("class label", "what it is painted with; the names are in medium.labels.txt"),
    "caption": ("text", "what is painted, without the medium; may be empty"),
    "reference": ("byte string", "the finished picture, at the size of the frames"),
    "variants": ("V of kind and image", "the finished picture in other looks; may be none"),
    "segments": ("byte string", "label map uint8[H, W] of the finished picture, zlib-compressed"),
    "source": ("text", "name of the picture or recording; one source has one split"),
    "licence": ("text", "licence of the source, as it was stated"),
}


def card(contents: Contents, command: str = "") -> str:
    """Formats the card as markdown with a front matter in YAML.

    Args:
      contents: The data set.
      command: What made it.
    """
    count = len(contents.entries)
    entries = contents.entries
    shapes = {(entry.row.width, entry.row.height) for entry in entries}
    sides = sorted(shapes, key=lambda side: (side[0] * side[1], side))
    sizes = f"{sides[0][0]}x{sides[0][1]}"
    if len(sides) > 1:
        sizes = f"from {sizes} to {sides[-1][0]}x{sides[-1][1]}"
    frames = sorted(entry.row.frames for entry in entries)
    length = f" {tables.duration(contents.seconds)} of recording." if contents.seconds else ""
    parts = [
        _front_matter(contents),
        f"# {contents.builder}/{contents.name}",
        f"{tables.counted(count, 'painting process', 'painting processes')} from "
        f"{tables.counted(len(contents.sources), 'source')}: pictures while they were painted, "
        "from the blank canvas to the finished picture. Open `index.html` in a browser to look at "
        "them.",
        f"{contents.frames:,} frames in all, {frames[0]:,} to {frames[-1]:,} a process, "
        f"{sizes} pixels (width x height); {disk.in_words(contents.size)} of records.{length}",
        "## Contents",
        tables.media(contents).markdown(),
        "## Records",
        _features().markdown(),
        "## How it was made",
        _list(tables.making(contents)),
        *([f"```bash\n{one_line(command)}\n```"] if command else []),
        tables.chosen(contents).markdown(),
        "## Sources and licences",
        tables.licences(contents).markdown(),
        *_skipped(contents),
        "## Limits",
        _list(tables.limits(contents)),
        "## Load it",
        _loading(contents),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _front_matter(contents: Contents) -> str:
    """What the hub indexes. Texts are JSON strings, which YAML reads as they are."""
    count = len(contents.entries)
    size = next((name for most, name in _SIZES if count < most), _LARGER)
    licences = sorted({hub_licence(text) for text in contents.by_licence()})
    splits = [
        line
        for split in tables.split_names(contents)
        for line in (
            f"  - name: {split}",
            f"    num_examples: {sum(entry.split == split for entry in contents.entries)}",
        )
    ]
    return "\n".join(
        [
            "---",
            f"pretty_name: {json.dumps(f'{contents.builder}/{contents.name}', ensure_ascii=False)}",
            "license:",
            *(f"- {licence}" for licence in licences),
            "task_categories:",
            "- image-to-video",
            "size_categories:",
            f"- {size}",
            "tags:",
            "- painting-process",
            "- tfds",
            "- array_record",
            "dataset_info:",
            "  splits:",
            *splits,
            "---",
        ]
    )


def hub_licence(text: str) -> str:
    """The hub's identifier of a licence: "other" for one it does not know."""
    if tables.licence(text) == "not stated":
        return "unknown"
    # "CC BY 2.0, somebody on Flickr"
    name = re.sub(r"[\s_]+", "-", text.split(",", maxsplit=1)[0].strip().lower())
    name = "cc0-1.0" if name == "cc0" else name
    return name if _KNOWN.fullmatch(name) else "other"


def _features() -> Table:
    rows = [
        [Cell(name), Cell(kind, is_words=True), Cell(what, is_words=True)]
        for name, (kind, what) in FEATURES.items()
    ]
    return Table("What each record holds, N frames of H x W pixels.", ["Field", "Type", ""], rows)


def _skipped(contents: Contents) -> list[str]:
    if not contents.skipped:
        return []
    lines = [f"{tables.plain(s.name)}: {tables.plain(s.reason)}" for s in contents.skipped]
    if len(lines) > _SKIPPED:
        lines[_SKIPPED:] = [f"{len(lines) - _SKIPPED:,} more are in skipped.jsonl."]
    return [f"## Left out ({len(contents.skipped):,})", _list(lines)]


def _loading(contents: Contents) -> str:
    return f"""```python
import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(FOLDER)  # this one; needs no TensorFlow
for record in builder.as_data_source("{contents.entries[0].split}"):
    print(record["id"], len(record["frames"]), record["progress"])
```

painting_jax trains on it: `python -m painting_jax.train --data_dir=FOLDER --workdir=runs/new`."""


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)
