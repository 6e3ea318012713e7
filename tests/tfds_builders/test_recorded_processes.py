import dataclasses
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import (
    building,
    contents,
    crews,
    photos,
    pictures,
    pipeline,
    processes,
    reading_recordings,
    record_size,
    video,
    workers,
)
from painting_jax.errors import UserError
from painting_jax.report import dataset
from tests import tiny
from tests.synthetic import recording, scene
from tests.tfds_builders import hanging
from tfds_builders.recorded_processes import recorded_processes_dataset_builder as builder


def write_gif(path: pathlib.Path, seed: int) -> None:
    images = [Image.fromarray(frame) for frame in recording(seed)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)


def write_numbered(folder: pathlib.Path, seed: int, count: int = 11) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(recording(seed, count), start=1):
        (folder / f"step {number}.jpg").write_bytes(pictures.encode(frame))


def build(
    data_dir, *sources, medium="oil", crew=None, say=lambda line: None, **changes
) -> building.Summary:
    config = builder.Config(
        name="default", source=tuple(map(str, sources)), medium=medium, **changes
    )
    return building.build(
        builder.Builder, config, data_dir, crew=crew, say=say, present=dataset.write
    )


def records(data_dir) -> dict:
    found = {}
    for split in ("train", "validation", "test"):
        try:
            source = pipeline.DataSource(data_dir, split)
        except UserError:
            continue
        found |= {source.record(i).id: source.record(i) for i in range(len(source))}
    return found


@pytest.fixture
def studio(tmp_path) -> pathlib.Path:
    """A folder of a video, a gif, two sequences of pictures, and what lies about."""
    folder = tmp_path / "studio"
    folder.mkdir()
    video.write_mp4(folder / "cat.mp4", recording(0), fps=4)
    write_gif(folder / "dog.gif", 1)
    write_numbered(folder / "flowers", 2)
    write_numbered(folder / "trees" / "oak", 3)
    (folder / "final.png").write_bytes(pictures.encode(scene(0), "png"))
    (folder / "notes.txt").write_text("about")
    return folder


def test_videos_gifs_and_numbered_pictures_become_processes(studio, tmp_path):
    summary = build(tmp_path / "data", studio)
    found = records(tmp_path / "data")
    assert set(found) == {"cat.mp4", "dog.gif", "flowers", "trees/oak"}
    assert [skip.name for skip in summary.skipped] == ["final.png"]
    assert sum(sum(media.values()) for media in summary.counts.values()) == 4
    for name, seed in (("cat.mp4", 0), ("dog.gif", 1), ("flowers", 2), ("trees/oak", 3)):
        record = found[name]
        assert record.medium == "oil"
        assert record.reference == record.frames[-1]
        assert record.segments.shape == (48, 64)
        finished = pictures.decode(record.reference).astype(int)
        assert np.abs(finished - recording(seed)[-1]).mean() < 8
        assert pictures.decode(record.frames[0]).mean() > 250


def test_names_that_are_no_utf8_are_escaped(tmp_path):
    (tmp_path / "in").mkdir()
    video.write_mp4(tmp_path / "in" / os.fsdecode(b"\xff.mp4"), recording(0), fps=4)
    (tmp_path / "in" / os.fsdecode(b"\xfe.mp4")).write_bytes(b"")
    summary = build(tmp_path / "data", tmp_path / "in")
    assert [skip.name for skip in summary.skipped] == [r"\udcfe.mp4"]
    assert set(records(tmp_path / "data")) == {r"\udcff.mp4"}


def test_a_link_that_leads_back_is_not_followed(studio, tmp_path):
    (studio / "trees" / "loop").symlink_to("..")
    assert [skip.name for skip in build(tmp_path / "data", studio).skipped] == ["final.png"]
    assert set(records(tmp_path / "data")) == {"cat.mp4", "dog.gif", "flowers", "trees/oak"}


def test_pictures_are_taken_in_natural_order(studio, tmp_path):
    build(tmp_path / "data", studio / "flowers")
    record = records(tmp_path / "data")["flowers"]
    assert len(record.frames) == 11
    brightness = [pictures.decode(frame).mean() for frame in record.frames]
    assert np.all(np.diff(brightness) < 0)
    np.testing.assert_allclose(record.progress, np.linspace(0, 1, 11), atol=1e-6)


def test_long_recordings_are_thinned_and_large_ones_scaled(studio, tmp_path):
    build(tmp_path / "data", studio, max_frames=5, size=32)
    for record in records(tmp_path / "data").values():
        assert len(record.frames) == 5
        assert pictures.decode(record.reference).shape == (24, 32, 3)
        np.testing.assert_allclose(record.progress, np.linspace(0, 1, 5), atol=0.1)


def test_recordings_keep_their_resolution_up_to_1280_pixels(tmp_path):
    folder = tmp_path / "in"
    for name, (height, width) in {"hd": (720, 1280), "small": (96, 128), "4k": (64, 2560)}.items():
        (folder / name).mkdir(parents=True)
        for number, frame_HWC in enumerate(recording(len(name), 2, height, width)):
            (folder / name / f"{number}.png").write_bytes(pictures.encode(frame_HWC, "png"))
    build(tmp_path / "data", folder)
    found = records(tmp_path / "data")
    assert {name: record.frame_HW for name, record in found.items()} == {
        "hd": (720, 1280),
        "small": (96, 128),
        "4k": (32, 1280),
    }


def test_a_video_and_its_frames_share_a_split(tmp_path):
    folder, seeds = tmp_path / "in", (0, 1, 3, 4)
    for seed in seeds:
        video.write_mp4(folder / f"{seed}.mp4", recording(seed), fps=4)
        write_numbered(folder / f"frames {seed}", seed)
        write_gif(folder / f"small {seed}.gif", seed)
    summary = build(tmp_path / "data", folder)
    assert sorted(media["oil"] for media in summary.counts.values()) == [3, 3, 6]
    assert summary.alike == tuple(
        (f"{seed}.mp4", f"frames {seed}", f"small {seed}.gif") for seed in seeds
    )
    where = {}
    for split in summary.counts:
        for row in pipeline.DataSource(tmp_path / "data", split).rows:
            where.setdefault(row.id.removesuffix(".gif").removesuffix(".mp4")[-1], set()).add(split)
    assert len(where) == 4
    assert all(len(some) == 1 for some in where.values())


def test_a_part_with_a_crop_looks_like_its_own_frames(studio, tmp_path):
    frames_THWC = recording(0)[:7, :, 8:56]
    (studio / "part").mkdir()
    for number, frame_HWC in enumerate(frames_THWC):
        (studio / "part" / f"{number}.png").write_bytes(pictures.encode(frame_HWC, "png"))
    entries = [
        {"path": "cat.mp4", "crop": [8, 0, 56, 48], "end": 1.5},
        {"path": "part"},
        {"path": "flowers"},
    ]
    (studio / "list.jsonl").write_text("\n".join(map(json.dumps, entries)))
    assert build(tmp_path / "data", studio / "list.jsonl").alike == (("cat.mp4", "part"),)


def test_disk_use_is_said_before_recordings_are_read_and_is_about_right(tmp_path, monkeypatch):
    said, read = [], []
    monkeypatch.setattr(
        reading_recordings,
        "read",
        lambda *a, _read=reading_recordings.read, **k: read.append(len(said)) or _read(*a, **k),
    )
    for photo in photos.packaged()[:3]:
        (tmp_path / "in" / photo.name).mkdir(parents=True)
        finished = Image.fromarray(pictures.load(photo.path))
        finished.thumbnail((300, 300))
        paper = Image.new("RGB", finished.size, "white")
        for number in range(6):
            step = Image.blend(paper, finished, number / 5)
            step.save(tmp_path / "in" / photo.name / f"{number}.png")
    config = builder.Config(name="default", source=(str(tmp_path / "in"),), medium="oil")
    summary = building.build(builder.Builder, config, tmp_path / "data", say=said.append)
    assert read == [1, 1, 1]
    estimate = float(re.search(r"about (\S+) kB", said[0])[1])
    written = sum(path.stat().st_size for path in pathlib.Path(summary.path).iterdir()) / 1000
    assert written / 2 < estimate < 2 * written


def test_a_recording_larger_than_a_record_is_skipped(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(record_size, "_MOST", 10_000)
    with pytest.raises(UserError, match=r"cat.mp4: its 12 frames take .* kB, more than a record"):
        build(tmp_path / "data", studio)
    assert [p.name for p in (tmp_path / "data").rglob("*") if p.is_file()] == ["skipped.jsonl"]


def test_each_recording_is_read_once_and_nothing_is_left_of_that(studio, tmp_path, monkeypatch):
    read = []
    to_record = processes.to_record
    monkeypatch.setattr(
        processes, "to_record", lambda file, **k: read.append(file.name) or to_record(file, **k)
    )
    build(tmp_path / "data", studio)
    assert sorted(read) == ["cat.mp4", "dog.gif", "flowers", "trees/oak"]
    assert [path.name for path in (tmp_path / "data").glob("*/*/*")] == ["1.0.0"]


def test_manifest_says_which_part_is_what(studio, tmp_path):
    entries = [
        {"path": "cat.mp4", "medium": "ink", "caption": "a cat", "licence": "CC0", "end": 1.5},
        {"path": "cat.mp4", "crop": [8, 0, 56, 48], "start": 1, "end": 2.5},
        {"path": "flowers", "start": 2, "end": 7},
        {"path": "trees/oak"},
    ]
    (studio / "list.jsonl").write_text("\n\n".join(map(json.dumps, entries)))
    summary = build(tmp_path / "data", studio / "list.jsonl")
    found = records(tmp_path / "data")
    assert not summary.skipped
    whole, part = found["cat.mp4"], found["cat.mp4#2"]
    assert (whole.medium, whole.caption, whole.licence) == ("ink", "a cat", "CC0")
    assert len(whole.frames) == 7
    assert part.medium == "oil"
    assert pictures.decode(part.reference).shape == (48, 48, 3)
    assert len(found["flowers"].frames) == 6


def test_parts_of_one_video_share_a_split(studio, tmp_path):
    entries = [{"path": "cat.mp4", "end": 0.5 + 0.25 * part} for part in range(6)]
    entries += [{"path": "dog.gif"}, {"path": "flowers"}, {"path": "trees/oak"}]
    (studio / "list.jsonl").write_text("\n".join(map(json.dumps, entries)))
    summary = build(tmp_path / "data", studio / "list.jsonl")
    assert sorted(media["oil"] for media in summary.counts.values()) in ([1, 1, 7], [1, 2, 6])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "needs an object with a path"),
        ('{"medium": "oil"}', "needs an object with a path"),
        ('{"path": "a.mp4", "colour": "red"}', "says 'colour'"),
        ('{"path": "a.mp4", "medium": "crayon"}', "unknown medium 'crayon'"),
        ('{"path": "a.mp4", "start": 3, "end": 2}', "start 3 must lie before end 2"),
        ('{"path": "a.mp4", "start": "3"}', "start must be a number"),
        ('{"path": "a.mp4", "start": -1}', "start must be a number"),
        ('{"path": "a.mp4", "crop": [0, 0, 10]}', "crop must be"),
        ('{"path": "a.mp4", "crop": [9, 0, 5, 5]}', "crop must be"),
        ('{"path": "a.mp4", "caption": 7}', "caption must be text"),
        ('{"path": ""}', "line 1: path '' names no video"),
        ('{"path": "./."}', "line 1: path './.' names no video"),
        ('{"path": "a.mp4", "end": ' + "9" * 5000 + "}", "line 1 has a number too long"),
        ("[" * 100_000, "line 1 has a number too long or brackets too deep"),
        ("", "is empty"),
    ],
)
def test_mistakes_in_a_manifest_are_user_errors(tmp_path, line, message):
    (tmp_path / "list.jsonl").write_text(line)
    with pytest.raises(UserError, match=message):
        build(tmp_path / "data", tmp_path / "list.jsonl")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 2), ("utf-16", 1)])
def test_a_manifest_that_is_no_utf8_is_a_user_error(tmp_path, encoding, line):
    lines = '{"path": "a.mp4"}\n{"path": "b.mp4", "caption": "ein Kätzchen"}\n'
    (tmp_path / "list.jsonl").write_text(lines, encoding)
    with pytest.raises(UserError, match=f"line {line} is not UTF-8"):
        build(tmp_path / "data", tmp_path / "list.jsonl")


def test_a_mark_before_utf8_and_odd_line_breaks_in_captions_are_read(studio, tmp_path):
    line = '{"path": "cat.mp4", "caption": "a\u2028cat\x85"}\r\n'
    (studio / "list.jsonl").write_bytes(line.encode("utf-8-sig"))
    build(tmp_path / "data", studio / "list.jsonl")
    assert records(tmp_path / "data")["cat.mp4"].caption == "a\u2028cat\x85"


def test_the_same_recording_twice_is_one_process(studio, tmp_path):
    shutil.copy(studio / "cat.mp4", studio / "katze.mp4")
    entries = [
        {"path": "cat.mp4"},
        {"path": "cat.mp4"},
        {"path": "katze.mp4"},
        {"path": "cat.mp4", "end": 1},
        {"path": "cat.mp4", "medium": "ink"},
    ]
    (studio / "list.jsonl").write_text("\n".join(map(json.dumps, entries)))
    summary = build(tmp_path / "data", studio / "list.jsonl")
    assert {skip.name: skip.reason for skip in summary.skipped} == {
        "cat.mp4#2": "the same recording as cat.mp4",
        "katze.mp4": "the same recording as cat.mp4",
    }
    assert set(records(tmp_path / "data")) == {"cat.mp4", "cat.mp4#3", "cat.mp4#4"}


def test_recording_without_a_medium_is_named(studio, tmp_path):
    with pytest.raises(UserError, match=r"cat\.mp4 has no medium"):
        build(tmp_path / "data", studio, medium=None)


def test_unusable_recordings_are_skipped_with_their_reason(studio, tmp_path):
    data = (studio / "cat.mp4").read_bytes()
    (studio / "cut.mp4").write_bytes(data[: len(data) // 2])
    (studio / "empty.mp4").write_bytes(b"")
    write_numbered(studio / "torn", 4)
    (studio / "torn" / "step 3.jpg").write_bytes(b"no picture")
    (studio / "list.jsonl").write_text(
        "\n".join(
            json.dumps({"path": name, "crop": [0, 0, 64, 48]})
            for name in ("cut.mp4", "empty.mp4", "torn", "gone.mp4", "cat.mp4")
        )
        + '\n{"path": "dog.gif", "crop": [0, 0, 640, 48]}\n{"path": "dog.gif", "start": 90}'
    )
    summary = build(tmp_path / "data", studio / "list.jsonl")
    reasons = {skip.name: skip.reason for skip in summary.skipped}
    expected = {
        "cut.mp4": "cut.mp4 is cut short",
        "empty.mp4": "not a readable video",
        "gone.mp4": "does not exist",
        "dog.gif": "does not lie within",
        "dog.gif#2": "no frame from 90",
    }
    assert reasons.keys() == expected.keys()
    assert [name for name in expected if expected[name] not in reasons[name]] == []
    assert set(records(tmp_path / "data")) == {"cat.mp4", "torn"}
    (remark,) = summary.remarks
    assert (remark.name, "step 3.jpg is not a picture" in remark.reason) == ("torn", True)
    assert summary.lines()[-1].endswith("2 processes, 1 with notes, 5 skipped")


def test_second_run_with_skipped_recordings_changes_nothing(studio, tmp_path):
    (studio / "empty.mp4").write_bytes(b"")
    first = build(tmp_path / "data", studio)
    again = build(tmp_path / "data", studio)
    assert first.built
    assert not again.built
    assert again.counts == first.counts
    assert again.skipped == first.skipped


def test_a_pattern_stands_for_what_it_matches(studio, tmp_path):
    build(tmp_path / "data", studio / "*.mp4", studio / "*" / "o*")
    assert set(records(tmp_path / "data")) == {"cat.mp4", "oak"}
    with pytest.raises(UserError, match=r"\*\.mov does not exist"):
        build(tmp_path / "other", studio / "*.mov")


def test_nothing_usable_is_a_user_error(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.mp4.*not a readable video"):
        build(tmp_path / "data", tmp_path / "in")
    (tmp_path / "in" / "a.mp4").unlink()
    with pytest.raises(UserError, match="holds no videos"):
        build(tmp_path / "data", tmp_path / "in")
    with pytest.raises(UserError, match="does not exist"):
        build(tmp_path / "data", tmp_path / "none")
    assert not list((tmp_path / "data").rglob("*.json"))


def test_sidecars_state_the_medium_and_the_progress(studio, tmp_path):
    """They were not looked for."""
    progress = np.linspace(0, 1, len(recording())) ** 2
    stated = {"medium": "Ink", "caption": "a cat", "progress": progress.tolist()}
    (studio / "cat.json").write_text(json.dumps(stated))
    (studio / "flowers" / "process.json").write_text('{"medium": "pencil + ink"}')
    summary = build(tmp_path / "data", studio)
    assert "a mixture" in {skip.name: skip.reason for skip in summary.skipped}["flowers"]
    found = records(tmp_path / "data")
    assert (found["cat.mp4"].medium, found["cat.mp4"].caption) == ("ink", "a cat")
    np.testing.assert_allclose(found["cat.mp4"].progress, progress, atol=1e-6)
    assert found["trees/oak"].medium == "oil"
    assert not build(tmp_path / "data", studio).built


def test_published_time_lapses_are_cut_left_out_and_counted(tmp_path):
    painted = recording(0, 20)
    fade = [(painted[-1] * share).astype("uint8") for share in (0.7, 0.4, 0.1, 0)]
    made = {
        "intro": np.stack([*[painted[-1]] * 6, *painted]),
        "fade": np.stack([*painted, *fade]),
        "backwards": painted[::-1],
        "plain": recording(1, 20),
    }
    (tmp_path / "in").mkdir()
    for name, frames_THWC in made.items():
        video.write_mp4(tmp_path / "in" / f"{name}.mp4", frames_THWC, fps=4)
    summary = build(tmp_path / "data", tmp_path / "in")
    found = records(tmp_path / "data")
    assert set(found) == {"intro.mp4", "fade.mp4", "plain.mp4"}
    for name in ("intro.mp4", "fade.mp4"):
        assert pictures.decode(found[name].frames[0]).mean() > 250
        finished = pictures.decode(found[name].reference).astype(int)
        assert np.abs(finished - painted[-1]).mean() < 8
    assert [skip.name for skip in summary.skipped] == ["backwards.mp4"]
    assert {remark.name for remark in summary.remarks} == {"intro.mp4", "fade.mp4"}
    lines = summary.lines()
    assert sum(line.startswith("note: ") for line in lines) == 2
    assert lines[-1].endswith("3 processes, 2 with notes, 1 skipped")
    kept = build(tmp_path / "kept", tmp_path / "in", edits="keep")
    assert len(kept.remarks) == 3
    assert not kept.skipped


def test_one_bad_file_of_each_kind_costs_itself(studio, tmp_path):
    video.write_mp4(studio / "good.mp4", recording(4), fps=4)
    data = (studio / "good.mp4").read_bytes()
    (studio / "codec.mov").write_bytes(data.replace(b"avc1", b"xyz1"))
    (studio / "gone.mp4").symlink_to("nowhere.mp4")
    (studio / "5.mp4").mkdir()
    os.mkfifo(studio / "pipe.mp4")
    (studio / "empty.mp4").write_bytes(b"")
    (studio / "work.psd").write_bytes(b"8BPS")
    summary = build(tmp_path / "data", studio)
    skipped = {skip.name: skip.reason for skip in summary.skipped}
    bad = {"codec.mov", "gone.mp4", "5.mp4", "pipe.mp4", "empty.mp4", "work.psd", "final.png"}
    assert set(skipped) == bad
    assert "codec that FFmpeg does not know" in skipped["codec.mov"]
    assert len(records(tmp_path / "data")) == 5


def test_a_recording_that_hangs_its_decoder_costs_itself_alone(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(reading_recordings, "read", hanging.read)
    with workers.Crew(seconds=3) as crew:
        summary = build(tmp_path / "data", studio, crew=crew)
    assert set(records(tmp_path / "data")) == {"cat.mp4", "flowers", "trees/oak"}
    reasons = {skip.name: skip.reason for skip in summary.skipped}
    assert reasons.pop("dog.gif").startswith("it took more than 3 seconds")
    assert set(reasons) == {"final.png"}
    listed = pathlib.Path(summary.path) / "skipped.jsonl"
    assert [json.loads(line) for line in listed.read_text().splitlines()] == [
        dataclasses.asdict(skip) for skip in summary.skipped
    ]


_SLOWLY = """
    import sys, time
    from painting_jax.data import reading_recordings
    from tests.tfds_builders.test_recorded_processes import build

    read = reading_recordings.read

    def slowly(recording, **options):
        if recording.name == "trees/oak":
            print("the last", flush=True)
            time.sleep(600)
        return read(recording, **options)

    reading_recordings.read = slowly
    build(*sys.argv[1:])
"""


def test_a_killed_run_is_taken_up_where_it_was(studio, tmp_path, monkeypatch):
    (studio / "cut.mp4").write_bytes((studio / "cat.mp4").read_bytes()[:500])
    command = [sys.executable, "-c", textwrap.dedent(_SLOWLY), str(tmp_path / "data"), str(studio)]
    with subprocess.Popen(command, cwd=tiny.ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "the last\n"
        run.kill()
    left = tmp_path / "data" / "recorded_processes" / "default" / "1.0.0.unfinished"
    named = [json.loads(line)["name"] for line in (left / "skipped.jsonl").read_text().splitlines()]
    assert named == ["final.png", "cut.mp4"]

    read, said = [], []
    really = reading_recordings.read

    def counted(recording, **options):
        read.append(recording.name)
        return really(recording, **options)

    monkeypatch.setattr(reading_recordings, "read", counted)
    summary = build(tmp_path / "data", studio, say=said.append)
    # What failed is tried again.
    assert read == ["cut.mp4", "trees/oak"]
    assert said[1] == "3 of 5 recordings were read by an earlier run"
    assert os.listdir(left.parent) == ["1.0.0"]

    read.clear()
    build(tmp_path / "once", studio)
    assert read == ["cat.mp4", "cut.mp4", "dog.gif", "flowers", "trees/oak"]
    once = tmp_path / "once" / "recorded_processes" / "default" / "1.0.0"
    for path in once.iterdir():
        assert path.read_bytes() == (pathlib.Path(summary.path) / path.name).read_bytes(), path
    # Those that were read before have their pictures, too.
    assert (once / dataset.PAGE).read_text("utf-8").count("<img ") == 4


def test_records_kept_for_other_arguments_are_read_again(studio, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(contents, "write_index", fail)
        with pytest.raises(UserError, match="cannot be written: No space"):
            build(tmp_path / "data", studio)
    left = tmp_path / "data" / "recorded_processes" / "default" / "1.0.0.unfinished" / "records"
    assert len(list(left.iterdir())) == 4
    said = []
    build(tmp_path / "data", studio, max_frames=5, say=said.append)
    assert len(said) == 1
    assert {len(record.frames) for record in records(tmp_path / "data").values()} == {5}


def test_beam_makes_the_same_data_set(studio, tmp_path):
    (studio / "cut.mp4").write_bytes((studio / "cat.mp4").read_bytes()[:500])
    ours = build(tmp_path / "ours", studio)
    with crews.chosen("DirectRunner", [], seconds=60, kept_dir=None, sources=[]) as crew:
        theirs = build(tmp_path / "theirs", studio, crew=crew)
    assert theirs.counts == ours.counts
    assert theirs.skipped == ours.skipped
    for path in pathlib.Path(ours.path).iterdir():
        assert path.read_bytes() == (pathlib.Path(theirs.path) / path.name).read_bytes(), path
    assert not multiprocessing.active_children()
