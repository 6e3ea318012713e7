from collections.abc import Mapping

import numpy as np
import pytest
from etils import epath

from painting_jax.data import containers, random_access, remarks, video
from tests.data import movies

FRAMES, GROUP = 96, 16

# An open group's first frames are shown before its keyframe, and take the group before it.
CODECS = {
    "h264": ("mp4", "libx264", {"bf": "3"}),
    "h264, open groups": (
        "mp4",
        "libx264",
        {"x264-params": "open-gop=1:bframes=3:keyint=16"},
    ),
    "h264, matroska": ("mkv", "libx264", {"bf": "2"}),
    "hevc": ("mp4", "libx265", {"x265-params": "keyint=16:open-gop=1:log-level=none:pools=1"}),
    "vp9": ("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "mpeg4": ("mp4", "mpeg4", {"bf": "2"}),
}


def _write(path, codec: str = "libx264", options: Mapping[str, str] | None = None) -> None:
    rng = np.random.default_rng(0)
    picture_HWC = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [np.roll(picture_HWC, (t, 2 * t), (0, 1)) for t in range(FRAMES)]
    movies.write(path, frames, codec, options={"g": str(GROUP), "threads": "1", **(options or {})})


@pytest.mark.parametrize("kind", CODECS)
def test_a_few_frames_are_the_same_as_when_all_are_decoded(tmp_path, kind):
    suffix, codec, options = CODECS[kind]
    path = epath.Path(tmp_path / f"film.{suffix}")
    _write(path, codec, options)
    every_THWC, every_T = video.read(path)
    assert len(every_T) == FRAMES
    times = containers.timeline(path)
    for wanted in ([0, 37, 95], [3, 15, 16, 17, 62], [30, 31, 32, 33], [95]):
        parts = random_access.parts([times.spans[t] for t in wanted], FRAMES)
        assert sum(map(len, parts)) < FRAMES
        found = list(containers.frames(path, times, [times.seconds[t] for t in wanted]))
        assert [second for second, _ in found] == [every_T[t] for t in wanted]
        np.testing.assert_array_equal([frame for _, frame in found], every_THWC[wanted])


def test_damage_costs_what_it_costs_when_all_is_decoded(tmp_path):
    path = epath.Path(tmp_path / "film.mp4")
    _write(path)
    movies.damage(path, 34)
    times = containers.timeline(path)
    wanted = [times.seconds[t] for t in (0, 36, 95)]
    with remarks.collected() as notes:
        few = list(containers.frames(path, times, wanted))
    with remarks.collected() as all_notes:
        every = dict(containers.frames(path, times, times.seconds))
    assert notes == all_notes != []
    for second, frame_HWC in few:
        np.testing.assert_array_equal(frame_HWC, every[second])


def test_damage_where_nothing_is_wanted_is_not_seen(tmp_path):
    path = epath.Path(tmp_path / "film.mp4")
    _write(path)
    movies.damage(path, 60)
    times = containers.timeline(path)
    with remarks.collected() as notes:
        found = list(containers.frames(path, times, [times.seconds[t] for t in (0, 20, 95)]))
    assert len(found) == 3
    assert not notes


def test_parts_that_touch_are_one():
    spans = [range(0, 3), range(8, 12), range(0, 5), range(5, 7), range(8, 9)]
    assert random_access.parts(spans, 100) == [range(0, 7), range(8, 12)]


def test_nearly_everything_is_decoded_in_one_piece():
    assert random_access.parts([range(0, 50), range(55, 99)], 100) is None
