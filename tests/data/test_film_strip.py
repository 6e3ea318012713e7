"""Frames side by side in one picture."""

import io

import numpy as np
from PIL import Image

from painting_jax.data import film_strip
from tests.synthetic import recording


def test_frames_are_shown_smaller_but_never_larger_and_keep_their_aspect():
    wide_HWC = np.zeros((90, 160, 3), np.uint8)
    assert film_strip.shape(wide_HWC, height=45) == (45, 80)
    assert film_strip.shape(wide_HWC, height=45, width=40) == (22, 40)
    assert film_strip.shape(wide_HWC, height=500, width=500) == (90, 160)


def test_frames_of_other_shapes_have_their_columns_in_line():
    frames = recording(count=3, height=40, width=20)
    wide = Image.open(io.BytesIO(film_strip.drawn(frames, (40, 60), cell=60)))
    tall = Image.open(io.BytesIO(film_strip.drawn(frames, (40, 20), cell=60)))
    assert wide.size == tall.size == (180, 40)
    alpha_HW = np.asarray(tall.convert("RGBA"))[..., 3]
    assert np.flatnonzero(alpha_HW[0])[[0, -1]].tolist() == [20, 159]
    assert (alpha_HW[0] > 0).sum() == 60
    # The frames are in their order.
    light = [np.asarray(tall.convert("RGB"))[:, x].mean() for x in (30, 90, 150)]
    assert light == sorted(light, reverse=True)
