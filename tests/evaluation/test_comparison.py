"""Numbers of known processes."""

import dataclasses

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation import baselines
from painting_jax.evaluation.comparison import Group
from painting_jax.evaluation.comparison import compare as compare_with_features
from painting_jax.evaluation.measures import GENERATED, RECORDED, against, interval
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.videos import Video
from painting_jax.metrics.padding import round_up
from painting_jax.sharding.mesh import make_mesh
from tests.evaluation.recordings import PIXELS, Pixels, as_video


def compare(*given):
    return compare_with_features(*given)[0]


def _error(a, b):
    return float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2) / 255**2)


@pytest.fixture(scope="module")
def recorded():
    return as_video(0, frames=6)


def test_a_copy_of_the_recorded_process_is_perfect(recorded):
    copied, itself = compare(PIXELS, Group({GENERATED: recorded}, recorded))
    assert copied.numbers["pdp"] == 0
    assert copied.numbers["between"] == 0
    assert copied.numbers["final_distance"] == 0
    assert copied.numbers["final_psnr"] == 100
    assert itself.method == RECORDED
    np.testing.assert_array_equal(copied.profile_K, itself.own_profile_K)


def test_numbers_equal_a_plain_computation(recorded):
    other = as_video(1, frames=4)
    row, _ = compare(PIXELS, Group({GENERATED: other}, recorded))
    finished = recorded.frames_THWC[-1]
    grid = np.linspace(0, 1, 33)

    def curve(video):
        errors = [_error(frame, finished) for frame in video.frames_THWC]
        return np.interp(grid, video.progress_T, errors)

    np.testing.assert_allclose(row.profile_K, curve(other), rtol=1e-4)
    area = np.abs(curve(other) - curve(recorded)).mean()
    assert row.numbers["pdp"] == pytest.approx(area, rel=1e-4)
    # Recorded frames at 0.2, 0.4, 0.6, 0.8; the other's stand at 0, 1/3, 2/3, 1.
    pairs = [(1, 1), (2, 1), (3, 2), (4, 2)]
    errors = [_error(recorded.frames_THWC[r], other.frames_THWC[o]) for r, o in pairs]
    assert row.numbers["between"] == pytest.approx(np.mean(errors), rel=1e-4)
    final = _error(other.frames_THWC[-1], finished)
    assert row.numbers["final_distance"] == pytest.approx(final, rel=1e-4)


def test_without_a_recorded_process_paired_numbers_are_missing(recorded):
    (row,) = compare(PIXELS, Group({GENERATED: recorded}))
    assert np.isnan(row.numbers["pdp"])
    assert np.isnan(row.profile_K).all()
    assert 0 <= row.numbers["monotonicity"] <= 1
    assert row.own_profile_K[-1] == 0


def test_numbers_do_not_depend_on_the_other_methods(recorded):
    other = as_video(1, frames=4)
    alone, _ = compare(PIXELS, Group({GENERATED: other}, recorded))
    fades = baselines.from_picture(recorded)
    beside = compare(PIXELS, Group({**fades, GENERATED: other}, recorded))[len(fades)]
    assert beside.numbers["pdp"] == pytest.approx(alone.numbers["pdp"], rel=1e-5)
    assert beside.numbers["between"] == pytest.approx(alone.numbers["between"], rel=1e-5)


def test_pace_is_also_measured_to_the_own_last_frames(recorded):
    """Another picture painted at the same pace is far from the recorded picture, not in pace."""
    inverted = dataclasses.replace(recorded, frames_THWC=255 - recorded.frames_THWC)
    row, _ = compare(PIXELS, Group({GENERATED: inverted}, recorded))
    assert row.numbers["pdp_own"] == pytest.approx(0, abs=1e-6)
    assert row.numbers["pdp"] > 0.05


def test_frames_shared_by_devices_give_the_same_numbers(recorded):
    mesh = make_mesh({"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1})
    assert mesh.shape["data"] == 8
    group = Group({GENERATED: as_video(1, frames=4), "b": as_video(2)}, recorded)
    for one, shared in zip(
        compare(PIXELS, group),
        compare(dataclasses.replace(PIXELS, mesh=mesh), group),
        strict=True,
    ):
        for key, number in one.numbers.items():
            assert shared.numbers[key] == pytest.approx(number, rel=1e-5, abs=1e-7, nan_ok=True)


def test_what_is_no_number_is_refused(recorded):
    class Broken(Pixels):
        def embed(self, pictures_NHWC):
            return super().embed(pictures_NHWC) * float("nan")

    with pytest.raises(UserError, match="weights are damaged"):
        compare(Networks(Broken()), Group({GENERATED: recorded}, recorded))
    with pytest.raises(UserError, match="frames of float32"):
        dataclasses.replace(recorded, frames_THWC=np.full((4, 64, 64, 3), np.nan, np.float32))


def test_few_shapes_are_compiled_whatever_the_lengths():
    sizes = {round_up(count) for count in range(1, 200)}
    assert len(sizes) < 24
    assert all(round_up(count) >= count for count in range(1, 200))
    assert round_up(33, 16) == 48


def test_differences_are_paired_by_name(recorded):
    made = compare(PIXELS, Group({GENERATED: as_video(1)}, recorded))[0]
    rows = [dataclasses.replace(made, name=name, numbers={"pdp": 0.1}) for name in "abcde"]
    others = [dataclasses.replace(row, numbers={"pdp": 0.3}) for row in rows[::-1]]
    found, share = against(rows, others, "pdp", seed=0)
    assert found.difference.mean == pytest.approx(0.2)
    assert found.first_better == 1
    assert share == pytest.approx(1 / 3)
    assert interval([made], "pdp", seed=0).n == 1


def test_what_a_codec_makes_of_bare_paper_is_no_order_of_regions():
    """A drawing beside a stretch of paper, and the same as a lossy file has it."""
    segments_HW = np.repeat(np.arange(1, 5, dtype=np.uint8), 16)[None].repeat(64, 0)
    frames = np.full((9, 64, 64, 3), 250, np.uint8)
    for region, begins in enumerate((2, 4, 6)):
        frames[begins:, :, 16 * region : 16 * (region + 1)] = 60
    noise = np.random.default_rng(0).integers(-2, 3, frames.shape)
    lossy = np.clip(frames.astype(int) + noise, 0, 255).astype(np.uint8)
    recorded, copy = (
        Video("cat", each, np.linspace(0, 1, 9, dtype=np.float32)) for each in (frames, lossy)
    )
    row, _ = compare(PIXELS, Group({"copy": copy}, recorded, segments_HW))
    assert row.numbers["region_order"] == pytest.approx(1)
