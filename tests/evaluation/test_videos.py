"""Videos are paired by name and brought to one of few shapes."""

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation import videos
from painting_jax.evaluation.measures import PAINTED, REVERSED
from tests.evaluation.recordings import process, write_movie, write_pictures


def test_the_suffix_of_a_video_is_no_part_of_its_name(tmp_path):
    write_movie(tmp_path / "v1.2.mp4", process(0))
    write_pictures(tmp_path / "sets" / "v1.3", process(2))
    found, skipped = videos.find(tmp_path)
    assert [file.name for file in found] == ["sets/v1.3", "v1.2"]
    assert not skipped


def test_two_videos_of_one_name_are_told_apart(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0))
    write_movie(tmp_path / "cat.webp", process(1))
    assert [file.name for file in videos.find(tmp_path)[0]] == ["cat.mp4", "cat.webp"]


def test_a_folder_without_a_process_names_what_it_holds(tmp_path):
    (tmp_path / "cat.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"none of the 1 files .* cat\.png: a single picture"):
        videos.find(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "order", "stated"),
    [
        ("{}", PAINTED, False),
        ('{"progress": [0, 0.2, 1]}', PAINTED, True),
        ('{"progress": [1, 0.8, 0]}', REVERSED, True),
    ],
)
def test_a_video_knows_how_its_order_is_known(tmp_path, metadata, order, stated):
    frames_THWC = process(3, frames=3)
    write_pictures(tmp_path / "hat", frames_THWC[::-1] if order == REVERSED else frames_THWC)
    (tmp_path / "hat" / "process.json").write_text(metadata)
    video = videos.load(videos.find(tmp_path)[0][0], frames=9, size=64)
    assert (video.name, video.order, video.stated) == ("hat", order, stated)
    np.testing.assert_array_equal(video.frames_THWC, frames_THWC)


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
