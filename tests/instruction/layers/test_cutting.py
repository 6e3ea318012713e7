"""A process cut into layers: they make its frames again, and hold no more than what changed."""

import numpy as np
import pytest

from painting_jax.instruction.layers.cutting import TOLERANCE, cut, paint_over
from tests.instruction.layers.paintings import noisy, painted
from tests.instruction.layers.readers import composed


def names(count):
    return [f"step {number}" for number in range(count)]


def flat(*levels, height=6, width=7):
    return np.stack([np.full((height, width, 3), level, np.uint8) for level in levels])


@pytest.mark.parametrize("medium", ["oil", "watercolor"])
def test_layers_make_every_frame_to_the_bit_without_tolerance(medium):
    frames_THWC = painted(medium)
    layers = cut(frames_THWC, names(6), tolerance=0)
    np.testing.assert_array_equal(composed(layers, 64, 80), frames_THWC)


def test_the_last_frame_is_exact_and_others_are_within_the_tolerance():
    frames_THWC = noisy(painted())
    found = composed(cut(frames_THWC, names(6)), 64, 80).astype(int)
    assert np.abs(found - frames_THWC).max() == TOLERANCE
    np.testing.assert_array_equal(found[-1], frames_THWC[-1])


def test_nothing_drifts_over_many_thin_steps():
    """In exact arithmetic, too: some programs do not round after each layer."""
    rng = np.random.default_rng(0)
    steps = rng.integers(-9, 10, (30, 40, 40, 3)).cumsum(0)
    frames_THWC = np.clip(128 + steps, 0, 255).astype(np.uint8)
    canvas_HWC = np.zeros(frames_THWC.shape[1:])
    for layer, frame_HWC in zip(cut(frames_THWC, names(30), tolerance=0), frames_THWC, strict=True):
        bottom, right = np.add(layer.pixels_HW4.shape[:2], (layer.top, layer.left))
        below = canvas_HWC[layer.top : bottom, layer.left : right]
        alpha = layer.pixels_HW4[..., 3:] / 255
        below += alpha * (layer.pixels_HW4[..., :3] - below)
        assert np.abs(canvas_HWC - frame_HWC).max() < 0.5


def test_noise_fills_no_layer_but_the_last():
    frames_THWC = noisy(np.repeat(painted()[-1:], 5, 0))
    filled = [(layer.pixels_HW4[..., 3] > 0).sum() for layer in cut(frames_THWC, names(5))]
    assert filled[0] == 64 * 80
    assert filled[1:-1] == [0, 0, 0]
    assert filled[-1] > 0


def test_what_waits_is_carried_until_it_is_seen():
    layers = cut(flat(100, 103, 106, 109), names(4))
    assert [bool(layer.pixels_HW4[..., 3].any()) for layer in layers] == [True, False, True, True]
    assert composed(layers, 6, 7)[:, 0, 0, 0].tolist() == [100, 100, 106, 109]


def test_a_small_change_is_a_glaze_and_a_large_one_opaque_paint():
    glaze = paint_over(*flat(200, 190))
    paint = paint_over(*flat(200, 100))
    assert 0 < glaze[0, 0, 3] < 64
    assert glaze[0, 0, 0] < 190
    assert paint[0, 0].tolist() == [100, 100, 100, 255]


@pytest.mark.parametrize(("below", "above"), [(0, 1), (255, 254), (0, 255), (255, 0), (250, 255)])
def test_colours_stay_in_range_at_black_and_at_white(below, above):
    frames_THWC = flat(below, above)
    found = composed(cut(frames_THWC, names(2)), 6, 7)
    np.testing.assert_array_equal(found, frames_THWC)


def test_every_change_of_a_channel_is_laid_exactly():
    below_HWC, frame_HWC = (
        np.repeat(levels.astype(np.uint8)[..., None], 3, -1) for levels in np.mgrid[:256, :256]
    )
    [_, found_HWC] = composed(cut(np.stack([below_HWC, frame_HWC]), names(2)), 256, 256)
    np.testing.assert_array_equal(found_HWC, frame_HWC)


def test_layers_are_as_large_as_what_they_hold():
    frames_THWC = flat(50, 50, 50)
    frames_THWC[1:, 2:4, 3:6] = 200
    ground, square, nothing = cut(frames_THWC, names(3))
    assert ground.pixels_HW4.shape == (6, 7, 4)
    assert (square.left, square.top, square.pixels_HW4.shape) == (3, 2, (2, 3, 4))
    assert (nothing.pixels_HW4 == np.zeros((1, 1, 4))).all()


def test_chosen_frames_are_steps():
    frames_THWC = painted()
    layers = cut(frames_THWC, names(3), indices=[0, 2, 5], tolerance=0)
    np.testing.assert_array_equal(composed(layers, 64, 80), frames_THWC[[0, 2, 5]])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        cut(frames_THWC, names(2), indices=[0, 2, 5])
