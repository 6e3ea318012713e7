"""Any method's videos are found and read."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from painting_jax.errors import UserError
from painting_jax.evaluation import videos
from painting_jax.evaluation.measures import PAINTED, REVERSED
from painting_jax.generation import outputs as tutorial
from tests.evaluation.recordings import process, write_movie, write_pictures


def test_videos_folders_and_generated_processes_are_found_by_name(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0))
    write_movie(tmp_path / "dog.webp", process(1))
    write_pictures(tmp_path / "sets" / "cup", process(2))
    write_pictures(tmp_path / "hat" / "steps", process(3))
    (tmp_path / "hat" / "process.json").write_text("{}")
    write_movie(tmp_path / "hat" / "process.mp4", process(3))
    (tmp_path / "input.png").write_bytes(b"no process")
    found = videos.find(tmp_path)
    assert [source.name for source in found] == ["cat", "dog", "hat", "sets/cup"]
    assert found[2].path.name == "steps"


def test_two_videos_of_one_name_are_told_apart(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0))
    write_movie(tmp_path / "cat.webp", process(1))
    assert [source.name for source in videos.find(tmp_path)] == ["cat.mp4", "cat.webp"]


def test_numbered_pictures_come_in_natural_order_with_their_progress(tmp_path):
    frames_THWC = process(0, frames=12)
    write_pictures(tmp_path / "cup", frames_THWC)
    (source,) = videos.find(tmp_path)
    video = videos.load(source, frames=12, size=64)
    np.testing.assert_array_equal(video.frames_THWC, frames_THWC)
    np.testing.assert_allclose(video.progress_T, np.linspace(0, 1, 12), rtol=1e-6)
    few = videos.load(source, frames=3, size=64)
    np.testing.assert_allclose(few.progress_T, np.array([0, 6, 11]) / 11, rtol=1e-6)


def test_what_generate_leaves_is_read_with_its_medium(tmp_path):
    frames_THWC = process(3, frames=4)
    tutorial.write(
        tmp_path / "hat_oil",
        frames_THWC,
        title="hat",
        model="demo",
        parameters={"medium": {"oil": 0.7, "ink": 0.3}},
    )
    (source,) = videos.find(tmp_path)
    video = videos.load(source, frames=9, size=64)
    assert (video.name, video.medium) == ("hat_oil", "oil + ink")
    np.testing.assert_array_equal(video.frames_THWC, frames_THWC)


def test_stated_progress_is_kept(tmp_path):
    write_pictures(tmp_path / "hat" / "steps", process(3, frames=3))
    record = {"medium": "oil", "progress": [0.0, 0.2, 1.0]}
    (tmp_path / "hat" / "process.json").write_text(json.dumps(record))
    video = videos.load(videos.find(tmp_path)[0], frames=9, size=64)
    assert video.medium == "oil"
    np.testing.assert_allclose(video.progress_T, [0, 0.2, 1], rtol=1e-6)


def test_stated_progress_is_that_of_the_frames_that_are_taken(tmp_path):
    """Of a hundred frames a few are measured, each at its own progress."""
    progress_N = np.linspace(0, 1, 100) ** 3
    write_pictures(tmp_path / "hat", process(3, frames=100))
    write_movie(tmp_path / "cat.mp4", process(3, frames=100))
    told = json.dumps({"medium": "ink", "progress": progress_N.tolist()})
    (tmp_path / "hat" / "process.json").write_text(told)
    (tmp_path / "cat.json").write_text(told)
    for source in videos.find(tmp_path):
        video = videos.load(source, frames=12, size=64)
        np.testing.assert_allclose(video.progress_T, progress_N[::9], rtol=1e-6)
        assert (video.medium, video.order, video.stated) == ("ink", PAINTED, True)


def test_progress_that_falls_turns_the_video_round(tmp_path):
    frames_THWC = process(3, frames=4)
    write_pictures(tmp_path / "hat", frames_THWC[::-1])
    (tmp_path / "hat" / "process.json").write_text('{"progress": [1, 0.5, 0.2, 0]}')
    video = videos.load(videos.find(tmp_path)[0], frames=9, size=64)
    assert video.order == REVERSED
    np.testing.assert_array_equal(video.frames_THWC, frames_THWC)
    np.testing.assert_allclose(video.progress_T, [0, 0.2, 0.5, 1])


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ('[0, "half", 1]', "numbers that rise within 0 to 1"),
        ("[0, NaN, 1]", "numbers that rise within 0 to 1"),
        ("[0, 0.7, 0.5]", "numbers that rise within 0 to 1"),
        ("[0, 50, 100]", "numbers that rise within 0 to 1"),
        ("[0, 0, 0]", "numbers that rise within 0 to 1"),
        ("[[0], [1]]", "numbers that rise within 0 to 1"),
        ("0.5", "numbers that rise within 0 to 1"),
        ('["0", "0.5", "1"]', "has to be a list of numbers"),
        ("[false, true, true]", "has to be a list of numbers"),
        ("[0, 1]", "progress of 2 frames, .*cat.mp4 has 3"),
        ("[0, 0.2, 0.4, 1]", "progress of 4 frames, .*cat.mp4 has 3"),
        ("[0, ", "cat.json is not readable JSON"),
    ],
)
def test_progress_that_cannot_be_is_refused(tmp_path, progress, said):
    write_movie(tmp_path / "cat.mp4", process(3, frames=3))
    (tmp_path / "cat.json").write_text(f'{{"progress": {progress}}}')
    with pytest.raises(UserError, match=said):
        videos.load(videos.find(tmp_path)[0], frames=9, size=64)


def test_one_frame_is_no_process(tmp_path):
    write_movie(tmp_path / "a.mp4", process(0, frames=1))
    write_pictures(tmp_path / "b", process(0, frames=1))
    for source in videos.find(tmp_path):
        with pytest.raises(UserError, match="at least two"):
            videos.load(source, frames=9, size=64)


def test_webps_that_move_are_videos_and_those_that_do_not_are_pictures(tmp_path):
    for seed, name in enumerate("ab"):
        write_movie(tmp_path / "moving" / f"{name}.webp", process(seed, frames=3))
        write_movie(tmp_path / "still" / f"{name}.webp", process(seed, frames=1))
    found = videos.find(tmp_path)
    assert [source.name for source in found] == ["moving/a", "moving/b", "still"]
    assert [len(videos.load(s, frames=9, size=64).frames_THWC) for s in found] == [3, 3, 2]


def test_pictures_in_floating_point_are_refused(tmp_path):
    """A NaN among them would become black."""
    write_pictures(tmp_path / "cup", process(0, frames=2))
    Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(tmp_path / "cup" / "3.tif")
    with pytest.raises(UserError, match=r"3\.tif has samples in floating point"):
        videos.load(videos.find(tmp_path)[0], frames=9, size=64)


def test_pictures_of_different_shapes_are_no_process(tmp_path):
    write_pictures(tmp_path / "cup", process(0, frames=2))
    write_pictures(tmp_path / "wide", process(0, frames=1, width=96))
    (tmp_path / "wide" / "1.png").rename(tmp_path / "cup" / "3.png")
    with pytest.raises(UserError, match="another shape"):
        videos.load(videos.find(tmp_path / "cup")[0], frames=9, size=96)


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_a_folder_without_videos_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    with pytest.raises(UserError, match=name):
        videos.find(tmp_path / name)


@pytest.mark.parametrize(
    ("shape", "size", "common"),
    [
        ((64, 64), 256, (64, 64)),
        ((508, 508), 256, (256, 256)),
        ((512, 320), 256, (256, 160)),
        ((311, 453), 256, (192, 256)),
        ((20, 20), 256, (64, 64)),
        ((64, 96), 64, (48, 64)),
        ((90, 60), 256, (64, 48)),
        ((100, 2000), 256, (64, 256)),
    ],
)
def test_shapes_are_rounded_to_a_short_list(shape, size, common):
    assert videos.common_shape(*shape, size) == common


def test_a_medium_is_stated_in_any_spelling_and_with_a_byte_order_mark(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0, frames=3))
    record = {"medium": " Colored Pencil + OIL", "picture": "a \ud800 cat"}
    (tmp_path / "cat.json").write_text(json.dumps(record), "utf-8-sig")
    video = videos.load(videos.find(tmp_path)[0], frames=9, size=64)
    assert video.medium == "colored_pencil + oil"
    assert video.picture.encode() == b"a \\ud800 cat"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"picture": 7}, '"picture" has to be a text'),
        ({"medium": ["oil"]}, '"medium" has to be a name'),
        ([1], "no record of a process"),
    ],
)
def test_a_record_of_other_types_is_refused(tmp_path, record, said):
    write_movie(tmp_path / "cat.mp4", process(0, frames=3))
    (tmp_path / "cat.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=said):
        videos.load(videos.find(tmp_path)[0], frames=9, size=64)


def test_hidden_files_are_no_frames(tmp_path):
    write_pictures(tmp_path / "cup", process(2, frames=3))
    (tmp_path / "cup" / "._1.png").write_bytes(b"what a Mac leaves")
    (source,) = videos.find(tmp_path)
    assert len(videos.load(source, frames=9, size=64).frames_THWC) == 3


def test_links_that_lead_back_are_not_followed(tmp_path):
    write_movie(tmp_path / "sets" / "cat.mp4", process(0))
    for loop in ("one", "two"):
        (tmp_path / "sets" / loop).symlink_to(tmp_path, target_is_directory=True)
    assert [source.name for source in videos.find(tmp_path)] == ["sets/cat"]


def test_an_accent_is_the_same_however_it_is_written(tmp_path):
    write_movie(tmp_path / "ours" / "cafe\u0301.mp4", process(0))
    write_movie(tmp_path / "theirs" / "caf\xe9.mp4", process(0))
    ours, theirs = (videos.find(tmp_path / side)[0].name for side in ("ours", "theirs"))
    assert ours == theirs


def test_a_name_that_is_no_unicode_can_be_written_down(tmp_path):
    write_movie(tmp_path / "cafe.mp4", process(0))
    (tmp_path / "cafe.mp4").rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    (source,) = videos.find(tmp_path)
    assert source.name.encode() == b"caf\\udce9"
    assert len(videos.load(source, frames=9, size=64).frames_THWC) > 1
