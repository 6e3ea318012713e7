"""Any method's videos are found and read."""

import json

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation import videos
from painting_jax.report import tutorial
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


def test_one_frame_is_no_process(tmp_path):
    write_movie(tmp_path / "still.mp4", process(0, frames=1))
    with pytest.raises(UserError, match="at least two"):
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
        ((100, 2000), 256, (64, 256)),
    ],
)
def test_shapes_are_rounded_to_a_short_list(shape, size, common):
    assert videos.common_shape(*shape, size) == common
