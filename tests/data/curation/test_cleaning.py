"""A camera saw a desk: what is cleaned of it is measured against the canvas that was filmed."""

import numpy as np
import pytest

from benchmarks.curation.film import EXPOSURE
from painting_jax.data import pictures
from painting_jax.data.curation import canvas, filling, light, occluders
from painting_jax.data.curation.cleaning import Steps, cleaned
from tests.data.curation.films import film

SIDE = 128


def from_the_front(frames_THWC, corners_T42) -> np.ndarray:
    return canvas.front(frames_THWC, corners_T42, SIDE, SIDE)


def psnr(frames_THWC, clean_THWC) -> float:
    """In dB, after one gain a channel: nobody knows how bright the light of a recording was."""
    seen = np.stack([pictures.resize(frame, SIDE, SIDE) for frame in frames_THWC]).astype(float)
    seen *= np.median((clean_THWC + 8.0) / (seen + 8.0), (0, 1, 2))
    return 10 * np.log10(255**2 / np.mean((seen - clean_THWC) ** 2))


@pytest.mark.parametrize("medium", ["oil", "digital"])
def test_a_film_is_cleaned(medium):
    shown = film(medium)
    corners = shown.corners_T42 + 0.5
    plain = psnr(from_the_front(shown.frames_THWC, corners), shown.clean_THWC)
    result = cleaned(shown.frames_THWC)
    assert result.frames_THWC.dtype == np.uint8
    assert psnr(result.frames_THWC, shown.clean_THWC) > plain + 3


def test_the_canvas_is_found_and_followed():
    shown = film()
    corners_T42 = canvas.found(shown.frames_THWC)
    off = np.linalg.norm(corners_T42 - (shown.corners_T42 + 0.5), axis=-1)
    assert off.max() < 0.015 * 288
    assert off.mean() < 0.005 * 288


def test_corners_stay_where_they_are_found_if_nothing_holds_them():
    """Each step out of this picture is a little better than the one before."""
    light_HWC = np.zeros((48, 64, 3))
    light_HWC[:20] = 200.0
    found_42 = np.array([[1.0, 1], [63, 1], [63, 47], [1, 47]])
    assert np.abs(canvas._refined(found_42, light_HWC) - found_42).max() <= 8


def test_a_recording_of_the_canvas_alone_is_whole():
    assert canvas.found(film().clean_THWC) is None
    result = cleaned(film().clean_THWC, Steps(light=False))
    assert result.corners_T42 is None
    # Nothing lies before the canvas, and little is taken for something that does.
    assert result.occluded_THW.mean() < 0.03
    assert np.abs(result.frames_THWC.astype(int) - film().clean_THWC).mean() < 0.5


def test_changes_of_the_light_are_measured():
    shown = film().clean_THWC
    lights = 1 + 0.1 * np.sin(np.linspace(0, 5, len(shown)))[:, None] * np.array([1, 0.8, 0.5])
    seen = np.clip(shown * lights[:, None, None] * 0.9, 0, 255).astype(np.uint8)
    gains = light.gains(seen)
    evened = gains * lights
    assert (evened / evened.mean(0)).std() < 0.01
    assert lights.std() > 0.04
    even = np.asarray(light.evened(seen, gains)).astype(float)
    assert psnr(even, shown) > psnr(seen, shown) + 6


def test_occluders_are_found_where_they_are():
    shown = film(light=0.0, logo=False)
    corners = shown.corners_T42 + 0.5
    front = from_the_front(shown.frames_THWC, corners)
    masks = shown.occluded_THW[..., None].astype(np.uint8) * 255
    truth = from_the_front(masks, corners)[..., 0] > 127
    found = occluders.occluded(front)
    assert (found & truth).sum() / truth.sum() > 0.93
    assert (found & ~truth).mean() < 0.08
    filled = filling.filled(front, found).astype(int)
    true = EXPOSURE * shown.clean_THWC
    hidden = np.abs(filled - true).max(-1)[truth]
    covered = np.abs(front - true).max(-1)[truth]
    assert (hidden <= 16).mean() > 0.8
    assert (covered <= 16).mean() < 0.4


def test_new_paint_is_not_late():
    """A stroke that stays is shown from its first frame on, not once it is old."""
    frames = np.full((20, 64, 64, 3), 200, np.uint8)
    frames[8:, 20:44, 20:44] = 60
    found = occluders.occluded(frames)
    assert not found.any()
    np.testing.assert_array_equal(filling.filled(frames, found), frames)


def test_what_is_never_seen_is_inpainted():
    frames = np.full((5, 32, 32, 3), 180, np.uint8)
    masks = np.zeros((5, 32, 32), bool)
    masks[:, 10:14, 10:14] = True
    frames[:, 10:14, 10:14] = 0
    assert np.abs(filling.filled(frames, masks).astype(int) - 180).max() <= 2


def test_few_frames_are_left_as_they_are():
    frames = np.random.default_rng(0).integers(0, 255, (2, 24, 24, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        cleaned(frames, Steps(light=False)).frames_THWC.shape, frames.shape
    )
