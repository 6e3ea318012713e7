"""The time-lapse of a Procreate archive is read through all its segments, in their order."""

import contextlib
import pathlib
import zipfile

import numpy as np
import pytest

from painting_jax.data import processes, remarks, video
from painting_jax.data.artwork.procreate import Procreate
from painting_jax.errors import UserError


def segment(folder: pathlib.Path, value: int, side: int = 32) -> bytes:
    """A video of 5 frames, one level brighter each."""
    path = folder / "segment.mp4"
    frames = [np.full((side, side, 3), value + step, np.uint8) for step in range(5)]
    video.write_mp4(path, np.stack(frames), fps=30)
    return path.read_bytes()


def archive(path: pathlib.Path, members: dict[str, bytes]) -> pathlib.Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Document.archive", b"bplist00")
        file.writestr("QuickLook/Thumbnail.png", b"")
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """An archive of 12 segments, in the order in which their names sort as text."""
    folder = tmp_path_factory.mktemp("procreate")
    members = {
        f"video/segments/segment-{number}.mp4": segment(folder, 20 * number - 15)
        for number in sorted(range(1, 13), key=str)
    }
    return archive(folder / "Möwe.procreate", members)


def levels(frames) -> np.ndarray:
    return np.array([frame_HWC.mean() for frame_HWC in frames])


def test_segments_follow_each_other_by_their_numbers(twelve):
    states = Procreate(twelve)
    assert len(states) == 60
    expected = [20 * number - 15 + step for number in range(1, 13) for step in range(5)]
    np.testing.assert_allclose(levels(states.pictures(range(60))), expected, atol=2)
    np.testing.assert_allclose(levels(states.pictures([0, 7, 59])), [5, 27, 229], atol=2)


def test_it_is_a_process_like_any_other(twelve):
    found, skipped = processes.find([twelve.parent / "*.procreate"], medium="digital")
    assert not skipped
    loaded = processes.load(found[0], max_frames=9, max_side=16)
    assert loaded.frames_THWC.shape == (9, 16, 16, 3)
    np.testing.assert_allclose(loaded.progress_T, np.linspace(0, 1, 9), atol=0.02)


def test_a_damaged_segment_costs_itself_alone(tmp_path):
    members = {
        "video/segments/segment-1.mp4": segment(tmp_path, 10),
        "video/segments/segment-2.mp4": b"no video",
        "video/segments/segment-3.mp4": segment(tmp_path, 200),
    }
    path = archive(tmp_path / "a.procreate", members)
    with remarks.collected() as notes:
        states = Procreate(path)
    np.testing.assert_allclose(levels(states.pictures([0, 9])), [10, 204], atol=2)
    assert "segment-2.mp4 is left out" in notes[0]


def test_names_in_an_archive_lead_nowhere(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    members = {"../video/segments/segment-7.mp4": segment(inside, 50)}
    with pytest.raises(UserError, match="holds no time-lapse"):
        Procreate(archive(inside / "a.procreate", members))
    assert not (tmp_path / "video").exists()


def test_a_bomb_is_refused(tmp_path):
    path = tmp_path / "a.procreate"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("video/segments/segment-1.mp4", bytes(64 << 20))
    with pytest.raises(UserError, match="would unpack"):
        Procreate(path)


@pytest.mark.parametrize(
    ("members", "said"),
    [({}, "holds no time-lapse"), ({"video/segments/segment-1.mp4": b""}, "nothing can be read")],
)
def test_an_archive_without_a_time_lapse_says_so(tmp_path, members, said):
    found, [skip] = processes.find([archive(tmp_path / "a.procreate", members)])
    assert not found
    assert said in skip.reason


def test_damaged_archives_end_in_a_line(tmp_path):
    whole = archive(
        tmp_path / "a.procreate", {"video/segments/segment-1.mp4": segment(tmp_path, 50)}
    ).read_bytes()
    rng, other = np.random.default_rng(0), tmp_path / "other.procreate"
    for number in range(40):
        data = bytearray(whole[: len(whole) * number // 10 if number < 10 else None])
        for at in rng.integers(0, max(1, len(data)), 8 if data else 0):
            data[at] = rng.integers(256)
        other.write_bytes(data)
        with contextlib.suppress(UserError), remarks.collected():
            states = Procreate(other)
            list(states.pictures(range(len(states))))
