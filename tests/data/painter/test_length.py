"""A process has as many frames as it needs, where it changes."""

import numpy as np
from skimage import data, transform

from painting_jax.data.painter import paint
from painting_jax.data.painter.length import FEWEST, MOST, moments


def test_busy_process_has_more_frames_and_both_stay_within_bounds():
    counts = [len(moments(lambda s, k=k: k * s)) for k in (0, 0.5, 2, 4, 100)]
    assert counts == sorted(counts)
    assert counts[:2] == [FEWEST, FEWEST]
    assert FEWEST < counts[2] < counts[3] < MOST
    assert counts[-1] == MOST


def test_frames_are_where_the_canvas_changes():
    def work(progress):
        return 3 * np.clip((progress - 0.4) / 0.2, 0, 1)

    progress = moments(work)
    assert progress[0] == 0
    assert progress[-1] == 1
    assert (np.diff(progress) > 0).all()
    assert ((progress > 0.4) & (progress < 0.6)).mean() > 0.7


def test_painter_chooses_fewer_frames_for_a_simple_picture():
    busy = (255 * transform.resize(data.astronaut(), (64, 64))).astype(np.uint8)
    plain = np.full((64, 64, 3), 200, np.uint8)
    plain[20:44, 16:48] = (160, 60, 40)
    for medium in ("acrylic", "pencil", "digital"):
        counts = [len(paint(picture, medium, seed=0).frames_THWC) for picture in (plain, busy)]
        assert counts[0] < counts[1] <= MOST


def test_chosen_frames_change_more_evenly_than_frames_in_even_steps_of_time():
    picture = (255 * transform.resize(data.astronaut(), (64, 64))).astype(np.uint8)
    chosen = paint(picture, "digital", seed=0)
    even = paint(picture, "digital", frames=len(chosen.frames_THWC), seed=0)
    spread = []
    for painting in (chosen, even):
        moved = np.abs(np.diff(painting.frames_THWC.astype(int), axis=0)).max(-1) > 25
        spread.append(moved.mean((1, 2)).std())
    assert spread[0] < 0.8 * spread[1]
    np.testing.assert_array_equal(chosen.frames_THWC[-1], even.frames_THWC[-1])
