"""What is seen of a recording: frames as it came, and its process at the same moments."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import film_strip, processes, sightings, timelapse, video
from painting_jax.data.sightings import Sighting
from painting_jax.errors import UserError
from tests.synthetic import recording
from tests.tfds_builders.test_recorded_processes import write_numbered


def seen(path, **options) -> Sighting | None:
    [file], _ = processes.find([path], medium="oil")
    with sightings.collected() as found:
        processes.to_record(file, max_frames=200, max_side=64, **options)
    return found.sighting()


def columns(strip: bytes, count: int) -> list[np.ndarray]:
    """The frames of a strip."""
    strip_HWC = np.asarray(Image.open(io.BytesIO(strip)).convert("RGB")).astype(int)
    side = strip_HWC.shape[1] // count
    return [strip_HWC[:, n * side + side // 3 : n * side + side // 2] for n in range(count)]


def test_a_video_is_seen_at_six_moments_of_its_time(tmp_path):
    video.write_mp4(tmp_path / "cat.mp4", recording(0, 12), fps=4)
    found = seen(tmp_path / "cat.mp4")
    assert found.labels == ("0.0 s", "0.5 s", "1.0 s", "1.8 s", "2.2 s", "2.8 s")
    assert found.seconds == pytest.approx(2.75)
    assert (found.measure, found.quality) == ("time", None)
    light = [frame.mean() for frame in columns(found.came, 6)]
    assert light == sorted(light, reverse=True)
    # Nothing was done to it: there is nothing to compare.
    assert found.became == b""
    assert not any(found.left_out)


def test_pictures_are_seen_by_their_place_and_few_are_all_seen(tmp_path):
    write_numbered(tmp_path / "flowers", 2, count=4)
    found = seen(tmp_path / "flowers")
    assert found.labels == ("no. 1", "no. 2", "no. 3", "no. 4")
    assert (found.measure, found.seconds) == ("order", None)


def test_what_was_cut_off_is_seen_as_it_came_and_said_to_be_left_out(tmp_path):
    frames = recording(0, 24)
    video.write_mp4(tmp_path / "cat.mp4", np.concatenate([frames[[-1] * 7], frames]), fps=4)
    found = seen(tmp_path / "cat.mp4", edits=timelapse.CUT)
    assert found.left_out == (True, True, False, False, False, False)
    came, became = columns(found.came, 6), columns(found.became, 6)
    assert came[0].mean() < 250 < became[0].mean()
    for one, other in zip(came[2:], became[2:], strict=True):
        assert np.abs(one - other).mean() < 10


def test_what_runs_backwards_is_compared_at_the_same_moments(tmp_path):
    video.write_mp4(tmp_path / "cat.mp4", recording(0, 24)[::-1], fps=4)
    found = seen(tmp_path / "cat.mp4", edits=timelapse.TURN)
    assert found.is_turned
    assert not any(found.left_out)
    light = [frame.mean() for frame in columns(found.came, 6)]
    assert light == sorted(light)


def test_after_a_pause_the_canvas_is_what_it_was_before():
    frames_THWC = np.stack([np.full((20, 160, 3), level, np.uint8) for level in range(0, 200, 10)])
    with sightings.collected() as found:
        sightings.came(frames_THWC, np.arange(20.0), in_seconds=True)
        sightings.judged(0.5, ["it is out of focus"])
        kept_T = np.array([0, 1, 2, 16, 17, 19])
        sightings.became(
            frames_THWC[kept_T],
            kept_T.astype(float),
            measure="time",
            is_cleaned=True,
            is_turned=False,
        )
    result = found.sighting()
    levels = [frame.mean() / 10 for frame in columns(result.became, 6)]
    assert np.round(levels).tolist() == [0, 2, 2, 2, 2, 19]
    assert (result.quality, result.reasons) == (0.5, ("it is out of focus",))


def test_nothing_is_drawn_where_nobody_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(film_strip, "resized", None)
    video.write_mp4(tmp_path / "cat.mp4", recording(0, 12), fps=4)
    [file], _ = processes.find([tmp_path / "cat.mp4"], medium="oil")
    processes.to_record(file, max_frames=9, max_side=64)
    with sightings.collected() as found:
        pass
    assert found.sighting() is None


def test_a_recording_that_cannot_be_used_leaves_nothing_to_the_next(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(UserError):
        seen(tmp_path / "broken.mp4")
    video.write_mp4(tmp_path / "cat.mp4", recording(0, 12), fps=4)
    assert seen(tmp_path / "cat.mp4") is not None


def test_a_sighting_comes_back_from_json_and_a_damaged_one_does_not():
    whole = Sighting(("0:00",), b"a", b"b", (True,), 3.5, "change", True, True, 0.25, ("dark",))
    assert Sighting.from_json(whole.to_json()) == whole
    plain = Sighting(("0:00",), b"a")
    assert Sighting.from_json(plain.to_json()) == plain
    for name, value in (("came", "?"), ("measure", "<b>"), ("seconds", "x"), ("labels", None)):
        with pytest.raises((ValueError, TypeError)):
            Sighting.from_json(whole.to_json() | {name: value})
    for field in dataclasses.fields(Sighting):
        damaged = whole.to_json()
        del damaged[field.name]
        with pytest.raises(LookupError):
            Sighting.from_json(damaged)
