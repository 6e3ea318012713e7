"""Shifts of colours at the end of a process."""

import pathlib

import numpy as np
import pytest

from painting_jax.data import painter
from painting_jax.data.subjects import Subject
from painting_jax.generation import colours
from painting_jax.generation.job import Job, Painted
from tests.synthetic import scene

PICTURE = scene(0, 64, 64)


def painted(frames_THWC: np.ndarray, medium: str = "digital") -> Painted:
    subject = Subject("picture", "made up", lambda: (PICTURE, None))
    return Painted(Job(subject, medium, pathlib.Path()), frames_THWC, {})


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A process that ends in the picture itself."""
    made = painter.paint(PICTURE, "digital", frames=5, seed=0).frames_THWC.copy()
    made[-2] = made[-1] = PICTURE
    return made


def test_a_process_that_ends_in_its_picture_has_no_shift(frames):
    assert colours.shifts(painted(frames)) == {"last_step": 0.0, "to_the_picture": 0.0}
    np.testing.assert_array_equal(colours.matched(painted(frames)), frames)


def test_a_jump_in_the_last_step_is_as_large_as_it_is(frames):
    jumped = frames.copy()
    jumped[-1] = np.clip(frames[-1].astype(int) + np.array([6, -6, 6]), 0, 255)
    found = colours.shifts(painted(jumped))
    assert found["last_step"] == pytest.approx(6, abs=0.5)
    assert found["to_the_picture"] == pytest.approx(6, abs=0.5)


def test_strokes_are_no_shift(frames):
    noise = np.random.default_rng(0).integers(-20, 21, frames[-1].shape)
    rough = frames.copy()
    rough[-1] = np.clip(frames[-1].astype(int) + noise, 0, 255)
    assert colours.shifts(painted(rough))["last_step"] < 3


def test_the_pictures_colours_are_carried_through_the_process(frames):
    tinted = (frames * np.array([0.8, 0.9, 0.7]) + [20, 5, 30]).astype(np.uint8)
    given = painted(tinted)
    result = colours.matched(given)
    assert np.abs(result[-1].astype(int) - PICTURE).mean() < 1.5
    before = np.abs(tinted.astype(int) - frames).mean((1, 2, 3))
    after = np.abs(result.astype(int) - frames).mean((1, 2, 3))
    assert (after < 0.2 * before).all()


def test_a_drawing_in_one_pigment_is_matched_without_colours():
    grey = np.full((3, 64, 64, 3), 120, np.uint8)
    grey[-1] = (PICTURE.mean(-1, keepdims=True) / 2 + 60).astype(np.uint8)
    result = colours.matched(painted(grey, "pencil"))
    assert np.ptp(result.astype(int), axis=-1).max() <= 1
