"""Regions are ordered in depth, and those further back continue under nearer ones."""

import numpy as np
import pytest

from painting_jax.data.depth import behind
from painting_jax.data.segmentation import segment

BLUE, RED, GREEN = (90, 140, 200), (200, 60, 40), (60, 120, 50)


def disc_in_front_of_a_plain(side=96):
    """A red disc on blue, and its labels: 2 in the disc."""
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(y - 0.54 * side, x - 0.5 * side) < 0.2 * side
    picture = np.full((side, side, 3), BLUE, np.uint8)
    picture[disc] = RED
    return picture, disc.astype(np.uint8) + 1


def tree_over_a_horizon():
    """A tree (3) in front of a sky (1) with a gradient and of a meadow (2)."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:36] = np.linspace((90, 130, 220), (200, 215, 240), 36)[:, None]
    picture[36:] = GREEN
    labels = np.ones((64, 64), np.uint8)
    labels[36:] = 2
    labels[10:50, 26:38] = 3
    picture[labels == 3] = (50, 35, 20)
    return picture, labels


@pytest.mark.parametrize("side", [64, 96, 512])
def test_a_plain_continues_under_the_disc_in_front_of_it(side):
    picture, labels = disc_in_front_of_a_plain(side)
    hidden = behind(picture, labels)
    assert np.array_equal(hidden.labels_HW, labels == 2)
    assert np.abs(hidden.picture_HWC.astype(int) - BLUE).max() <= 3


def test_a_gradient_and_a_horizon_continue_under_a_tree():
    picture, labels = tree_over_a_horizon()
    hidden = behind(picture, labels)
    tree = labels == 3
    assert (hidden.labels_HW[:34][tree[:34]] == 1).all()
    assert (hidden.labels_HW[38:][tree[38:]] == 2).all()
    beside = picture[:, 20].astype(int)
    error = np.abs(hidden.picture_HWC[:, 32] - beside).max(-1)
    assert error[12:32].max() < 12
    assert error[40:50].max() < 12


def test_what_lies_behind_has_a_smaller_label_and_elsewhere_the_picture_stays():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 7, (8, 9), dtype=np.uint8).repeat(9, 0).repeat(7, 1)
    picture = rng.integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    hidden = behind(picture, labels)
    assert hidden.labels_HW.dtype == hidden.picture_HWC.dtype == np.uint8
    assert (hidden.labels_HW < labels).all()
    nothing = hidden.labels_HW == 0
    assert np.array_equal(hidden.picture_HWC[nothing], picture[nothing])


def test_mountains_do_not_continue_under_the_whole_meadow_before_them():
    picture, labels = np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), np.uint8)
    labels[24:] = 2
    hidden = behind(picture, labels).labels_HW
    assert (hidden[24] == 1).all()
    assert not hidden[34:].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (300, 7)])
def test_one_region_has_nothing_behind_it(shape):
    picture = np.full((*shape, 3), 7, np.uint8)
    hidden = behind(picture, np.ones(shape, np.uint8))
    assert not hidden.labels_HW.any()
    assert np.array_equal(hidden.picture_HWC, picture)


def test_same_arguments_give_same_bits_and_stay_as_they_are():
    picture, labels = tree_over_a_horizon()
    copies = picture.copy(), labels.copy()
    first, second = behind(picture, labels), behind(picture, labels)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(picture, copies[0])
    assert np.array_equal(labels, copies[1])


@pytest.mark.parametrize("side", [64, 256])
def test_the_convex_figure_lies_in_front_of_what_surrounds_it(side):
    picture, labels = disc_in_front_of_a_plain(side)
    assert ((segment(picture) == 2) == (labels == 2)).mean() > 0.99


def test_sky_lies_behind_hills_and_hills_behind_the_ground():
    y, x = np.mgrid[:96, :96]
    picture = np.full((96, 96, 3), (150, 190, 240), np.uint8)
    picture[y > 40 + 10 * np.sin(x / 10)] = (90, 120, 90)
    picture[y > 70] = (120, 90, 40)
    labels = segment(picture)
    assert labels[5, 48] < labels[60, 48] < labels[90, 48]
