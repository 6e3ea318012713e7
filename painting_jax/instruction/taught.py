"""The steps of a process as a person is taught them, with what is done in each."""

import itertools

import numpy as np

from painting_jax.instruction import marks
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.marks import Marks
from painting_jax.instruction.steps import FEWEST, Step, cut

# Share of the canvas. A step that changes less is no step beside one of its kind, or not at all.
_LITTLE, _NOTHING = 0.03, 0.003


def taught(frames_THWC: np.ndarray, progress_T: np.ndarray) -> list[tuple[Step, Marks]]:
    """Cuts a process into steps, and joins those in which there is hardly anything to do.

    Args:
      frames_THWC: uint8 RGB frames of the process.
      progress_T: Progress of each frame, from 0 to 1.
    """
    found = [
        (step, marks.of_step(frames_THWC, step, progress_T))
        for step in cut(Changes.of(frames_THWC))
    ]
    while len(found) > FEWEST:
        pairs = itertools.pairwise(found)
        little = [
            at
            for at, ((_, one), (_, other)) in enumerate(pairs)
            if min(one.area, other.area) < (_LITTLE if one.kind == other.kind else _NOTHING)
        ]
        if not little:
            break
        at = min(little, key=lambda at: min(made.area for _, made in found[at : at + 2]))
        joined = Step(found[at][0].first, found[at + 1][0].last)
        found[at : at + 2] = [(joined, marks.of_step(frames_THWC, joined, progress_T))]
    return found
