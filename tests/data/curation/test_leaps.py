"""Videos whose frames leap, as generated ones do: all of it is paint."""

import numpy as np
import pytest

from painting_jax.data.curation.activity import activity
from painting_jax.data.curation.cleaning import Steps, cleaned
from painting_jax.data.curation.leaps import is_leaping
from painting_jax.data.curation.occluders import occluded
from tests.data.curation.films import film


def leaping(count: int) -> np.ndarray:
    """Frames that change in large parts, the last one as well."""
    rng = np.random.default_rng(0)
    frames_THWC = np.full((count, 96, 128, 3), 235, np.uint8)
    for t in range(1, count):
        top, left = rng.choice([0, 24, 48]), rng.choice([0, 32, 64])
        frames_THWC[t:, top : top + 48, left : left + 64] = rng.integers(20, 220, 3)
    return frames_THWC


@pytest.mark.parametrize("count", [16, 48])
def test_no_leap_is_taken_for_a_hand_and_the_finished_picture_stays(count):
    frames_THWC = leaping(count)
    assert occluded(frames_THWC).any()
    result = cleaned(frames_THWC, Steps(canvas=False))
    assert not result.occluded_KHW.any()
    np.testing.assert_array_equal(result.kept_K, np.arange(len(frames_THWC)))
    off_HWC = np.abs(result.frames_KHWC[-1].astype(int) - frames_THWC[-1])
    assert (off_HWC.max(-1) > 16).mean() < 0.02


@pytest.mark.parametrize("still", [0, 1, 6])
def test_what_is_painted_until_the_end_is_kept_and_what_rests_is_not(still):
    """A frame more than the last change may be kept: no median tells of it."""
    painted_THWC = leaping(40)
    frames_THWC = np.concatenate([painted_THWC, painted_THWC[-1:].repeat(still, 0)])
    nobody_THW = np.zeros(frames_THWC.shape[:3], bool)
    assert activity(frames_THWC, nobody_THW).last == min(39 + (still > 0), 39 + still)


def test_a_film_of_a_hand_does_not_leap():
    frames_THWC = film("oil", light=0.0).frames_THWC
    occluded_THW = occluded(frames_THWC)
    assert occluded_THW.mean() > 0.02
    assert not is_leaping(frames_THWC, occluded_THW)


def test_a_film_of_large_washes_does_not_leap():
    """Under a hand, much is painted from one view to the next."""
    shown = film(
        "watercolor", titles=True, pause=0.1, still=0.08, crf=23, frames=120, drift=5.0
    ).frames_THWC
    fronts = []

    def seen(frames_THWC):
        fronts.append(frames_THWC)
        return np.zeros(frames_THWC.shape[:3], bool)

    cleaned(shown, Steps(span=False, noise=False, colours=False), seen)
    occluded_THW = occluded(fronts[0])
    assert occluded_THW.mean() > 0.05
    assert not is_leaping(fronts[0], occluded_THW)
