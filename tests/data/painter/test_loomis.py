"""The construction of a head is drawn at the face."""

import numpy as np
from skimage import data

from painting_jax.data import pictures
from painting_jax.data.painter import paint


def constructed(photo):
    """Height, width and middle (y, x) of the guide lines, as shares of the sides."""
    frames = paint(photo, "loomis_portrait", frames=17, seed=0).frames_THWC.astype(int)
    y, x = np.nonzero((frames[4] < 190).any(-1))
    height, width = photo.shape[:2]
    return np.ptp(y) / height, np.ptp(x) / width, y.mean() / height, x.mean() / width


def test_the_head_is_constructed_at_the_face_of_a_portrait():
    photo = pictures.fit(data.astronaut(), 320, 320)
    high, wide, y, x = constructed(photo)
    # Eyes at (0.2, 0.43), chin at 0.3 of the picture.
    assert 0.15 < y < 0.27
    assert 0.38 < x < 0.48
    assert 0.12 < wide < 0.25
    assert high < 0.35


def test_it_follows_the_face():
    photo = pictures.fit(data.astronaut(), 320, 320)
    *_, x = constructed(photo)
    *_, mirrored_x = constructed(np.ascontiguousarray(photo[:, ::-1]))
    assert abs((1 - mirrored_x) - x) < 0.04
