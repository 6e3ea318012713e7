"""Painted order is told from reversed, and what was edited from what was painted."""

import numpy as np
import pytest
from skimage import data, transform

from painting_jax.data import timelapse
from painting_jax.data.painter import paint
from painting_jax.evaluation import baselines


@pytest.fixture(scope="module")
def painted() -> list[np.ndarray]:
    """A face in four media, 17 frames of 64 x 64."""
    face = transform.resize(data.astronaut()[:320, 60:380], (64, 64), anti_aliasing=True)
    face = (face * 255).astype(np.uint8)
    media = ("oil", "watercolor", "pencil", "ink")
    return [paint(face, medium, frames=17, seed=0).frames_THWC for medium in media]


def _sign(frames_THWC) -> int:
    return timelapse.direction(np.ascontiguousarray(frames_THWC)).sign


def test_painted_processes_and_their_reverse_are_recognised(painted):
    assert [_sign(frames) for frames in painted] == [1] * len(painted)
    assert [_sign(frames[::-1]) for frames in painted] == [-1] * len(painted)


def test_reversing_turns_the_score_around(painted):
    for frames_THWC in painted:
        there, back = timelapse.direction(frames_THWC), timelapse.direction(frames_THWC[::-1])
        assert back.score == pytest.approx(-there.score, abs=1e-5)
        assert back.ordered == pytest.approx(there.ordered, abs=1e-5)


def test_a_few_key_frames_are_enough(painted):
    for frames_THWC in painted:
        assert _sign(frames_THWC[[0, 8, 16]]) == 1
        assert _sign(frames_THWC[[0, 16]]) == 1


def test_fades_on_paper_and_on_grey_are_recognised(painted):
    picture_1HWC = painted[0][-1:]
    progress_1T = np.linspace(0, 1, 17, dtype=np.float32)[None]
    for ground in (247, 128, 30):
        blank_1HWC = np.full_like(picture_1HWC, ground)
        (fade,) = np.asarray(baselines.cross_fade(blank_1HWC, picture_1HWC, progress_1T))
        assert (_sign(fade), _sign(fade[::-1])) == (1, -1)


def test_noise_does_not_hide_the_direction(painted):
    noise = np.random.default_rng(0).normal(0, 12, painted[0].shape)
    for frames_THWC in painted:
        noisy = np.clip(frames_THWC + noise, 0, 255).astype(np.uint8)
        assert (_sign(noisy), _sign(noisy[::-1])) == (1, -1)


def test_shuffled_frames_leave_it_unsure(painted):
    rng = np.random.default_rng(0)
    signs = [_sign(frames[rng.permutation(17)]) for frames in painted for _ in range(5)]
    assert np.mean(np.array(signs) == 0) > 0.9


def test_a_video_of_one_colour_has_no_direction_and_no_edits(painted):
    found = timelapse.examine(np.full_like(painted[0], 90))
    assert (found.first, found.last, found.findings, found.direction.sign) == (0, 16, (), 0)


def test_nothing_is_found_in_a_painted_process(painted):
    for frames_THWC in painted:
        for frames in (frames_THWC, frames_THWC[::-1], 255 - frames_THWC):
            found = timelapse.examine(np.ascontiguousarray(frames))
            assert (found.first, found.last, found.findings) == (0, 16, ())


def _faded(frame_HWC: np.ndarray, shares, colour: int = 0) -> list[np.ndarray]:
    return [(colour + share * (frame_HWC - float(colour))).astype(np.uint8) for share in shares]


@pytest.mark.parametrize(
    ("shares", "colour"),
    [
        ((0.75, 0.5, 0.25, 0), 0),
        ((0.75, 0.5, 0.25, 0), 255),
        ((0.5, 0, 0, 0), 0),
        ((0.5, 0, 0, 0), 255),
        ((0,), 0),
        ((0, 0, 0), 0),
    ],
)
def test_what_fades_out_ends_with_the_picture(painted, shares, colour):
    for frames_THWC in painted[:2]:
        faded = np.stack([*frames_THWC, *_faded(frames_THWC[-1], shares, colour)])
        found = timelapse.examine(faded)
        assert (found.first, found.last) == (0, 16)
        assert "fades out" in found.findings[0]
        assert found.direction.sign == 1


@pytest.mark.parametrize("shares", [(0, 0.3, 0.7), (0,), (0, 0, 0.5)])
def test_what_fades_in_from_black_begins_with_the_canvas(painted, shares):
    """A near-black first frame once hid the direction."""
    for frames_THWC in painted[:2]:
        found = timelapse.examine(np.stack([*_faded(frames_THWC[0], shares), *frames_THWC]))
        assert (found.first, found.last) == (len(shares), len(shares) + 16)
        assert found.findings == ("fades in",)
        assert found.direction.sign == 1


def test_a_dark_canvas_is_no_fade():
    rng = np.random.default_rng(0)
    picture_HWC = rng.integers(60, 256, (64, 64, 3), dtype=np.uint8)
    when_HW = rng.integers(0, 17, (8, 8)).repeat(8, 0).repeat(8, 1)
    for canvas in (0, 8, 30):
        frames = np.stack(
            [np.where((when_HW < t)[..., None], picture_HWC, canvas) for t in range(18)]
        )
        for each, sign in ((frames, 1), (frames[::-1], -1)):
            found = timelapse.examine(each.astype(np.uint8))
            assert (found.first, found.last, found.findings) == (0, 17, ())
            assert found.direction.sign == sign


@pytest.mark.parametrize("count", [1, 4, 12])
@pytest.mark.parametrize("change", [(), (0.7, 0.3)])
def test_a_finished_picture_before_the_canvas_is_found(painted, count, change):
    for frames_THWC in painted[:2]:
        first, last = frames_THWC[0].astype(float), frames_THWC[-1].astype(float)
        between = [(share * last + (1 - share) * first).astype(np.uint8) for share in change]
        shown = np.stack([*[frames_THWC[-1]] * count, *between, *frames_THWC])
        found = timelapse.examine(shown)
        # The change itself may count as the first strokes of the canvas.
        assert count <= found.first <= count + len(change)
        assert found.findings == ("shows the finished picture before the canvas",)
        assert (found.last, found.direction.sign) == (len(shown) - 1, 1)


def test_an_opening_and_a_fade_are_found_together(painted):
    frames = painted[0]
    shown = [*[frames[-1]] * 3, *frames, *_faded(frames[-1], (0.6, 0.2, 0))]
    found = timelapse.examine(np.stack(shown))
    assert (found.first, found.last) == (3, 19)
    assert len(found.findings) == 2


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_frames_are_not_edited(painted, count):
    frames = painted[0][np.linspace(0, 16, count).astype(int)]
    for each in (frames, frames[::-1]):
        found = timelapse.examine(np.ascontiguousarray(each))
        assert (found.first, found.last) == (0, count - 1)
