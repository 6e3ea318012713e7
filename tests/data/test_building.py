import dataclasses
import json
import multiprocessing
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest
from PIL import Image

from painting_jax.data import building, photos, pictures, pipeline, record_size, splits
from painting_jax.data import index as index_lib
from painting_jax.data.builders import painted_images
from painting_jax.errors import UserError
from tests.synthetic import MEDIA, build_painted, write_photos

_ROOT = pathlib.Path(__file__).parents[2]


def _contents(folder: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def place(tmp_path) -> tuple[pathlib.Path, pathlib.Path]:
    """A folder for data sets and one with three photos."""
    write_photos(tmp_path / "photos", 3)
    return tmp_path / "data", tmp_path / "photos"


def test_processes_of_one_source_share_a_split(painted_dir):
    sources = {}
    for split in splits.SPLITS:
        opened = pipeline.DataSource(painted_dir, split)
        assert len(opened) == (8 if split == "train" else 2)
        for index in range(len(opened)):
            sources.setdefault(opened.record(index).source, set()).add(split)
    assert len(sources) == 4
    assert all(len(where) == 1 for where in sources.values())


def test_summary_counts_what_is_on_disk(place):
    summary = build_painted(*place)
    assert summary.counts == {
        "train": dict.fromkeys(MEDIA, 2),
        "validation": dict.fromkeys(MEDIA, 1),
        "test": dict.fromkeys(MEDIA, 1),
    }
    assert summary.built
    assert summary.lines()[-1].endswith("8 processes")


def test_nothing_is_left_but_the_data_set(place, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for overwrite in (False, False, True):
        build_painted(*place, overwrite=overwrite)
        assert os.listdir(tmp_path / "temporary") == []
        assert os.listdir(place[0] / "painted_images" / "default") == ["1.0.0"]


def test_second_run_changes_no_byte_and_says_so(place):
    build_painted(*place)
    before = _contents(place[0])
    again = build_painted(*place)
    assert not again.built
    assert "unchanged" in again.lines()[-1]
    assert _contents(place[0]) == before


def test_same_arguments_write_the_same_bytes_elsewhere(place, tmp_path):
    build_painted(*place)
    moved = shutil.copytree(place[1], tmp_path / "elsewhere")
    build_painted(tmp_path / "other", moved)
    contents = [_contents(folder) for folder in (place[0], tmp_path / "other")]
    assert {name: data for name, (data, _) in contents[0].items()} == {
        name: data for name, (data, _) in contents[1].items()
    }


def test_other_arguments_or_photos_need_overwrite(place):
    build_painted(*place)
    before = _contents(place[0])
    with pytest.raises(UserError, match="--overwrite"):
        build_painted(*place, variants=1)
    write_photos(place[1], 4)
    with pytest.raises(UserError, match="--overwrite"):
        build_painted(*place)
    assert _contents(place[0]) == before
    assert build_painted(*place, overwrite=True).built
    assert not build_painted(*place).built


def test_failed_overwrite_keeps_the_old_data_set(place, monkeypatch):
    build_painted(*place)
    before = _contents(place[0])

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(painted_images.Builder, "_processes", fail)
    with pytest.raises(UserError, match="cannot be written: No space"):
        build_painted(*place, seed=1, overwrite=True)
    assert _contents(place[0]) == before


def test_unusable_photos_are_skipped_by_name_and_counted(place):
    (place[1] / "broken.png").write_bytes(b"no picture")
    shutil.copy(place[1] / "photo0.png", place[1] / "zwilling.png")
    summary = build_painted(*place)
    assert {skip.name: skip.reason.split(":")[0].split(" ")[-1] for skip in summary.skipped} == {
        "broken.png": "picture",
        "zwilling.png": "photo0.png",
    }
    assert "2 skipped" in summary.lines()[-1]
    assert any(line.startswith("skipped broken.png: ") for line in summary.lines())


def _photos(folder: pathlib.Path, count: int) -> list[Image.Image]:
    """The first packaged photos, small, as PNG."""
    folder.mkdir()
    images = [Image.fromarray(pictures.load(photo.path)) for photo in photos.packaged()[:count]]
    for number, image in enumerate(images):
        image.thumbnail((96, 96))
        image.save(folder / f"{number}.png")
    return images


def test_copies_of_a_photo_share_a_split_and_the_summary_says_so(tmp_path):
    folder = tmp_path / "in"
    images = _photos(folder, 4)
    for number, image in enumerate(images):
        width, height = image.size
        image.save(folder / f"{number}.jpg", quality=60)
        image.resize((48, 40)).save(folder / f"{number}_small.png")
        image.crop((3, 2, width, height - 3)).save(folder / f"{number}_crop.webp")
    summary = build_painted(tmp_path / "data", folder, media=("oil",), variants=1)
    assert {split: counts["oil"] for split, counts in summary.counts.items()} == {
        "train": 8,
        "validation": 4,
        "test": 4,
    }
    of_photo = {}
    for split in splits.SPLITS:
        for row in pipeline.DataSource(tmp_path / "data", split).rows:
            of_photo.setdefault(row.id[0], set()).add(split)
    assert all(len(where) == 1 for where in of_photo.values())
    [line] = [line for line in summary.lines() if "perceptual hash" in line]
    assert "look alike and share a split: 0.jpg = 0.png = 0_crop.webp = 0_small.png; 1.jpg" in line
    assert (
        build_painted(tmp_path / "data", folder, media=("oil",), variants=1).alike == summary.alike
    )
    # There are enough photos for workers.
    assert not multiprocessing.active_children()


def test_different_photos_are_said_to_be_different(place):
    lines = build_painted(*place).lines()
    assert any(line.endswith("no two sources look alike") for line in lines)


def test_disk_use_is_said_before_and_is_about_right(tmp_path):
    _photos(tmp_path / "in", 4)
    said = []

    def say(line):
        assert not (tmp_path / "data" / "painted_images" / "default" / "1.0.0").exists()
        said.append(line)

    summary = build_painted(
        tmp_path / "data", tmp_path / "in", variants=1, frames=8, height=64, width=64, say=say
    )
    [line] = said
    assert f"in {summary.path}" in line
    assert "are free" in line
    estimate = float(re.search(r"about (\S+) kB", line)[1])
    written = sum(path.stat().st_size for path in pathlib.Path(summary.path).iterdir()) / 1000
    assert written / 2 < estimate < 2 * written


def test_far_too_little_disk_space_is_refused_before_anything_is_written(place, monkeypatch):
    free = shutil.disk_usage(place[1])._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(UserError, match=r"about .* kB in .*, where 100 bytes are free"):
        build_painted(*place)
    assert not place[0].exists()


def test_a_process_larger_than_a_record_is_skipped(place, monkeypatch):
    monkeypatch.setattr(record_size, "_MOST", 3900)
    with pytest.raises(UserError, match=r"its 6 frames take .* kB, more than a record can hold"):
        build_painted(*place)
    assert {path.name for path in _files(place[0])} == {"skipped.jsonl"}


def test_the_index_holds_what_the_records_do(painted_dir, tmp_path):
    source = pipeline.DataSource(painted_dir, "train")
    indexed = index_lib.read(source.path, "train")
    copy = shutil.copytree(source.path, tmp_path / "copy")
    (copy / index_lib.FILE).unlink()
    assert indexed == pipeline.DataSource(copy, "train").rows
    assert {(row.height, row.width, row.frames) for row in indexed} == {(32, 32, 6)}
    for content, said in (
        ("[", "is damaged"),
        ("{}", "is damaged"),
        ('{"train": [["a", "oil", "c", 6, 32, "32"]]}', "is damaged"),
        ('{"train": [["a", "oil", "c", 6, 32, 32]]}', "does not fit the records"),
    ):
        (copy / index_lib.FILE).write_text(content)
        with pytest.raises(UserError, match=said):
            _ = pipeline.DataSource(copy, "train").rows


def test_nothing_usable_is_a_user_error_and_leaves_the_list_of_reasons_alone(place):
    for photo in place[1].iterdir():
        photo.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"none of the 3 sources.*photo0\.png") as raised:
        build_painted(*place)
    [listed] = _files(place[0])
    assert f"all are listed in {listed}" in str(raised.value)
    lines = [json.loads(line) for line in listed.read_text().splitlines()]
    assert [line["name"] for line in lines] == [f"photo{number}.png" for number in range(3)]
    assert all("picture" in line["reason"] for line in lines)
    write_photos(place[1], 3)
    build_painted(*place)
    assert os.listdir(place[0] / "painted_images" / "default") == ["1.0.0"]


def test_what_was_skipped_is_listed_in_the_data_set(place):
    (place[1] / "broken.png").write_bytes(b"no picture")
    summary = build_painted(*place)
    listed = pathlib.Path(summary.path) / "skipped.jsonl"
    assert f"what was skipped is listed in {listed}" in summary.lines()
    [line] = listed.read_text().splitlines()
    assert json.loads(line) == dataclasses.asdict(summary.skipped[0])


def test_two_sources_all_train_and_the_summary_says_so(tmp_path):
    write_photos(tmp_path / "photos", 2)
    summary = build_painted(tmp_path / "data", tmp_path / "photos")
    assert list(summary.counts) == ["train"]
    assert any("nothing is held out" in line for line in summary.lines())
    with pytest.raises(UserError, match="no test split"):
        pipeline.DataSource(tmp_path / "data", "test")


_BUILD = """
    import pathlib, sys, time
    from painting_jax.data import painting
    from tests.synthetic import build_painted

    paint = painting.paint_photo

    def slowly(task):
        print("painting", file=sys.__stdout__, flush=True)
        time.sleep(0.2)
        return paint(task)

    painting.paint_photo = slowly
    build_painted(*map(pathlib.Path, sys.argv[1:]))
"""


def test_a_run_keeps_others_out_and_killed_leaves_no_half_data_set(place):
    command = [sys.executable, "-c", textwrap.dedent(_BUILD), *map(str, place)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as run:
        for _ in range(3):
            assert run.stdout.readline() == "painting\n"
        with pytest.raises(UserError, match="is being written by another"):
            build_painted(*place)
        run.send_signal(signal.SIGKILL)
    folder = place[0] / "painted_images" / "default"
    assert [name for name in os.listdir(folder) if name.startswith(".unfinished_")]
    for where in (place[0], folder.parent, folder):
        with pytest.raises(UserError, match="holds no data set"):
            pipeline.DataSource(where, "train")
    build_painted(*place)
    assert os.listdir(folder) == ["1.0.0"]


def test_a_data_set_that_is_being_replaced_is_there_until_the_new_one_is_complete(place):
    build_painted(*place, seed=1)
    before = _contents(place[0])
    code = textwrap.dedent(_BUILD).replace("[1:]))", "[1:]), overwrite=True)")
    command = [sys.executable, "-c", code, *map(str, place)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as run:
        for _ in range(3):
            assert run.stdout.readline() == "painting\n"
        assert len(pipeline.DataSource(place[0], "train")) == 4
        run.send_signal(signal.SIGKILL)
    after = _contents(place[0])
    assert {name: after[name] for name in before} == before
    assert not build_painted(*place, seed=1).built
    assert build_painted(*place, overwrite=True).built
    assert os.listdir(place[0] / "painted_images" / "default") == ["1.0.0"]


def test_a_write_protected_data_set_that_is_unchanged_needs_no_lock(place, monkeypatch):
    build_painted(*place)

    def protected(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(building, "alone", protected)
    assert not build_painted(*place).built


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"skipped": 3}', "[" * 99_999])
def test_a_data_set_whose_notes_are_damaged_is_only_replaced_when_asked(place, content):
    build_painted(*place)
    [notes] = place[0].rglob("metadata.json")
    notes.write_text(content)
    with pytest.raises(UserError, match=r"--overwrite|is damaged"):
        build_painted(*place)
    assert build_painted(*place, overwrite=True).built


def test_full_disk_ends_in_one_error_and_leaves_nothing(place):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot be written: File too large"):
            build_painted(*place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not place[0].exists()


_MANY = """
    import os, sys, time
    from painting_jax.data import workers

    def work(task):
        os.write(1, f"{os.getpid()}\\n".encode())
        time.sleep(0.1)

    if __name__ == "__main__":
        list(workers.in_order(work, range(1000), "many"))
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_workers_end_with_a_killed_run(tmp_path):
    (tmp_path / "many.py").write_text(textwrap.dedent(_MANY))
    command = [sys.executable, str(tmp_path / "many.py")]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        pids = {int(run.stdout.readline()) for _ in range(4)}
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (alive := [pid for pid in pids if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def _runs(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
