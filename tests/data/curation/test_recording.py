"""What a cleaned recording becomes: when it was painted, how far, and how well it shows."""

import dataclasses

import numpy as np

from painting_jax.data.curation import activity, distinct, progress
from painting_jax.data.curation.cleaning import Steps, cleaned
from painting_jax.data.curation.options import CHANGE
from painting_jax.data.curation.quality import quality
from painting_jax.data.curation.recording import restored
from tests.data.curation.films import film


def strokes(count: int, still: int, pause: int) -> np.ndarray:
    """A canvas on which one row of squares is painted after the other, uint8[T, 64, 64, 3]."""
    rng = np.random.default_rng(0)
    frame, frames = np.full((64, 64, 3), 230, np.uint8), []
    frames += [frame.copy()] * still
    for i in range(count):
        y, x = divmod(i, 8)
        frame[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = rng.integers(20, 160, 3)
        frames.append(frame.copy())
        if i == count // 2:
            frames += [frame.copy()] * pause
    return np.stack(frames + [frame.copy()] * still)


def test_beginning_end_and_pauses_are_found():
    frames = strokes(64, still=10, pause=12)
    found = activity.activity(frames, np.zeros(frames.shape[:3], bool))
    assert abs(found.first - 9) <= 1
    assert abs(found.last - (10 + 64 + 12 - 1)) <= 1
    assert abs(found.pauses_T[found.first : found.last].sum() - 12) <= 2
    assert abs(found.kept_T.sum() - 65) <= 3


def test_a_hand_at_rest_is_no_pause():
    frames = strokes(64, still=0, pause=12)
    hidden = np.zeros(frames.shape[:3], bool)
    hidden[30:60, 40:60, 40:60] = True
    assert not activity.activity(frames, hidden).pauses_T[30:60].any()


def test_slow_work_is_no_pause():
    """What no two frames show adds up."""
    frames = np.full((90, 128, 128, 3), 220, np.uint8)
    for t in range(90):
        y, x = divmod(t, 30)
        frames[t:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] = 40
    # Something plain before it and after it, so that it lies between.
    frames[1:, 64:, 64:] = 90
    frames[88:, :, 100:] = 10
    found = activity.activity(frames, np.zeros(frames.shape[:3], bool))
    assert found.kept_T[4:86].all()


def test_change_is_measured_as_it_is_painted():
    frames = strokes(64, still=0, pause=30)
    share = progress.changed(frames)
    painted = np.array([(frame != 230).any(-1).mean() for frame in frames])
    assert share[0] == 0
    assert share[-1] == 1
    assert (np.diff(share) >= 0).all()
    assert np.abs(share - (painted - painted[0]) / (1 - painted[0])).max() < 0.05


def test_frames_that_repeat_the_one_before_are_left_out():
    frames = strokes(8, still=4, pause=3)
    kept = distinct.distinct(frames)
    assert len(kept) == 9
    assert kept[0] == 0
    # The finished picture is the last of its kind.
    assert kept[-1] == len(frames) - 1


def test_progress_leaves_out_pauses_or_counts_change():
    frames = strokes(64, still=8, pause=20)
    share = np.linspace(0, 1, len(frames))
    for measure in ("time", CHANGE):
        result = restored(frames, share, max_frames=24, measure=measure)
        assert len(result.frames_KHWC) == len(result.progress_K) <= 24
        assert result.progress_K[0] == 0
        np.testing.assert_allclose(result.progress_K[-1], 1)
        assert (np.diff(result.progress_K) >= 0).all()
    assert any("in pauses" in remark for remark in result.remarks)
    stated = restored(frames, share, max_frames=24, is_stated=True)
    assert set(stated.progress_K) <= set(share)


def test_quality_falls_with_what_cannot_be_seen():
    result = cleaned(film().frames_THWC, Steps(span=False))
    good = quality(result)
    assert 0 < good.score <= 1
    # The small film says so itself.
    assert any("pixels" in reason for reason in good.reasons)
    hidden = dataclasses.replace(result, occluded_KHW=np.ones_like(result.occluded_KHW))
    assert quality(hidden).score == 0
    still = dataclasses.replace(result, frames_KHWC=result.frames_KHWC[:1].repeat(20, axis=0))
    assert quality(still).score == 0
    assert any("changes" in reason for reason in quality(still).reasons)
