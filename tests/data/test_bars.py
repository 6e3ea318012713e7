"""White and black bars around a picture are found, and nothing else is taken for them."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from painting_jax.data import bars, pictures


def cat(height=120, width=160):
    return pictures.fit(data.chelsea(), height, width)


def barred(picture, *, top=0, bottom=0, left=0, right=0, colour=255):
    padding = ((top, bottom), (left, right), (0, 0))
    return np.pad(picture, padding, constant_values=colour)


def as_jpeg(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=60)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize(
    "sides",
    [
        {"left": 30, "right": 30},
        {"top": 12, "bottom": 13},
        {"left": 20, "right": 21, "top": 40, "bottom": 40},
    ],
)
def test_the_picture_is_found_between_its_bars(colour, sides):
    whole = barred(cat(), **sides, colour=colour)
    inside = bars.inside(whole)
    np.testing.assert_array_equal(inside.cut(whole), cat())
    np.testing.assert_array_equal(inside.framed(cat()[None], whole)[0], whole)
    compressed = bars.inside(as_jpeg(whole))
    for found, true in zip(*map(dataclasses.astuple, (compressed, inside)), strict=True):
        assert abs(found - true) <= 2


def test_frames_of_another_size_come_between_bars_of_that_size():
    whole = barred(cat(), left=30, right=30)
    inside = bars.inside(whole)
    frames = np.zeros((3, 240, 320, 3), np.uint8)
    framed = inside.framed(frames, whole)
    assert framed.shape == (3, 240, 440, 3)
    assert (framed[:, :, 60:380] == 0).all()
    assert (framed[:, :, :58] == 255).all()
    assert (framed[:, :, 382:] == 255).all()


def thing_on_white():
    picture = np.full((100, 100, 3), 255, np.uint8)
    y, x = np.mgrid[:100, :100]
    picture[np.hypot(y - 50, x - 50) < 35] = (200, 40, 30)
    return picture


def flag():
    """Red, white and red."""
    picture = np.full((90, 120, 3), 255, np.uint8)
    picture[:30] = picture[60:] = (200, 20, 40)
    return picture


def sky():
    """White at the top, over a graded sky, to dark ground."""
    return (
        np.repeat(np.linspace(255, 10, 100)[:, None, None], 100, 1).repeat(3, -1).astype(np.uint8)
    )


def mist():
    """Grey hills between white at the top and at the bottom."""
    y = np.linspace(0, 1, 200)
    light = 255 - 100 * np.sin(np.pi * y) ** 2
    return np.repeat(light[:, None, None], 150, 1).repeat(3, -1).astype(np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        cat(),
        thing_on_white(),
        flag(),
        sky(),
        mist(),
        np.full((50, 60, 3), 255, np.uint8),
        np.zeros((50, 60, 3), np.uint8),
        barred(cat(), top=30),  # a bar at one side may be a sky
    ],
    ids=["photo", "thing_on_white", "flag", "sky", "mist", "white", "black", "one_side"],
)
def test_a_picture_without_bars_has_none(picture):
    assert bars.inside(picture) is None


def test_packaged_photos_have_no_bars():
    for name in ("astronaut", "coffee", "rocket", "hubble_deep_field", "retina"):
        assert bars.inside(getattr(data, name)()) is None
