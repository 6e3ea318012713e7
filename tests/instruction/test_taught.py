"""Steps with hardly anything to do are no steps of their own."""

import itertools

import numpy as np
from skimage import data

from painting_jax.data import painter, pictures
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.steps import FEWEST, cut
from painting_jax.instruction.taught import taught


def test_a_pause_is_no_step():
    """A process in which nothing happens for a fifth of its time, in the middle."""
    painting = painter.paint(pictures.shrunk(data.chelsea(), 128), "oil", frames=33, seed=0)
    frames_THWC = np.insert(painting.frames_THWC, [16] * 8, painting.frames_THWC[16], axis=0)
    progress_T = np.linspace(0, 1, len(frames_THWC))
    assert len(cut(Changes.of(frames_THWC))) > FEWEST
    found = taught(frames_THWC, progress_T)
    assert all(made.area > 0.003 for _, made in found)
    steps = [step for step, _ in found]
    assert (steps[0].first, steps[-1].last) == (0, len(frames_THWC) - 1)
    assert all(one.last == other.first for one, other in itertools.pairwise(steps))


def test_five_steps_are_left_of_what_hardly_changes():
    still_THWC = np.full((9, 40, 60, 3), 200, np.uint8)
    assert len(taught(still_THWC, np.linspace(0, 1, 9))) == FEWEST
