"""The side of the light is told from shading, and not guessed."""

import numpy as np
import pytest

from painting_jax.instruction import light
from painting_jax.instruction.places import EVERYWHERE, place


def spheres(towards) -> tuple[np.ndarray, np.ndarray]:
    """Two balls that are lit from one side, on grey."""
    y_HW, x_HW = np.mgrid[:120, :200].astype(float)
    picture_HW, labels_HW = np.full((120, 200), 128.0), np.ones((120, 200), np.uint8)
    for label, (cy, cx) in enumerate([(60, 55), (60, 145)], 2):
        inside_HW = np.hypot(y_HW - cy, x_HW - cx) < 40
        shade_HW = ((x_HW - cx) * towards[0] + (y_HW - cy) * towards[1]) / 40
        picture_HW = np.where(inside_HW, 128 + 90 * shade_HW, picture_HW)
        labels_HW[inside_HW] = label
    return np.stack([picture_HW.clip(0, 255).astype(np.uint8)] * 3, -1), labels_HW


@pytest.mark.parametrize(
    ("towards", "name"),
    [
        ((1, 0), "right"),
        ((-0.7, -0.7), "upper left"),
        ((0, -1), "above"),
        ((0.7, 0.7), "lower right"),
    ],
)
def test_balls_tell_where_the_light_is(towards, name):
    assert light.direction(*spheres(towards)) == name


def test_flat_pictures_tell_nothing():
    picture_HWC, labels_HW = spheres((0, 0))
    assert light.direction(picture_HWC, labels_HW) is None


@pytest.mark.parametrize(
    ("rows", "columns", "name"),
    [
        (slice(0, 20), slice(0, 20), "top left"),
        (slice(40, 60), slice(45, 65), "centre"),
        (slice(80, 99), slice(0, 100), "bottom band"),
        (slice(0, 100), slice(85, 100), "right band"),
        (slice(0, 100), slice(0, 100), EVERYWHERE),
    ],
)
def test_places_are_named(rows, columns, name):
    where_HW = np.zeros((100, 100), bool)
    where_HW[rows, columns] = True
    assert place(where_HW) == name
