"""The time left is that of earlier paintings, at any size."""

import pytest

from painting_jax.studio.time_left import Progress, Size, Speeds

_SIZE = Size(steps=3, frames=4, pixels=250_000, small_steps=True, is_new=False)


def _learned(path) -> Speeds:
    speeds = Speeds(path)
    for part in _SIZE.parts():
        speeds.measured("packaged", part, _SIZE, 2.0)
    return speeds


def test_the_first_painting_has_no_time_left_and_the_second_has(tmp_path):
    assert Speeds(tmp_path / "speeds.json").whole("packaged", _SIZE) is None
    speeds = _learned(tmp_path / "speeds.json")
    assert speeds.whole("packaged", _SIZE) == pytest.approx(12.0)
    assert speeds.whole("run1", _SIZE) is None


def test_frames_and_pixels_cost_time_where_they_count(tmp_path):
    speeds = _learned(tmp_path / "speeds.json")
    larger = Size(steps=3, frames=8, pixels=500_000, small_steps=True, is_new=False)
    # Loading and looking stay, two steps have twice the frames, two parts four times the pixels.
    assert speeds.whole("packaged", larger) == pytest.approx(2 + 2 + 4 + 4 + 8 + 8)


def test_a_restart_remembers_and_damage_is_forgotten(tmp_path):
    path = tmp_path / "speeds.json"
    _learned(path).keep()
    assert Speeds(path).whole("packaged", _SIZE) == pytest.approx(12.0)
    for damage in ("{", "[]", '{"a": "b"}', '{"a": -1}'):
        path.write_text(damage)
        assert Speeds(path).whole("packaged", _SIZE) is None


def test_progress_goes_through_the_stages(tmp_path):
    progress = Progress(_learned(tmp_path / "speeds.json"), "packaged", _SIZE)
    seen = []
    for _ in _SIZE.parts():
        told = progress.told
        seen.append((told["stage"], told["done"]))
        assert 0 < told["left"] <= 12.0
        progress.advance()
    assert seen == [
        ("loading", 0),
        ("looking", 0),
        ("painting", 0),
        ("painting", 1),
        ("painting", 2),
        ("writing", 3),
    ]
