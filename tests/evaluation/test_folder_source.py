"""Any method's videos beside recorded ones."""

import json
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from flax import nnx

from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.evaluation import folder_source, measurement
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.folder_source import FolderSource
from painting_jax.evaluation.measures import (
    BLUR_TO_SHARP,
    CROSS_FADE,
    GENERATED,
    PAINTED,
    RECORDED,
    REVERSED,
)
from painting_jax.evaluation.methods import Method
from painting_jax.evaluation.networks import Networks
from painting_jax.generation import outputs
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.vgg.modeling import VGG16
from painting_jax.report import folder as report
from painting_jax.report import tables
from tests import tiny
from tests.evaluation.recordings import PIXELS, process, write_movie, write_pictures


def evaluate(
    folder,
    *,
    recorded,
    unpaired=False,
    partial=None,
    watch=None,
    networks=PIXELS,
    **options,
):
    """Measures one folder's videos, or those of several methods by name."""
    folders_of = folder if isinstance(folder, dict) else {GENERATED: folder}
    with tempfile.TemporaryDirectory() as other:
        source = FolderSource(
            [Method(name, str(path)) for name, path in folders_of.items()],
            recorded and str(recorded),
            unpaired=unpaired,
            frames=9,
            size=64,
            **options,
        )
        cache = Cache(partial or other, source.depends_on)
        watch = watch or (lambda items, _: items)
        return measurement.evaluate(source, networks, cache, seed=0, watch=watch)


@pytest.fixture
def root(tmp_path):
    """A pair, a damaged pair, and generated videos that cannot be used."""
    for seed, name in enumerate(("cat", "dog")):
        write_pictures(tmp_path / "recorded" / name, process(seed, frames=4))
    write_movie(tmp_path / "generated" / "cat.mp4", process(0, frames=5))
    (tmp_path / "generated" / "dog.mp4").write_text("this is no video")
    (tmp_path / "generated" / "empty.mp4").write_bytes(b"")
    write_movie(tmp_path / "generated" / "still.mp4", process(0, frames=1))
    return tmp_path


def test_pairs_are_measured_and_the_rest_is_named(root):
    found = evaluate(root / "generated", recorded=root / "recorded", with_baselines=True)
    methods = [row.method for row in found.rows]
    assert methods == [GENERATED, CROSS_FADE, BLUR_TO_SHARP, RECORDED]
    assert np.isfinite(found.rows[0].numbers["pdp"])
    assert len(found.skipped) == 3
    for name in ("dog.mp4", "empty.mp4", "still.mp4"):
        assert sum(name in line for line in found.skipped) == 1
    assert list(found.strips[0].rows)[:2] == [RECORDED, GENERATED]
    assert "cat" in found.strips[0].name


def test_unpaired_videos_are_measured_against_the_band(root):
    found = evaluate(root / "generated", recorded=root / "recorded", unpaired=True)
    assert [row.method for row in found.rows] == [RECORDED, RECORDED, GENERATED]
    numbers = found.rows[2].numbers
    assert np.isnan(numbers["pdp"])
    profiles_NK = np.stack([row.own_profile_K for row in found.rows])
    np.testing.assert_allclose(found.band.mean_K, profiles_NK[:2].mean(0), rtol=1e-6)
    area = np.abs(profiles_NK[2] - profiles_NK[:2].mean(0)).mean()
    assert numbers["to_band"] == pytest.approx(area, rel=1e-5)
    assert 0 <= numbers["in_band"] <= 1


def _write_told(folder, frames_THWC, medium):
    """As `generate` leaves a process."""
    write_pictures(folder / "steps", frames_THWC)
    (folder / "process.json").write_text(json.dumps({"medium": medium}))


def _slowly(frames_THWC):
    """The same picture, with all of it painted at the end."""
    return np.concatenate([np.repeat(frames_THWC[:1], len(frames_THWC) - 1, 0), frames_THWC[-1:]])


def test_videos_are_held_against_the_band_of_their_medium(tmp_path):
    for seed in range(3):
        _write_told(tmp_path / "recorded" / f"oil{seed}", process(seed, frames=4), "oil")
        _write_told(tmp_path / "recorded" / f"ink{seed}", _slowly(process(seed, frames=4)), "ink")
    _write_told(tmp_path / "made" / "oil", process(7, frames=4), "oil")
    _write_told(tmp_path / "made" / "pastel", process(8, frames=4), "pastel")
    found = evaluate(tmp_path / "made", recorded=tmp_path / "recorded", unpaired=True)
    assert {medium: band.n for medium, band in found.bands.items()} == {"ink": 3, "oil": 3}
    assert found.band.n == 6
    rows = {row.name: row for row in found.rows}
    of_oil = np.mean([rows[f"oil{seed}"].own_profile_K for seed in range(3)], axis=0)
    # A recorded process is held against the others, or it would be its own mark.
    others = np.mean([rows[f"oil{seed}"].own_profile_K for seed in (0, 2)], axis=0)
    for name, mean_K in (("oil", of_oil), ("pastel", found.band.mean_K), ("oil1", others)):
        area = np.abs(rows[name].own_profile_K - mean_K).mean()
        assert rows[name].numbers["to_band"] == pytest.approx(area, rel=1e-4)
    assert any("ink (n 3), oil (n 3); all others" in note for note in found.notes)


@pytest.mark.parametrize("unpaired", [False, True])
def test_one_picture_in_several_media_is_compared_across_them(tmp_path, unpaired):
    for place, picture in enumerate(("cat", "dog")):
        for medium, seed in (("oil", place), ("ink", 2 + place)):
            for side in ("recorded", "generated"):
                folder = tmp_path / side / f"{picture}-{medium}"
                # The generated oil is the recorded one; their ink is the same as their oil.
                drawn = place if side == "generated" else seed
                write_pictures(folder / "steps", process(drawn, frames=4))
                told = {"picture": picture, "medium": medium}
                if side == "recorded" or unpaired:
                    (folder / "process.json").write_text(json.dumps(told))
                else:
                    (folder / "process.json").write_text("{}")
    found = evaluate(tmp_path / "generated", recorded=tmp_path / "recorded", unpaired=unpaired)
    across = {each.method: each for each in found.across}
    assert across.keys() == {GENERATED, RECORDED}
    assert {each.edges.n for each in across.values()} == {2}
    assert across[GENERATED].edges.mean == pytest.approx(1)
    assert across[GENERATED].pace.mean == pytest.approx(0, abs=1e-6)
    assert across[RECORDED].edges.mean < 0.9
    assert across[RECORDED].pace.mean > 0.01
    table = tables.across(found)
    assert [row[0].text for row in table.rows] == list(across)


def test_without_media_there_is_one_band_and_that_is_said(root):
    found = evaluate(root / "generated", recorded=root / "recorded", unpaired=True)
    assert found.bands == {}
    assert any("one band, of 2 recorded processes" in note for note in found.notes)


def test_a_method_is_measured_without_any_recordings(root):
    found = evaluate(root / "recorded", recorded=None, unpaired=True)
    assert found.band is None
    assert len(found.rows) == 2
    assert np.isfinite(found.rows[0].numbers["monotonicity"])


def test_a_copy_of_the_recorded_set_is_perfect(root):
    found = evaluate(root / "recorded", recorded=root / "recorded")
    for row in found.rows:
        if row.method == GENERATED:
            assert row.numbers["pdp"] == row.numbers["between"] == 0


def test_names_that_do_not_pair_are_shown(root):
    write_movie(root / "others" / "hat.mp4", process(5, frames=3))
    with pytest.raises(UserError, match="hat, recorded are cat, dog"):
        evaluate(root / "others", recorded=root / "recorded")


def _write_result(folder, frames_THWC, picture, medium):
    """As `generate` leaves it."""
    outputs.write(
        folder,
        frames_THWC,
        title=f"{folder.name}, {medium}",
        model="tiny",
        parameters={"picture": picture, "medium": medium, "seed": 0},
    )


def test_results_of_generate_are_read_as_they_are(tmp_path):
    """Their folders carry the medium, so no names paired."""
    for seed, name in enumerate(("cat", "dog")):
        write_movie(tmp_path / "recorded" / f"{name}.mp4", process(seed, frames=4))
        made = tmp_path / "made" / f"{name}-oil"
        _write_result(made, process(seed, frames=5), f"{name}.png", {"oil": 1.0})
    found = evaluate(tmp_path / "made", recorded=tmp_path / "recorded")
    rows = [row for row in found.rows if row.method == GENERATED]
    assert [(row.name, row.picture, row.medium) for row in rows] == [
        ("cat", "cat.png", "oil"),
        ("dog", "dog.png", "oil"),
    ]
    # What the video's compression costs; the other picture is at 0.2.
    assert all(row.numbers["final_distance"] < 0.1 for row in rows)
    assert not found.skipped
    # Older results state the path as it was typed.
    old = tmp_path / "made" / "cat-oil" / "process.json"
    stated = json.loads(old.read_text())
    stated["image"] = f"/home/somebody/{stated.pop('picture')}"
    old.write_text(json.dumps(stated))
    assert not evaluate(tmp_path / "made", recorded=tmp_path / "recorded").skipped
    alone = evaluate(tmp_path / "made", recorded=None, unpaired=True)
    assert {row.name for row in alone.rows} == {"cat-oil", "dog-oil"}


def test_one_picture_in_several_media_pairs_by_its_medium_or_with_the_only_recording(tmp_path):
    for medium in ("oil", "ink"):
        _write_result(
            tmp_path / "ours" / f"cat-{medium}", process(0, frames=4), "cat.png", {medium: 1.0}
        )
        _write_told(tmp_path / "stated" / f"the_{medium}", process(0, frames=4), medium)
        told = tmp_path / "stated" / f"the_{medium}" / "process.json"
        told.write_text(json.dumps({"medium": medium, "picture": "cat"}))
    _write_result(tmp_path / "theirs" / "cat-ink", process(1, frames=4), "cat.png", {"ink": 1.0})
    write_movie(tmp_path / "unstated" / "cat.mp4", process(0, frames=4))
    methods = {"ours": tmp_path / "ours", "theirs": tmp_path / "theirs"}
    found = evaluate(methods, recorded=tmp_path / "stated")
    assert {(row.method, row.name, row.medium) for row in found.rows} == {
        ("ours", "the_oil", "oil"),
        ("ours", "the_ink", "ink"),
        ("theirs", "the_ink", "ink"),
        (RECORDED, "the_oil", "oil"),
        (RECORDED, "the_ink", "ink"),
    }
    found = evaluate(methods, recorded=tmp_path / "unstated")
    assert {(row.method, row.name, row.medium) for row in found.rows} == {
        ("ours", "cat (oil)", "oil"),
        ("ours", "cat (ink)", "ink"),
        ("theirs", "cat (ink)", "ink"),
        (RECORDED, "cat (oil)", "oil"),
        (RECORDED, "cat (ink)", "ink"),
    }
    # One picture, however often it is painted.
    assert {row.picture for row in found.rows} == {"cat.png"}


def test_two_recordings_that_may_be_meant_pair_with_none(tmp_path):
    for seed, name in enumerate(("first", "second")):
        folder = tmp_path / "recorded" / name
        write_pictures(folder / "steps", process(seed, frames=4))
        (folder / "process.json").write_text(json.dumps({"picture": "cat"}))
    _write_result(tmp_path / "made" / "cat-oil", process(0, frames=4), "cat.png", {"oil": 1.0})
    with pytest.raises(UserError, match="state the picture of each in"):
        evaluate(tmp_path / "made", recorded=tmp_path / "recorded")


def test_nothing_usable_is_an_error(root):
    (root / "generated" / "cat.mp4").write_text("this is no video")
    with pytest.raises(UserError, match=r"none of the generated videos .*cat\.mp4"):
        evaluate(root / "generated", recorded=None, unpaired=True)


def test_a_method_of_which_nothing_can_be_used_is_left_out(root):
    (root / "broken").mkdir()
    (root / "broken" / "cat.mp4").write_text("this is no video")
    methods = {"ours": root / "generated", "theirs": root / "broken"}
    found = evaluate(methods, recorded=root / "recorded")
    assert found.judged == ("ours",)
    assert found.skipped[0] == "all of theirs"
    assert any("broken/cat.mp4 is not a readable video" in line for line in found.skipped)
    assert list(report.metrics_of(found)["methods"]) == ["ours", RECORDED]


def test_pairing_needs_recordings(root):
    with pytest.raises(UserError, match="--recorded=DIR"):
        evaluate(root / "generated", recorded=None)


@pytest.fixture
def several(tmp_path):
    """Three pictures, recorded, copied by one method and faded in by another, which lacks one."""
    for seed, name in enumerate(("cat", "dog", "hat")):
        frames_THWC = process(seed, frames=5)
        write_pictures(tmp_path / "recorded" / name, frames_THWC)
        write_pictures(tmp_path / "copies" / name, frames_THWC)
        if name != "hat":
            shares = np.linspace(0, 1, 5)[:, None, None, None]
            faded = (1 - shares) * frames_THWC[0] + shares * frames_THWC[-1]
            write_pictures(tmp_path / "fades" / name, faded.astype(np.uint8))
    return tmp_path


def _methods(root):
    return {"copies": root / "copies", "fades": root / "fades"}


def test_several_methods_are_measured_on_the_same_pictures(several):
    found = evaluate(_methods(several), recorded=several / "recorded")
    assert found.judged == ("copies", "fades")
    rows = {(row.method, row.name): row.numbers for row in found.rows}
    assert len(rows) == 3 + 2 + 3
    for name in ("cat", "dog"):
        assert rows["copies", name]["pdp"] == rows["copies", name]["pdp_own"] == 0
        assert rows["fades", name]["pdp"] > 0
        # They end at the same picture: either curve is the same to it and to the own last frame.
        assert rows["fades", name]["pdp_own"] == pytest.approx(rows["fades", name]["pdp"])
    (lacking,) = found.skipped
    assert "hat" in lacking
    assert "fades" in lacking


def test_several_methods_are_measured_without_pairs(several):
    found = evaluate(_methods(several), recorded=several / "recorded", unpaired=True)
    assert [row.method for row in found.rows] == [RECORDED] * 3 + ["copies"] * 3 + ["fades"] * 2
    assert found.band.n == 3


def _numbers(found) -> list[str]:
    # As texts, for a number that is missing does not equal itself.
    return [repr(row.numbers) for row in found.rows]


class _Interrupted(Exception):
    pass


def test_an_interrupted_evaluation_goes_on_from_what_is_done(several, tmp_path, monkeypatch):
    def stop_at_third(items, _):
        yield from items[:2]
        raise _Interrupted

    partial = tmp_path / "out.partial"
    known = {"recorded": several / "recorded", "partial": partial}
    whole = evaluate(_methods(several), recorded=several / "recorded")
    with pytest.raises(_Interrupted):
        evaluate(_methods(several), **known, watch=stop_at_third)
    done = sorted(partial.iterdir())
    # The second was read when the third was asked for, and not measured yet.
    assert len(done) == 1
    measured = []
    compare = measurement.compare
    monkeypatch.setattr(
        measurement, "compare", lambda *given: measured.append(given[1]) or compare(*given)
    )
    resumed = evaluate(_methods(several), **known)
    assert [group.recorded.name for group in measured] == ["dog", "hat"]
    assert _numbers(resumed) == _numbers(whole)
    assert [strip.rows for strip in resumed.strips] == [strip.rows for strip in whole.strips]
    evaluate(_methods(several), **known)
    assert len(measured) == 2
    # Other settings, or another file, are measured anew.
    evaluate(_methods(several), **known, with_baselines=True)
    assert len(measured) == 5
    frames_THWC = process(8, frames=5)
    (several / "copies" / "cat" / "3.png").write_bytes(pictures.encode(frames_THWC[2], "png"))
    changed = evaluate(_methods(several), **known)
    assert [group.recorded.name for group in measured[5:]] == ["cat"]
    assert changed.rows[0].numbers["pdp"] > 0


def test_a_damaged_entry_is_measured_again(several, tmp_path):
    known = {"recorded": several / "recorded", "partial": tmp_path / "out.partial"}
    first = evaluate(several / "copies", **known)
    for path in (tmp_path / "out.partial").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = evaluate(several / "copies", **known)
    assert _numbers(again) == _numbers(first)


def test_a_killed_evaluation_goes_on(several, tmp_path):
    """It is killed by the system while it measures: what is kept is whole."""
    arguments = [str(several / "recorded"), str(several / "copies"), str(tmp_path / "p")]
    command = [sys.executable, "-m", "tests.evaluation.killed", *arguments]
    done = subprocess.run(command, env=tiny.environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    kept = sorted((tmp_path / "p").glob("*.npz"))
    assert len(kept) == 2
    before = [path.stat().st_mtime_ns for path in kept]
    known = {"recorded": several / "recorded", "partial": tmp_path / "p"}
    found = evaluate(several / "copies", **known)
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert len(found.rows) == 6


def test_one_broken_file_among_a_hundred_is_named_and_counted(tmp_path):
    for number in range(100):
        write_pictures(tmp_path / f"p{number}", process(number, frames=2))
    (tmp_path / "p7" / "2.png").write_bytes(b"broken")
    found = evaluate(tmp_path, recorded=None, unpaired=True)
    (line,) = found.skipped
    assert "p7" in line
    assert sum(row.method == GENERATED for row in found.rows) == 99
    text = report.markdown(found)
    assert "| generated | 99 |" in text
    assert f"## Left out (1)\n\n- {line}" in text


def test_still_frames_leave_the_profile_where_progress_is_stated(tmp_path):
    """Also where more frames lie there than are measured."""
    frames_THWC, progress_T = process(0, frames=5), np.linspace(0, 1, 5)
    stands_N = np.repeat(np.arange(5), (2, 1, 3, 1, 1))
    write_pictures(tmp_path / "recorded" / "cat", process(1, frames=5))
    write_pictures(tmp_path / "plain" / "cat", frames_THWC)
    write_pictures(tmp_path / "standing" / "cat", frames_THWC[stands_N])
    write_pictures(tmp_path / "unstated" / "cat", frames_THWC[stands_N])
    told = {"progress": progress_T[stands_N].tolist()}
    (tmp_path / "standing" / "cat" / "process.json").write_text(json.dumps(told))
    methods = {name: tmp_path / name for name in ("plain", "standing", "unstated")}
    found = evaluate(methods, recorded=tmp_path / "recorded")
    numbers = {row.method: row.numbers for row in found.rows}
    for key in ("pdp", "pdp_own", "work"):
        assert numbers["standing"][key] == pytest.approx(numbers["plain"][key], rel=1e-5)
        assert numbers["unstated"][key] != pytest.approx(numbers["plain"][key], rel=1e-2)


def test_what_is_cropped_away_to_compare_is_said(several):
    write_pictures(several / "wide" / "cat", process(0, frames=4, width=128))
    found = evaluate(several / "wide", recorded=several / "recorded")
    assert found.rows[0].cut == pytest.approx(0.5)
    assert any("1 of 1 generated videos" in note and "50 %" in note for note in found.notes)
    alike = evaluate(several / "copies", recorded=several / "recorded")
    assert not any("cropped" in note for note in alike.notes)
    assert any("All generated videos run from blank to finished" in note for note in alike.notes)


def test_a_video_of_zeros_has_numbers(tmp_path):
    write_pictures(tmp_path / "recorded" / "cat", process(0, frames=4))
    write_pictures(tmp_path / "made" / "cat", np.zeros((4, 64, 64, 3), np.uint8))
    row = evaluate(tmp_path / "made", recorded=tmp_path / "recorded").rows[0]
    assert np.isfinite([row.numbers[key] for key in ("pdp", "between", "final_distance")]).all()
    assert row.numbers["final_distance"] > 0


def test_reversed_videos_are_found_turned_round_and_said(several):
    for name, seed in (("cat", 0), ("dog", 1)):
        frames_THWC = process(seed, frames=5)
        write_pictures(several / "backwards" / name, frames_THWC[::-1])
    found = evaluate(several / "backwards", recorded=several / "recorded")
    rows = [row for row in found.rows if row.method == GENERATED]
    assert [row.order for row in rows] == [REVERSED] * 2
    assert all(row.numbers["pdp"] == row.numbers["final_distance"] == 0 for row in rows)
    assert any("2 of 2 generated videos ran" in note for note in found.notes)
    alone = evaluate(several / "backwards", recorded=None, unpaired=True)
    assert [row.order for row in alone.rows] == [REVERSED] * 2
    taken = evaluate(several / "backwards", recorded=several / "recorded", order=PAINTED)
    assert taken.rows[0].numbers["final_distance"] > 0
    assert not taken.notes
    forwards = evaluate(several / "copies", recorded=several / "recorded", order=REVERSED)
    assert forwards.rows[0].numbers["final_distance"] > 0


def test_a_recorded_process_that_looks_reversed_is_said(several):
    write_pictures(several / "odd" / "cat", process(0, frames=5)[::-1])
    found = evaluate(several / "copies", recorded=several / "odd")
    assert any("odd/cat looks reversed" in note for note in found.notes)


def test_everything_is_taken_from_one_look_at_the_frames(several):
    """With a network that has a texture, sets and textures are measured, too."""
    trunk = VGG16(widths=(4, 4, 4, 4, 4), rngs=nnx.Rngs(0))
    networks = Networks(LPIPS(trunk=trunk, label="LPIPS (random)"))
    found = evaluate(_methods(several), recorded=several / "recorded", networks=networks)
    copies, fades = (
        [row.numbers for row in found.rows if row.method == method]
        for method in ("copies", "fades")
    )
    for numbers in copies:
        assert numbers["texture_apart"] == numbers["work"] == numbers["region_pdp"] == 0
        assert numbers["region_order"] == pytest.approx(1)
    assert all(numbers["worked_on"] > copies[0]["worked_on"] for numbers in fades)
    assert all(numbers["texture_apart"] > 0 for numbers in fades)
    assert found.sets["copies"].fid == pytest.approx(0, abs=1e-6)
    assert found.sets["copies"].n == 3
    assert found.labels["features"] == "random"
    apart = evaluate(
        _methods(several), recorded=several / "recorded", networks=networks, unpaired=True
    )
    assert all(np.isfinite(row.numbers["texture_to_set"]) for row in apart.rows)
    # A copy is in the set that it is held against, the recorded one itself is not.
    for recorded, copy in zip(apart.rows[:3], apart.rows[3:6], strict=True):
        assert recorded.numbers["texture_to_set"] > copy.numbers["texture_to_set"]
    assert apart.proxies == ("features",)
    # Three pictures of other things are no set.
    assert apart.sets == {}
    assert sum("No FID and KID" in note for note in apart.notes) == 2


def test_what_could_not_be_read_is_tried_again(root, tmp_path):
    partial = tmp_path / "partial"
    before = evaluate(root / "generated", recorded=root / "recorded", partial=partial)
    stat = (root / "generated" / "dog.mp4").stat()
    assert any("dog.mp4" in line for line in before.skipped)
    with pytest.MonkeyPatch.context() as patch:
        # Mended in a way that neither size nor time tell of.
        patch.setattr(folder_source, "file_state", _once(folder_source.file_state, root, stat))
        write_movie(root / "generated" / "dog.mp4", process(1, frames=5))
        after = evaluate(root / "generated", recorded=root / "recorded", partial=partial)
    assert not any("dog.mp4" in line for line in after.skipped)


def _once(file_state, root, stat):
    """The state of dog.mp4 as it was."""
    dog = root / "generated" / "dog.mp4"
    return lambda path: (
        [str(dog.resolve()), stat.st_size, stat.st_mtime_ns]
        if str(path) == str(dog)
        else file_state(path)
    )


def test_files_that_are_no_process_are_named(root):
    """A picture beside videos was passed over in silence."""
    (root / "generated" / "input.png").write_bytes(b"no process")
    found = evaluate(root / "generated", recorded=None, unpaired=True)
    assert "input.png: a single picture is no process" in found.skipped


def test_manifests_pair_as_folders_do(root):
    """They were refused."""
    (root / "generated" / "list.jsonl").write_text('{"path": "cat.mp4", "medium": "Ink"}')
    found = evaluate(root / "generated" / "list.jsonl", recorded=root / "recorded")
    assert {(row.name, row.medium) for row in found.rows} == {("cat", "ink")}


def test_edits_are_noted_and_cut_if_asked_for(several):
    painted = process(0, frames=12)
    fade = [(painted[-1] * share).astype(np.uint8) for share in (0.7, 0.4, 0.1, 0)]
    write_pictures(several / "whole" / "cat", painted)
    write_pictures(several / "faded" / "cat", np.stack([*painted, *fade]))
    kept = evaluate(several / "whole", recorded=several / "faded")
    assert any("cat fades out" in note and "is kept" in note for note in kept.notes)
    assert kept.rows[0].numbers["final_distance"] > 0
    cut = evaluate(several / "whole", recorded=several / "faded", edits="cut")
    assert any("cat fades out" in note and "cut off" in note for note in cut.notes)
    assert cut.rows[0].numbers["final_distance"] == 0


def test_a_recorded_process_that_runs_backwards_is_turned_if_asked_for(several):
    write_pictures(several / "odd" / "cat", process(0, frames=5)[::-1])
    found = evaluate(several / "copies", recorded=several / "odd", edits="turn")
    assert any("cat looks as if it ran backwards: it is turned round" in n for n in found.notes)
    assert found.rows[0].numbers["final_distance"] == 0


def test_a_damaged_frame_is_noted(several):
    (several / "copies" / "cat" / "3.png").write_bytes(b"bad")
    found = evaluate(several / "copies", recorded=several / "recorded")
    assert any("cat/3.png" in note and "left out of cat" in note for note in found.notes)
    assert not any("cat" in line for line in found.skipped)
