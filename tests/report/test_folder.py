"""The report's files."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation.measures import (
    CROSS_FADE,
    GENERATED,
    MEASURES,
    OTHER_PICTURE,
    RECORDED,
    MeasuredProcess,
)
from painting_jax.evaluation.result import ConditionEffect, MediaComparison, Result
from painting_jax.evaluation.strips import strip
from painting_jax.metrics import pdp
from painting_jax.metrics.bootstrap import Interval
from painting_jax.report import folder
from tests.evaluation.recordings import as_video
from tests.report.pages import Page, check_needs_nothing_else


def _row(name: str, method: str, medium: str, value: float) -> MeasuredProcess:
    # Neither a band nor CLIP nor DINO is at hand.
    without = {key for key in MEASURES if key.endswith(("_band", "_clip", "_dino"))}
    numbers = {key: float("nan") if key in without else value for key in MEASURES}
    curve_K = np.linspace(value, 0, 33)
    return MeasuredProcess(name, method, medium, numbers, curve_K, curve_K)


@pytest.fixture
def result() -> Result:
    rows = [
        _row(f"<b>{medium} & $x$ {number}", method, medium, value)
        for number in range(5)
        for medium in ("oil", "ink")
        for method, value in ((GENERATED, 0.1), (CROSS_FADE, 0.4), (RECORDED, 0.3))
    ]
    video = as_video(0, name="<script>alert(1)</script>")
    shown = strip({RECORDED: video, GENERATED: video}, input_HWC=video.frames_THWC[-1])
    return Result(
        title="How <it> paints",
        subtitle="Ten processes.",
        labels={"distance": "LPIPS (HED-VGG)"},
        rows=rows,
        strips=[shown],
        settings={"seed": 3},
        conditions={"medium": ConditionEffect(Interval(0.1, 0.05, 0.15, 8, 6), 0.5)},
        skipped=["a & b.mp4 is cut short"],
    )


def test_page_is_well_formed_and_needs_nothing_else(result, tmp_path):
    check_needs_nothing_else(folder.write(result, tmp_path / "out").read_text())


def test_names_are_text_and_never_markup(result, tmp_path):
    html = folder.write(result, tmp_path / "out").read_text()
    assert "alert(1)" in html
    assert "<script>alert" not in html
    assert "<b>oil" not in html


def test_ids_are_unique_on_the_page(result, tmp_path):
    parser = Page(folder.write(result, tmp_path / "out").read_text())
    ids = [attrs["id"] for _, attrs in parser.tags if "id" in attrs]
    html_ids = [i for i in ids if re.match(r"p\d+-", i)]
    assert len(html_ids) == len(set(html_ids)) == 2


def test_metrics_hold_every_number_and_its_n(result, tmp_path):
    folder.write(result, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["schema"] == folder.SCHEMA
    assert metrics["backbones"]["distance"] == "LPIPS (HED-VGG)"
    pdp = metrics["methods"][GENERATED]["pdp"]
    ends = dict.fromkeys(("mean", "low", "high"), pytest.approx(0.1))
    assert pdp == {"n": 10, "pictures": 10, **ends}
    assert metrics["methods"][GENERATED]["to_band"]["mean"] is None
    assert metrics["conditions"]["medium"]["rise"]["n"] == 8
    assert metrics["conditions"]["medium"]["verdict"] == "used"
    assert metrics["media"]["oil"][CROSS_FADE]["pdp"]["mean"] == pytest.approx(0.4)
    assert len(metrics["videos"]) == 30
    assert len(metrics["videos"][0]["profile"]) == 33
    assert metrics["settings"]["seed"] == 3


def test_tables_name_methods_conditions_and_the_distance(result, tmp_path):
    folder.write(result, tmp_path / "out")
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| generated | 10 | **0.100 [0.100, 0.100]** |" in table
    dash = "\N{EN DASH}"
    mean = "0.100 [0.100, 0.100]"
    assert f"| generated | 10 | {dash} | {mean} | {dash} | {dash} | {mean} |" in table
    assert "LPIPS (HED-VGG)" in table
    assert "| medium | +0.1000 [0.0500, 0.1500] | 20.0 % | 0.5000 | 8 | 6 | used |" in table


def test_pictures_in_several_media_have_a_dash_where_no_weights_were_named(result, tmp_path):
    third = Interval(0.5, 0.25, 0.75, 4, 4)
    compared = dataclasses.replace(
        result,
        labels={**result.labels, "clip": "CLIP ViT-B/32", "features": "HED-VGG"},
        across=[MediaComparison(GENERATED, third, third, third, 0.5, named=third, gained=third)],
    )
    folder.write(compared, tmp_path / "out")
    table = (tmp_path / "out" / "table.md").read_text()
    for heading in (
        "Structure (DINO) ↓",
        "Recognised, probe (HED-VGG) ↑",
        "Recognised, zero-shot (CLIP ViT-B/32) ↑",
        "Medium gained (CLIP ViT-B/32) ↑",
    ):
        assert f"| {heading} |" in table
    cell = "0.50 [0.25, 0.75]"
    pace = "0.500 [0.250, 0.750]"
    dash = "\N{EN DASH}"
    row = f"| generated | 4 | {cell} | {dash} | {pace} | {cell} | {cell} | 0.50 | {cell} |"
    assert row in table
    across = json.loads((tmp_path / "out" / "metrics.json").read_text())["across"][GENERATED]
    assert across["named"] == across["gained"] == third._asdict()
    assert across["structure"] == {"mean": None, "low": None, "high": None, "n": 0, "pictures": 0}


def _of_pictures(count: int, **fields) -> Result:
    """Two methods on so many pictures, each in two media; the first is better on all."""
    rows = [
        dataclasses.replace(_row(f"{p}-{medium}", method, medium, value + 0.01 * p), picture=str(p))
        for p in range(count)
        for medium in ("oil", "ink")
        for method, value in (("a", 0.1), ("b", 0.4), (RECORDED, 0.3))
    ]
    rise = Interval(0.1, 0.05, 0.15, 2 * count, count)
    return Result(
        "T",
        "S",
        {"distance": "LPIPS (HED-VGG)"},
        rows,
        [],
        {"seed": 0},
        judged=("a", "b"),
        conditions={"medium": ConditionEffect(rise, 0.5)},
        **fields,
    )


@pytest.mark.parametrize("count", [2, 4, 5, 9, 10])
def test_few_pictures_are_said_and_support_no_claim(tmp_path, count):
    result = _of_pictures(count)
    html = folder.write(result, tmp_path / "out").read_text()
    table = folder.markdown(result)
    for text in (html, table):
        assert ("intervals are rough" in text) == (count < 10)
        assert (f"Few pictures ({count}" in text) == (count < 10)
        assert ("nothing is called better" in text) == (count < 10)
    enough = count >= 5
    assert ("comes first in" in html) == enough
    assert ("conditions are used" in html) == enough
    assert ("**" in table) == enough
    verdict = "used" if enough else "too few pictures"
    assert f"| {2 * count} | {count} | {verdict} |" in table
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["against"][0]["pdp"]["first_better"] is None) == (not enough)
    assert metrics["conditions"]["medium"]["verdict"] == verdict
    assert metrics["methods"]["a"]["pdp"]["pictures"] == count


def test_intervals_hold_nothing_that_a_measure_cannot_be(tmp_path):
    folder.write(_of_pictures(2), tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for key, measure in MEASURES.items():
        found = metrics["methods"]["a"][key]
        if found["mean"] is not None:
            assert measure.least <= found["low"] <= found["mean"] <= found["high"] <= measure.most
    # A score of two pictures is no better known than this.
    assert metrics["methods"]["a"]["pdp"]["low"] < 0.05


def test_sets_of_the_recorded_pictures_have_no_fid(result):
    """Processes of other pictures are the recorded ones in another order: their FID was 0.00."""
    others = [_row("p", OTHER_PICTURE, "oil", 0.5)]
    text = folder.markdown(dataclasses.replace(result, rows=[*result.rows, *others]))
    assert "Processes of other pictures have no FID" in text
    assert "Processes of other pictures" not in folder.markdown(result)


def test_a_probe_that_fails_on_recorded_pictures_judges_no_other(result):
    pace = Interval(0.5, 0.25, 0.75, 12, 12)
    compared = dataclasses.replace(
        result, across=[MediaComparison(GENERATED, pace, pace, probe_failed=True)]
    )
    text = folder.markdown(compared)
    assert "it does not tell the media of the recorded pictures apart" in text
    assert folder.metrics_of(compared)["across"][GENERATED]["probe_failed"] is True


def test_what_is_wider_than_the_page_says_that_it_scrolls(result, tmp_path):
    html = folder.write(result, tmp_path / "out").read_text()
    parser = Page(html)
    classes = [attrs.get("class", "") for _, attrs in parser.tags]
    assert classes.count("scroll") == classes.count("wide") == classes.count("more") > 2
    assert html.count("Scroll sideways") == classes.count("more")
    # A reader without a mouse can scroll, too.
    scrolls = [attrs for _, attrs in parser.tags if attrs.get("class") == "scroll"]
    assert all(attrs["tabindex"] == "0" for attrs in scrolls)
    assert "@media (max-width: 42rem)" in html


def test_only_measures_that_were_taken_have_columns(result, tmp_path):
    nothing = dict.fromkeys(MEASURES, float("nan"))
    curve_K = np.linspace(1, 0, 33)
    unpaired = [
        MeasuredProcess(
            "cat",
            GENERATED,
            "",
            nothing | {"monotonicity": 1.0, "to_band": 0.1, "in_band": 0.5},
            np.full(33, np.nan),
            curve_K,
        )
    ]
    band = pdp.Band(curve_K, curve_K - 0.1, curve_K + 0.1, 5)
    alone = Result("T", "S", {"distance": "LPIPS (HED-VGG)"}, unpaired, [], {"seed": 0}, band=band)
    Page(folder.write(alone, tmp_path / "out").read_text())
    table = (tmp_path / "out" / "table.md").read_text()
    assert "\n| cat | 1.000 | 0.100 | 0.500 |\n" in table
    assert "paper" not in (tmp_path / "out" / "table.md").read_text()


def test_proxies_and_what_was_left_out_are_said_in_every_file(result, tmp_path):
    found = dataclasses.replace(result, proxies=("distance",), notes=["Turned round: 2."])
    html = folder.write(found, tmp_path / "out").read_text()
    table = (tmp_path / "out" / "table.md").read_text()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["proxies"] == ["distance"]
    for text in (html, table, " ".join(metrics["notes"])):
        assert "LPIPS (HED-VGG) is a proxy" in text
        assert "Turned round: 2." in text
    for text in (html, table, " ".join(metrics["skipped"])):
        assert "b.mp4 is cut short" in text


def test_unpaired_videos_are_drawn_over_the_band_of_their_medium(tmp_path):
    nothing = dict.fromkeys(MEASURES, float("nan"))
    none_K, curve_K = np.full(33, np.nan), np.linspace(1, 0, 33)
    rows = [
        MeasuredProcess(name, method, medium, nothing, none_K, curve_K)
        for method in (RECORDED, GENERATED)
        for name, medium in (("a", "oil"), ("b", "ink"), ("c", ""))
    ]
    band = pdp.Band(curve_K, curve_K - 0.1, curve_K + 0.1, 5)
    labels = {"distance": "LPIPS (HED-VGG)"}
    found = Result("T", "S", labels, rows, [], {"seed": 0}, band=band)
    of_all = Page(folder.write(found, tmp_path / "all").read_text())
    told = dataclasses.replace(found, bands={"oil": band, "colored_pencil": band})
    html = folder.write(told, tmp_path / "media").read_text()
    of_media = Page(html)
    drawn = [
        [attrs.get("aria-label", "") for tag, attrs in parser.tags if tag == "svg"]
        for parser in (of_all, of_media)
    ]
    assert len(drawn[0]) == 1
    assert drawn[1][1:] == [f"Distance profiles in {m}" for m in ("oil", "colored_pencil")]
    assert "colored pencil, 5 recorded" in html


def test_csv_has_a_row_a_video_with_every_number(result, tmp_path):
    folder.write(result, tmp_path / "out")
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [row.name for row in result.rows]
    assert set(MEASURES) < set(rows[0])
    assert rows[0]["pdp"] == "0.1"
    assert rows[0]["to_band"] == ""


def test_methods_are_held_against_each_other_in_pairs(tmp_path):
    rows = [
        _row(f"{number}", method, "oil", value)
        for number in range(5)
        for method, value in (("a", 0.1), ("b", 0.4), (RECORDED, 0.3))
    ]
    labels = {"distance": "LPIPS (HED-VGG)"}
    found = Result("T", "S", labels, rows, [], {"seed": 0}, judged=("a", "b"))
    html = folder.write(found, tmp_path / "out").read_text()
    Page(html)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| a against b | 5 | 0.25 | +0.300 [0.300, 0.300] | 1.00 |" in table
    assert "comes first in" in html
    # What a column is sorted by stands in its cells.
    assert 'data-value="0.1"' in html
    (contest,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["against"]
    assert (contest["method"], contest["other"]) == ("a", "b")
    assert contest["pdp"] == pytest.approx(
        {
            "share": 0.25,
            "mean": 0.3,
            "low": 0.3,
            "high": 0.3,
            "n": 5,
            "pictures": 5,
            "first_better": 1,
        }
    )


def test_what_rounds_to_nothing_has_no_sign(tmp_path):
    rows = [
        _row(f"{number}", method, "oil", value)
        for number in range(5)
        for method, value in (("a", 0.1004), ("b", 0.1))
    ]
    labels = {"distance": "LPIPS (HED-VGG)"}
    found = Result("T", "S", labels, rows, [], {"seed": 0}, judged=("a", "b"))
    assert "| a against b | 5 | 1.00 | 0.000 [0.000, 0.000] | 0.00 |" in folder.markdown(found)


def test_generated_videos_lie_in_the_report(result, tmp_path):
    (tmp_path / "partial" / "videos").mkdir(parents=True)
    (tmp_path / "partial" / "videos" / "0-cat.mp4").write_bytes(b"film")
    shown = dataclasses.replace(result.strips[0], video="videos/0-cat.mp4", why="worst of 9")
    found = dataclasses.replace(result, strips=[shown], videos=tmp_path / "partial" / "videos")
    for _ in range(2):
        html = folder.write(found, tmp_path / "out").read_text()
    assert 'href="videos/0-cat.mp4"' in html
    assert "worst of 9" in html
    assert (tmp_path / "out" / "videos" / "0-cat.mp4").read_bytes() == b"film"


def test_report_is_the_same_when_written_again(result, tmp_path):
    first = folder.write(result, tmp_path / "a").read_text()
    assert folder.write(result, tmp_path / "b").read_text() == first


def test_failure_keeps_the_earlier_report(result, tmp_path, monkeypatch):
    folder.write(result, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "page", full_disk)
    with pytest.raises(OSError, match="No space"):
        folder.write(result, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_left_alone(result, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        folder.write(result, tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_mean_of_fewer_than_the_row_says_of_how_many(result):
    result.rows[0].numbers["region_order"] = float("nan")
    text = folder.markdown(result)
    assert re.search(r"\| generated \| 10 \|.*0\.10 \[0\.10, 0\.10\], n 9 \|", text)
    assert not re.search(r"\| cross-fade \|.*, n \d", text)


def test_only_a_report_is_replaced(result, tmp_path):
    mine = tmp_path / "mine"
    (mine / "videos").mkdir(parents=True)
    (mine / "videos" / "cat.mp4").write_bytes(b"of somebody")
    with pytest.raises(UserError, match="holds videos, which is not part of a report"):
        folder.write(result, mine)
    (mine / "metrics.json").write_text('{"schema": "of something else"}')
    with pytest.raises(UserError, match=r"holds metrics\.json"):
        folder.write(result, mine)
    assert (mine / "videos" / "cat.mp4").read_bytes() == b"of somebody"
    folder.write(result, tmp_path / "out")
    folder.write(result, tmp_path / "out")


@pytest.mark.parametrize(("output", "given"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_report_lies_apart_from_what_it_is_about(tmp_path, output, given):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(UserError, match="lie one in the other"):
        folder.check(tmp_path / output, [tmp_path / given])
    folder.check(tmp_path / "c", [tmp_path / given])


def test_here_is_no_name_for_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no new folder"):
        folder.check(".")
