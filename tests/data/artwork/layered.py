"""Layers for pictures that tests write, and comparisons of the states that are read of them."""

import numpy as np
from PIL import Image


def patch(seed, size=(24, 20), opaque=False):
    """Smooth colours under a gradient of alpha."""
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 3, 4), np.uint8)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    if opaque:
        image.putalpha(255)
    return image


def over_white(image):
    """What Pillow shows of a picture over white, uint8 RGB."""
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def all_states(opened):
    """All pictures of `States`."""
    pictures = list(opened.pictures(range(len(opened))))
    assert len(pictures) == len(opened)
    return pictures


def assert_close(picture, expected, levels=2):
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture.astype(int), np.asarray(expected).astype(int), atol=levels)
