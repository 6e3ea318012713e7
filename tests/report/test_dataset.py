"""The page and the card of a data set say what is in it, and nothing that strangers put there."""

import collections
import dataclasses
import functools
import json
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds
import yaml

from painting_jax.data import building, contents, process, video
from painting_jax.data.builders import recorded_processes
from painting_jax.data.contents import Contents, Entry
from painting_jax.data.index import Row
from painting_jax.data.sightings import Sighting
from painting_jax.data.skipping import Skipped
from painting_jax.report import dataset, dataset_tables
from painting_jax.report.dataset_card import FEATURES, card, hub_licence
from painting_jax.report.dataset_page import page
from tests.report.pages import Page, check_needs_nothing_else
from tests.synthetic import build_painted, recording, write_photos

_HOSTILE = '<script>alert(1)</script>"]](http://x)|`é\u202e\n# b'


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> pathlib.Path:
    """A data set of six recordings in two media, two more cannot be used, one only in part."""
    root = tmp_path_factory.mktemp("studio")
    lines: list[dict] = [
        {"path": f"{seed}.mp4", "medium": "oil" if seed < 4 else "ink"} for seed in range(6)
    ]
    for seed, line in enumerate(lines):
        video.write_mp4(root / line["path"], recording(seed, 8 + seed), fps=4)
    lines[0] |= {"caption": _HOSTILE, "licence": "CC BY 4.0, <b>ann</b>"}
    lines[1] |= {"caption": "a cat", "licence": "CC0"}
    video.write_mp4(
        root / "2.mp4", np.concatenate([recording(2, 24)[[-1] * 7], recording(2, 24)]), fps=4
    )
    (root / "<img src=x>.mp4").write_bytes(b"no video")
    lines += [{"path": "<img src=x>.mp4", "medium": "oil"}, {"path": "gone & lost.mp4"}]
    (root / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    config = recorded_processes.Config(
        name="mine", source=(str(root / "list.jsonl"),), medium="oil"
    )
    summary = building.build(
        recorded_processes.Builder,
        config,
        root / "data",
        present=functools.partial(dataset.write, command="prepare '<here>'"),
    )
    return pathlib.Path(summary.path)


def _read(folder: pathlib.Path) -> tuple[str, str]:
    return tuple((folder / name).read_text("utf-8") for name in (dataset.PAGE, dataset.CARD))


def test_each_skipped_source_is_named_with_its_reason(studio):
    html, markdown = _read(studio)
    listed = (studio / "skipped.jsonl").read_text().splitlines()
    assert len(listed) == 2
    text = Page(html).text
    for line in map(json.loads, listed):
        assert line["name"] in text
        assert line["reason"] in text
        assert line["reason"].split(" ")[-1] in markdown
    assert "gone & lost.mp4 does not exist" in text


def test_the_page_needs_nothing_else_and_shows_each_recording(studio):
    html, _ = _read(studio)
    found = check_needs_nothing_else(html)
    shown = [attrs for tag, attrs in found.tags if attrs.get("class") == "recording"]
    pictures = [attrs for tag, attrs in found.tags if tag == "img"]
    assert len(shown) == 6
    # The one of which something is cut off has a second row.
    assert len(pictures) == 7
    assert "left out" in found.text
    assert "shows the finished picture before the canvas, which is cut off" in found.text


def test_what_strangers_wrote_is_text_and_never_markup(studio):
    html, markdown = _read(studio)
    assert "alert(1)" in html
    for told in (html, markdown):
        assert "<script>alert" not in told
        assert "<img src=x>" not in told
        assert "<b>ann" not in told
        assert "\u202e" not in told
        assert "\n# b" not in told
    assert "](http" not in markdown
    assert "prepare &#x27;&lt;here&gt;&#x27;" in html


def test_the_numbers_of_the_card_are_those_of_the_records(studio):
    html, markdown = _read(studio)
    opened = tfds.builder_from_directory(studio)
    names = opened.info.features["medium"].names
    counts: collections.Counter = collections.Counter()
    frames = 0
    for split in opened.info.splits:
        for record in opened.as_data_source(split):
            counts[names[record["medium"]], split] += 1
            frames += len(record["frames"])
    front = yaml.safe_load(markdown.split("---\n")[1])
    assert front["dataset_info"]["splits"] == [
        {"name": split, "num_examples": opened.info.splits[split].num_examples}
        for split in opened.info.splits
    ]
    for medium in ("oil", "ink"):
        by_split = [counts[medium, split] for split in opened.info.splits]
        row = " | ".join(map(str, [medium, *by_split, sum(by_split)]))
        assert f"\n| {row} |\n" in markdown
    assert f"{frames} frames in all" in markdown
    assert f"<b>{frames}</b>" in html
    assert front["size_categories"] == ["n<1K"]
    assert front["license"] == ["cc-by-4.0", "cc0-1.0", "unknown"]
    assert front["pretty_name"] == "recorded_processes/mine"


def test_the_card_loads_the_data_set_as_it_says(studio):
    _, markdown = _read(studio)
    code = re.search(r"```python\n(.*?)```", markdown, re.DOTALL)[1]
    exec(code, {"FOLDER": str(studio), "print": lambda *values: None})
    assert set(FEATURES) == set(process.features())


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("CC0", "cc0-1.0"),
        ("CC BY-SA 3.0, somebody on a site", "cc-by-sa-3.0"),
        ("Apache-2.0", "apache-2.0"),
        ("not stated", "unknown"),
        ("", "unknown"),
        ("ask: me\n- mit", "other"),
    ],
)
def test_licences_have_the_names_that_the_hub_knows(said, name):
    assert hub_licence(said) == name


def test_a_page_replaces_the_one_of_the_data_set_that_is_replaced(tmp_path):
    write_photos(tmp_path / "photos", 1)
    place = tmp_path / "data", tmp_path / "photos"
    [page_path] = _painted_page(*place)
    first = page_path.read_text("utf-8")
    write_photos(tmp_path / "photos", 2)
    [page_path] = _painted_page(*place, overwrite=True)
    second = page_path.read_text("utf-8")
    assert "from 1 source," in first
    assert "from 2 sources," in second
    # Two of each medium are drawn, as they are stored.
    assert check_needs_nothing_else(second).text.count("100 %") == 4
    assert sorted(os.listdir(page_path.parents[1])) == ["1.0.0"]


def _painted_page(*place: pathlib.Path, **options) -> list[pathlib.Path]:
    build_painted(*place, present=dataset.write, **options)
    return list(place[0].rglob(dataset.PAGE))


def _many(count: int, strip: bytes) -> Contents:
    seen = Sighting(("0:00",), strip, strip, (False,), 60, "time", is_cleaned=True, quality=0.4)
    entries = [
        Entry(
            Row(f"{number}.mp4", "oil", _HOSTILE * 99, 9, 64, 64),
            "train",
            f"{number}.mp4",
            f"licence {number}",
            seen if number < contents.PICTURED else seen.without_strips(),
        )
        for number in range(count)
    ]
    skipped = [Skipped(f"bad {number}.mp4", "it is torn " * 99) for number in range(count)]
    remarks = {f"{number}.mp4": ["a frame is damaged"] * 99 for number in range(count)}
    return Contents(
        "recorded_processes", "default", "1.0.0", {}, entries, skipped, remarks, [], 10**9
    )


def test_the_page_of_thousands_is_bounded_and_says_what_it_leaves_out():
    told = page(_many(3000, bytes(40_000)))
    assert len(told) < 30_000_000
    assert told.count("<img ") == 2 * contents.PICTURED
    assert "Shown are 100 of 3,000 processes" in told
    assert "The first 2,000 of 3,000 processes" in told
    assert "The first 2,000 of 3,000 that yielded no process" in told
    assert "2,000 most frequent ones of 3,000" in told
    assert "87 more remarks" in told
    assert "3,000 of 3,000 recordings have a quality below 0.5" in told


def test_a_card_of_thousands_is_bounded():
    told = card(_many(3000, b""))
    assert len(told) < 1_000_000
    assert "2950 more are in skipped.jsonl" in told.replace(",", "")


def test_what_is_missing_is_said():
    entry = Entry(Row("a.mp4", "", "", 2, 16, 16), "train", "a.mp4", "")
    told = Contents("recorded_processes", "default", "1.0.0", {}, [entry], [], {}, [], 1)
    for text in (Page(page(told)).text, card(told)):
        assert "Nothing is held out" in text
        assert "The licence of 1 of 1 processes is not stated" in text
        assert "1 of 1 processes have no caption" in text
        assert "The medium of 1 of 1 processes is unknown" in text
    assert "Nothing was left out" in page(told)
    cleaned = Sighting(("0:00",), b"", measure="change", is_cleaned=True, is_turned=True)
    turned = dataclasses.replace(told, entries=[dataclasses.replace(entry, sighting=cleaned)])
    assert "1 recording ran backwards and was turned round" in page(turned)
    assert dataset_tables.measure(cleaned) == "share of what has changed"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.75, "3.8 s"), (49, "49 s"), (59.9, "60 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")],
)
def test_lengths_are_said_in_words(seconds, words):
    assert dataset_tables.duration(seconds) == words


def test_options_that_are_networks_are_named_if_there_are_any():
    given = {"segments": {"sha256": "0" * 64}, "medium": None}
    options = {"enrichment": given, "none": {"segments": None, "steps": 30}}
    told = Contents("recorded_processes", "default", "1.0.0", options, [], [], {}, [], 1)
    assert [row[1].text for row in dataset_tables.chosen(told).rows] == [
        "networks: segments",
        dataset_tables.MISSING,
    ]
