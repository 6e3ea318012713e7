"""The palette of a picture: its order, its accents, and numbers that stay."""

import time

import numpy as np
import pytest

from painting_jax.instruction.mixing import colours
from painting_jax.instruction.palette import Palette

_RED, _BLUE, _GREEN, _SAND = (190, 40, 45), (40, 70, 150), (60, 120, 60), (225, 205, 165)


def picture() -> np.ndarray:
    """Half sand, a third blue, the rest green with a small red spot, all with a little noise."""
    image_HWC = np.zeros((120, 180, 3))
    image_HWC[:60], image_HWC[60:100], image_HWC[100:] = _SAND, _BLUE, _GREEN
    image_HWC[105:109, 20:29] = _RED
    noise_HWC = np.random.default_rng(0).normal(0, 2, image_HWC.shape)
    return np.clip(image_HWC + noise_HWC, 0, 255).astype(np.uint8)


def test_colours_are_in_order_of_area_and_a_small_accent_is_among_them():
    palette = Palette.of(picture())
    assert len(palette.colours_N3) == 4
    for found, painted in zip(palette.colours_N3, (_SAND, _BLUE, _GREEN, _RED), strict=True):
        apart = colours.difference(
            colours.lab_of_srgb(found), colours.lab_of_srgb(np.array(painted, np.uint8))
        )
        assert apart < 2
    np.testing.assert_allclose(palette.share_N, [0.5, 1 / 3, 0.165, 0.0017], atol=0.01)
    assert palette.share_N.sum() == pytest.approx(1)


def test_the_same_picture_gives_the_same_palette():
    first, second = Palette.of(picture()), Palette.of(picture().copy())
    np.testing.assert_array_equal(first.colours_N3, second.colours_N3)
    np.testing.assert_array_equal(first.share_N, second.share_N)


def test_a_colour_keeps_its_number_in_every_step():
    image_HWC = picture()
    palette = Palette.of(image_HWC)
    whole_HW = palette.numbers(image_HWC)
    for painted in (0.2, 0.5, 0.8):
        frame_HWC = np.full_like(image_HWC, 250)
        rows = round(painted * len(image_HWC))
        frame_HWC[:rows] = image_HWC[:rows]
        np.testing.assert_array_equal(palette.numbers(frame_HWC)[:rows], whole_HW[:rows])
    assert whole_HW[10, 10] == 1
    assert whole_HW[80, 10] == 2
    assert whole_HW[107, 25] == 4


def test_each_colour_of_the_palette_has_its_own_number():
    palette = Palette.of(photo())
    numbers = palette.numbers(palette.colours_N3[None])
    np.testing.assert_array_equal(numbers, [np.arange(1, len(palette.colours_N3) + 1)])


def photo(size: int = 256) -> np.ndarray:
    """A picture of many colours that run into each other."""
    rng = np.random.default_rng(3)
    corners_HWC = rng.integers(0, 256, (5, 5, 3)).astype(np.float32)
    rows = np.linspace(0, 4, size)
    low = np.minimum(rows.astype(int), 3)
    part = (rows - low)[:, None, None]
    tall = corners_HWC[low] * (1 - part) + corners_HWC[low + 1] * part
    wide = tall[:, low] * (1 - part[None, :, :, 0]) + tall[:, low + 1] * part[None, :, :, 0]
    return wide.astype(np.uint8)


@pytest.mark.parametrize("count", [1, 4, 12, 24])
def test_a_picture_of_many_colours_has_as_many_as_asked_for(count):
    palette = Palette.of(photo(), count)
    assert len(palette.colours_N3) == count
    assert np.all(np.diff(palette.share_N) <= 0)
    lab_N3 = colours.lab_of_srgb(palette.colours_N3)
    apart_NN = colours.difference(lab_N3[:, None], lab_N3[None])
    assert apart_NN[~np.eye(count, dtype=bool)].min(initial=np.inf) > 4.5, "none twice"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 1)])
def test_pictures_of_any_shape_have_a_palette(shape):
    image_HWC = np.full((*shape, 3), 77, np.uint8)
    palette = Palette.of(image_HWC)
    np.testing.assert_array_equal(palette.colours_N3, [[77, 77, 77]])
    np.testing.assert_array_equal(palette.numbers(image_HWC), np.ones(shape))


def test_a_palette_takes_a_moment():
    image_HWC = photo(768)
    start = time.process_time()
    palette = Palette.of(image_HWC)
    palette.numbers(image_HWC)
    # It is below 0.5 s where nothing else runs.
    assert time.process_time() - start < 3
