"""The baselines start on a blank canvas and end at a finished picture."""

import numpy as np
from scipy import ndimage

from painting_jax.evaluation import baselines
from tests.evaluation.recordings import as_video

BLANK = np.full((2, 24, 32, 3), 250, np.uint8)
PICTURE = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
PROGRESS = np.array([[0, 0.25, 0.5, 1], [0, 0.1, 0.75, 1]], np.float32)


def test_fades_and_blurs_go_from_blank_to_the_picture():
    for fade in (baselines.cross_fade, baselines.blur_to_sharp):
        frames_BTHWC = np.asarray(fade(BLANK, PICTURE, PROGRESS))
        np.testing.assert_array_equal(frames_BTHWC[:, 0], BLANK)
        np.testing.assert_array_equal(frames_BTHWC[:, -1], PICTURE)


def test_half_way_fade_is_the_mean_of_canvas_and_picture():
    frames_BTHWC = np.asarray(baselines.cross_fade(BLANK, PICTURE, PROGRESS))
    middle = np.rint((BLANK[0].astype(np.float32) + PICTURE[0]) / 2)
    np.testing.assert_array_equal(frames_BTHWC[0, 2], middle)


def test_blur_equals_a_gaussian_filter_away_from_the_border():
    row = np.zeros((1, 65, 65, 3), np.uint8)
    row[0, 32, 32] = 255
    progress = np.array([[0.9]], np.float32)
    found = np.asarray(baselines.blur_to_sharp(row, row, progress))[0, 0, :, :, 0]
    expected = ndimage.gaussian_filter(row[0, :, :, 0].astype(float), 0.1 * 65 / 4, truncate=8)
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_fades_of_a_process_end_at_its_picture():
    recorded = as_video(1, frames=6)
    fades = baselines.from_picture(recorded)
    assert len(fades) == 2
    for video in fades.values():
        assert video.name == recorded.name
        np.testing.assert_array_equal(video.frames_THWC[-1], recorded.frames_THWC[-1])


def test_other_picture_keeps_the_medium_and_changes_the_picture():
    picture = np.array(["cat", "cat", "dog", "dog", "cup", "cat"])
    medium = np.array(["oil", "ink", "oil", "ink", "oil", "charcoal"])
    other = baselines.other_pictures(picture, medium)
    assert np.all(picture[other] != picture)
    np.testing.assert_array_equal(medium[other][:5], medium[:5])


def test_a_single_picture_has_no_other():
    assert baselines.other_pictures(["cat", "cat"], ["oil", "ink"]) == [None, None]
