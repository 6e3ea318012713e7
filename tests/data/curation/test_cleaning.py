"""A camera saw a desk: what is cleaned of it is measured against the canvas that was filmed."""

import cv2
import numpy as np
import pytest

from benchmarks.curation.film import EXPOSURE
from painting_jax.data import pictures
from painting_jax.data.curation import (
    camera,
    canvas,
    colours,
    denoising,
    filling,
    light,
    occluders,
    overlays,
)
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


@pytest.mark.parametrize(("medium", "gain"), [("oil", 4), ("digital", 2)])
def test_a_film_is_cleaned(medium, gain):
    shown = film(medium)
    plain = psnr(from_the_front(shown.frames_THWC, shown.corners_T42 + 0.5), shown.clean_THWC)
    result = cleaned(shown.frames_THWC, Steps(span=False))
    assert result.frames_KHWC.dtype == np.uint8
    assert len(result.kept_K) == len(shown.frames_THWC)
    assert psnr(result.frames_KHWC, shown.clean_THWC) > plain + gain


def test_a_published_film_is_cleaned():
    """With a title card, a pause, a cut after which the camera stands elsewhere, and H.264."""
    shown = film(titles=True, pause=0.1, cut=True, still=0.08, crf=23, frames=120)
    frames = shown.frames_THWC[: -shown.faded]
    result = cleaned(frames)
    assert result.others == 5
    assert result.cuts == 1
    assert abs(result.kept_K[0] - shown.start) <= 3
    assert abs(result.kept_K[-1] - shown.end) <= 3
    # Nine still frames before it and after it, and twelve in the pause.
    assert 20 <= result.idle <= 36
    off = np.linalg.norm(result.corners_K42 - shown.corners_T42[result.kept_K] - 0.5, axis=-1)
    assert off.max() < 0.01 * 288
    true = shown.clean_THWC[result.kept_K]
    plain = from_the_front(frames[result.kept_K], shown.corners_T42[result.kept_K] + 0.5)
    assert psnr(result.frames_KHWC, true) > psnr(plain, true) + 4
    progress = np.linspace(0, 1, len(result.kept_K))
    assert np.abs(progress - shown.progress_T[result.kept_K]).mean() < 0.03


def test_the_canvas_is_found_and_followed():
    shown = film(light=0.0)
    path = camera.followed(shown.frames_THWC)
    corners_T42 = canvas.found(shown.frames_THWC, path.to_common_T33)
    off = np.linalg.norm(corners_T42 - (shown.corners_T42 + 0.5), axis=-1)
    assert off.max() < 0.006 * 288
    assert off.mean() < 0.003 * 288


def test_the_path_of_the_camera_is_measured_over_a_cut():
    shown = film(cut=True)
    path = camera.followed(shown.frames_THWC)
    assert len(path.cuts) == 1
    assert path.shows_T.all()
    corners_T42 = np.concatenate([shown.corners_T42 + 0.5, np.ones((96, 4, 1))], axis=-1)
    common_T42 = corners_T42 @ path.to_common_T33.transpose(0, 2, 1)
    common_T42 = common_T42[..., :2] / common_T42[..., 2:]
    off = np.linalg.norm(common_T42 - np.median(common_T42, axis=0), axis=-1)
    assert off.max() < 1.0
    jump = np.linalg.norm(np.diff(shown.corners_T42, axis=0), axis=-1).max(1)
    assert path.cuts == (int(jump.argmax()) + 1,)


def test_corners_stay_where_they_are_found_if_nothing_holds_them():
    """Each step out of this picture is a little better than the one before."""
    light_HWC = np.zeros((48, 64, 3))
    light_HWC[:20] = 200.0
    found_42 = np.array([[1.0, 1], [63, 1], [63, 47], [1, 47]])
    assert np.abs(canvas._refined(found_42, [light_HWC]) - found_42).max() <= 8


def test_a_recording_of_the_canvas_alone_is_whole():
    clean = film().clean_THWC
    path = camera.followed(clean)
    assert canvas.found(clean, path.to_common_T33) is None
    assert path.shows_T.all()
    assert not path.cuts
    result = cleaned(clean, Steps(light=False, span=False))
    assert result.corners_K42 is None
    # Nothing lies before the canvas, and little is taken for something that does.
    assert result.occluded_KHW.mean() < 0.03
    assert np.abs(result.frames_KHWC.astype(int) - clean).mean() < 0.5


def test_changes_of_the_light_are_measured():
    shown = film().clean_THWC
    lights = 1 + 0.1 * np.sin(np.linspace(0, 5, len(shown)))[:, None] * np.array([1, 0.8, 0.5])
    seen = np.clip(shown * lights[:, None, None] * 0.9, 0, 255).astype(np.uint8)
    gains = light.gains(seen)
    evened = gains * lights
    assert (evened / evened.mean(0)).std() < 0.01
    assert lights.std() > 0.04
    even = light.evened(seen, gains).astype(float)
    assert psnr(even, shown) > psnr(seen, shown) + 6


def test_errors_of_the_light_do_not_add_up():
    rng = np.random.default_rng(0)
    desk = rng.uniform(40, 160, (1, 64, 64, 3))
    lights = 1 + 0.08 * np.sin(np.linspace(0, 9, 150))[:, None] * np.array([1, 0.9, 0.8])
    noisy = desk * lights[:, None, None] + rng.normal(0, 3, (150, 64, 64, 3))
    evened = light.gains(np.clip(noisy + 0.5, 0, 255).astype(np.uint8)) * lights
    assert (evened / evened.mean(0)).std() < 0.003


def test_occluders_are_found_where_they_are():
    shown = film(light=0.0, logo=False)
    corners = shown.corners_T42 + 0.5
    front = from_the_front(shown.frames_THWC, corners)
    masks = shown.occluded_THW[..., None].repeat(3, -1).astype(np.uint8) * 255
    truth = from_the_front(masks, corners)[..., 0] > 127
    found = occluders.occluded(front)
    assert (found & truth).sum() / truth.sum() > 0.95
    assert (found & ~truth).mean() < 0.1
    filled = filling.filled(front, found).astype(int)
    true = EXPOSURE * shown.clean_THWC
    hidden = np.abs(filled - true).max(-1)[truth]
    covered = np.abs(front - true).max(-1)[truth]
    assert (hidden <= 16).mean() > 0.8
    assert (covered <= 16).mean() < 0.4


def test_an_arm_that_rests_belongs_to_the_hand_that_moves():
    rng = np.random.default_rng(0)
    frames = np.full((80, 96, 96, 3), 210, np.uint8)
    for t in range(30, 36):  # longer than half of the frames that are compared at first
        frames[t, 60:96, 50:80] = (60, 70, 110)
        top, left = rng.integers((16, 4), (50, 44))
        frames[t, top : top + 20, left:60] = (224, 172, 138)
        frames[t, 40:62, 50:60] = (224, 172, 138)
    found = occluders.occluded(frames)
    arms = (frames == np.array([60, 70, 110])).all(-1)
    assert (found & arms).sum() > 0.8 * arms.sum()


def test_new_paint_is_not_late():
    """A stroke that stays is shown from its first frame on, not once it is old."""
    frames = np.full((20, 64, 64, 3), 200, np.uint8)
    frames[8:, 20:44, 20:44] = 60
    found = occluders.occluded(frames)
    assert not found.any()
    np.testing.assert_array_equal(filling.filled(frames, found), frames)


def test_hidden_pixels_show_the_view_that_is_nearest_in_time():
    frames = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(3, -1) * 10
    hidden = np.isin(np.arange(10), [0, 3, 4, 5, 6, 9])[:, None, None]
    shown = filling.filled(frames, hidden)[:, 0, 0, 0] // 10
    np.testing.assert_array_equal(shown, [1, 1, 2, 2, 2, 7, 7, 7, 8, 8])


def test_a_logo_over_the_canvas_is_taken_away():
    shown = film(logo=False)
    frames = shown.frames_THWC.copy()
    left, top = shown.corners_T42[:, 0].max(0).astype(int)
    logo = np.s_[top + 6 : top + 15, left + 2 : left + 16]
    frames[:, *logo] = (240, 60, 30)
    found_HW = overlays.found(frames, camera.followed(frames).to_common_T33)
    assert found_HW[logo].all()
    assert found_HW.sum() < 3 * found_HW[logo].size
    with_logo = cleaned(frames, Steps(span=False, overlays=False)).frames_KHWC
    without = cleaned(frames, Steps(span=False)).frames_KHWC
    assert psnr(without, shown.clean_THWC) > psnr(with_logo, shown.clean_THWC) + 2


def test_paint_in_a_corner_is_no_logo():
    shown = film(logo=False)
    # It moves with the camera.
    canvas_THWC = shown.frames_THWC[:, 30:180, 70:220]
    to_common_T33 = camera.followed(shown.frames_THWC).to_common_T33
    assert not overlays.found(canvas_THWC, to_common_T33).any()


def test_what_is_never_seen_is_inpainted():
    frames = np.full((5, 32, 32, 3), 180, np.uint8)
    masks = np.zeros((5, 32, 32), bool)
    masks[:, 10:14, 10:14] = True
    frames[:, 10:14, 10:14] = 0
    assert np.abs(filling.filled(frames, masks).astype(int) - 180).max() <= 2


def test_noise_is_taken_out_and_paint_is_neither_late_nor_blurred():
    painted = np.full((32, 41, 43, 3), 200, np.uint8)
    painted[16:, 10:30, 11:] = (150, 60, 40)
    noise = np.random.default_rng(0).normal(0, 4, painted.shape)
    noisy = np.clip(np.round(painted + noise), 0, 255).astype(np.uint8)
    result = denoising.denoised(noisy)
    assert np.std(result - painted.astype(float)) < 0.6 * 4
    assert np.abs(result[16] - painted[16].astype(float)).max() < 16  # the stroke, at once
    assert np.abs(result[15] - painted[15].astype(float)).max() < 16  # and not before


def test_a_denoised_pixel_is_the_weighted_mean_of_other_times():
    frames = np.random.default_rng(1).integers(90, 110, (9, 3, 4, 3)).astype(np.uint8)
    t, y, x = 3, 2, 2  # the last row, where a block has one row of its own
    total, weights = frames[t, y, x].astype(float), 1.0
    for other in (t - 2, t - 1, t + 1, t + 2, t + 4):
        apart = frames[other, 2:, 2:].astype(float) - frames[t, 2:, 2:]
        weight = np.exp(-np.mean(apart**2) / 64)
        total, weights = total + weight * frames[other, y, x], weights + weight
    assert np.abs(denoising.denoised(frames)[t, y, x] - total / weights).max() < 0.501


def test_few_frames_are_left_as_they_are():
    frames = np.random.default_rng(0).integers(0, 255, (2, 24, 24, 3), dtype=np.uint8)
    assert cleaned(frames, Steps(light=False)).frames_KHWC.shape == frames.shape


@pytest.mark.parametrize("end", [0, -1])
def test_a_hand_in_the_first_frame_or_the_last_one_is_found(end):
    rng = np.random.default_rng(0)
    frames = np.full((60, 96, 96, 3), 210, np.uint8)
    frames[30:, :20] = (90, 120, 60)
    for t in [*range(0, 60, 3), 59]:
        left = rng.integers(10, 50)
        frames[t, 50:, left : left + 36] = (224, 172, 138)
    found = occluders.occluded(frames)
    hands = (frames == np.array([224, 172, 138])).all(-1)
    assert (found[end] & hands[end]).sum() > 0.97 * hands[end].sum()
    assert filling.filled(frames, found)[end, 50:].min() > 205


def test_bold_strokes_of_a_short_recording_are_no_hands_at_its_ends():
    rng = np.random.default_rng(0)
    frames = np.full((16, 96, 96, 3), 210, np.uint8)
    for t in range(16):
        top, left = rng.integers(0, 64, 2)
        frames[t:, top : top + 32, left : left + 32] = rng.integers(20, 200, 3)
    assert occluders.occluded(frames)[[0, -1]].mean() < 0.02


def test_a_canvas_that_fills_the_frame_is_not_tinted():
    """A sketch on white paper that is filled with one dark colour at once: that is no light."""
    frames = np.full((24, 96, 128, 3), 255, np.uint8)
    frames[:, ::7, 20:110] = 60
    frames[8:, 5:90, 4:124] = np.minimum(frames[8:, 5:90, 4:124], (110, 70, 60))
    frames[16:, 40:60, 30:90] = (220, 160, 60)
    result = cleaned(frames, Steps(span=False))
    assert np.abs(np.median(result.frames_KHWC[0], (0, 1)) - 255).max() < 8


def test_what_is_dropped_does_not_depend_on_the_noise_that_is_taken_out():
    shown = film(
        "colored_pencil", titles=True, pause=0.1, still=0.08, crf=23, frames=120, drift=5.0
    )
    frames = shown.frames_THWC[: -shown.faded]
    noisy, calm = (cleaned(frames, Steps(noise=noise)) for noise in (False, True))
    np.testing.assert_array_equal(noisy.kept_K, calm.kept_K)


def test_a_canvas_that_is_painted_all_over_to_the_end_is_found():
    rng = np.random.default_rng(0)
    desk_HWC = rng.integers(70, 110, (216, 288, 3)).astype(np.uint8)
    frames = np.stack([desk_HWC] * 60)
    painted_HWC = np.full((140, 150, 3), 230.0)
    for t in range(60):
        if t > 5:
            painted_HWC = painted_HWC * np.where(rng.random((140, 150, 1)) < 0.3, 0.85, 1)
        frames[t, 40:180, 60:210] = painted_HWC
    corners_T42 = canvas.found(frames, np.broadcast_to(np.eye(3), (60, 3, 3)))
    true_42 = np.array([(60, 40), (210, 40), (210, 180), (60, 180)])
    np.testing.assert_allclose(corners_T42[0], true_42, atol=1)


def test_a_canvas_whose_border_is_painted_first_is_whole():
    """The border hardly changes after the first strokes, which are as dark as the desk."""
    rng = np.random.default_rng(0)
    desk_HWC = rng.integers(70, 110, (216, 288, 3)).astype(np.uint8)
    frames = np.stack([desk_HWC] * 60)
    frames[:, 40:180, 60:210] = 230
    frames[6:, 40:72, 60:210] = (84, 88, 92)
    for t in range(20, 38):
        top = 72 + 6 * (t - 20)
        frames[t:, top : top + 6, 60:210] = rng.integers(90, 130, 3)
    corners_T42 = canvas.found(frames, np.broadcast_to(np.eye(3), (60, 3, 3)))
    true_42 = np.array([(60, 40), (210, 40), (210, 180), (60, 180)])
    np.testing.assert_allclose(corners_T42[0], true_42, atol=2)


def test_a_hand_that_rests_is_found_by_the_canvas_that_comes_back():
    frames = np.full((90, 96, 96, 3), 210, np.uint8)
    frames[30:44, 40:, 30:70] = (224, 172, 138)
    frames[60:, 4:30, 4:60] = (40, 60, 120)  # paint stays
    found = occluders.occluded(frames)
    assert found[30:44, 40:, 30:70].all()
    assert not found[:30].any()
    assert not found[44:].any()
    assert (filling.filled(frames, found)[30:44] == 210).all()


def test_colours_that_are_softer_than_the_light_are_sharpened():
    rng = np.random.default_rng(0)
    painted = np.full((3, 96, 96, 3), 230, np.uint8)
    for _ in range(40):
        top, left, height, width = rng.integers((0, 0, 3, 3), (90, 90, 30, 30))
        painted[:, top : top + height, left : left + width] = rng.integers(20, 235, 3)
    halved = []
    for frame in painted:
        light, *colour = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb))
        colour = [cv2.resize(one, (48, 48), interpolation=cv2.INTER_AREA) for one in colour]
        colour = [cv2.resize(one, (96, 96)) for one in colour]
        halved.append(cv2.cvtColor(cv2.merge([light, *colour]), cv2.COLOR_YCrCb2RGB))
    soft = np.stack(halved)
    sharp = colours.sharpened(soft)

    def error(frames) -> float:
        return float(np.square(frames.astype(float) - painted).mean())

    assert error(sharp) < 0.8 * error(soft)
    assert colours.sharpened(painted) is painted


def test_a_camera_that_is_moved_along_the_grain_of_a_desk_is_followed():
    """Most edges lie on each other afterwards; those of a few things tell that it was moved."""
    rng = np.random.default_rng(0)
    grain = rng.integers(60, 140, (216, 1, 3)).repeat(320, 1).astype(np.uint8)
    for _ in range(40):
        left, top = rng.integers((0, 0), (300, 200))
        grain[top : top + 10, left : left + 10] = rng.integers(0, 255, (10, 10, 3))
    frames = np.stack([grain[:, 16:304]] * 14 + [grain[:, 4:292]] * 14)
    frames = np.clip(frames + rng.normal(0, 1.5, frames.shape), 0, 255).astype(np.uint8)
    path = camera.followed(frames)
    assert path.cuts == (14,)
    moved_2 = path.to_common_T33[20, :2, 2] - path.to_common_T33[7, :2, 2]
    np.testing.assert_allclose(np.abs(moved_2), (12, 0), atol=0.5)
