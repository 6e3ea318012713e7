"""Lines are those with which a painter lays out a picture: few, long and along its shapes."""

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data.painter.guides import see
from painting_jax.data.painter.lines import composition, contours
from painting_jax.data.segmentation import segment

STAGE = media.MEDIA["pencil"].stages[0]


def drawn(picture, labels=None):
    labels = segment(picture) if labels is None else labels
    guides = see(picture, media.MEDIA["pencil"], labels)
    return guides, contours(STAGE, 1.0, guides, np.random.default_rng(0))


def night(side, stars):
    """A sky of the night over a roof, with a number of stars."""
    y, x = np.mgrid[:side, :side] / side
    picture = np.full((side, side, 3), (20, 25, 70), np.uint8)
    rng = np.random.default_rng(0)
    for cy, cx in rng.uniform(0.02, 0.58, (stars, 2)) * (1, 1.6):
        picture[np.hypot(y - cy, x - cx) < 0.008] = 240
    picture[y > 0.65 + 0.4 * np.abs(x - 0.5)] = (130, 90, 60)
    return picture


@pytest.mark.parametrize("side", [64, 256, 512])
def test_a_starry_sky_is_no_thicket(side):
    _, plain = drawn(night(side, 0))
    _, starry = drawn(night(side, min(200, side * 3 // 4)))
    assert len(plain) > 4
    assert len(starry) <= 1.3 * len(plain) + 4


@pytest.mark.parametrize("side", [64, 256, 512])
def test_strokes_run_around_a_disc_along_its_outline(side):
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    disc = np.hypot(y, x) < 0.3 * side
    picture = np.where(disc[..., None], 40, 220).astype(np.uint8).repeat(3, -1)
    _, strokes = drawn(picture, disc.astype(np.uint8) + 1)
    dy, dx = strokes.y_N - side / 2 + 0.5, strokes.x_N - side / 2 + 0.5
    assert np.abs(np.hypot(dy, dx) - 0.3 * side).max() < 0.02 * side + 0.5
    across = np.cos(strokes.angle_N - np.arctan2(dy, dx))
    assert np.abs(across).max() < 0.3
    round_the_disc = np.sort(np.arctan2(dy, dx))
    assert np.diff(round_the_disc).max() < 1
    assert strokes.length_N.sum() == pytest.approx(2 * np.pi * 0.3 * side, rel=0.25)


def test_texture_of_a_bush_is_not_drawn():
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 120, (128, 128, 1)).repeat(4, 0).repeat(4, 1).repeat(3, 2)
    picture = leaves.astype(np.uint8)
    _, strokes = drawn(picture, np.ones((512, 512), np.uint8))
    assert strokes.length_N.sum() < 2 * 512


def test_long_lines_come_first_and_each_is_drawn_to_its_end():
    guides, strokes = drawn(night(256, 0))
    lines = composition(guides.photo_HWC, guides.labels_HW)
    length_L = lines.end_L - lines.begin_L
    assert length_L[0] == length_L.max()
    # Strokes of a line follow each other.
    steps = np.hypot(np.diff(strokes.y_N), np.diff(strokes.x_N))
    assert (steps > 1.5 * strokes.length_N.max()).sum() <= len(length_L) - 1


def test_lines_are_thin_in_a_large_picture():
    shares = [drawn(night(side, 0))[1].width_N.max() / side for side in (64, 256, 1024)]
    assert shares[0] > 2 * shares[1] > 3 * shares[2]


@pytest.mark.parametrize("shape", [(2, 2), (2, 40), (9, 5)])
def test_a_picture_without_shapes_has_no_lines(shape):
    _, strokes = drawn(np.full((*shape, 3), 90, np.uint8))
    assert len(strokes) == 0
