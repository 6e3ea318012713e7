"""Steps are cut where the stages of a painting end; the stroke painter's stages are known."""

import dataclasses
import itertools

import numpy as np
import pytest
from skimage import data

from painting_jax import media
from painting_jax.data import painter, pictures
from painting_jax.data.painter.manner import ALLA_PRIMA, Manner
from painting_jax.instruction import steps
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.steps import FEWEST, MOST, Step, cut


def painted(medium, photo_HWC, frames):
    manner = dataclasses.replace(Manner.default(medium), order=ALLA_PRIMA)
    photo_HWC = pictures.shrunk(photo_HWC, 128)
    return painter.paint(photo_HWC, medium, frames=frames, seed=1, manner=manner).frames_THWC


def test_steps_end_where_stages_end():
    found = []
    for medium, entry in media.MEDIA.items():
        found_steps = cut(Changes.of(painted(medium, data.chelsea(), 65)))
        ends = np.array([step.last for step in found_steps[:-1]]) / 64
        found += [np.abs(ends - stage.until).min() <= 0.03 for stage in entry.stages[:-1]]
    assert len(found) >= 40
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("frames", [6, 17, 49, 200])
def test_steps_cover_the_process(frames):
    found = cut(Changes.of(painted("watercolor", data.coffee(), frames)))
    assert FEWEST <= len(found) <= MOST
    assert (found[0].first, found[-1].last) == (0, frames - 1)
    for one, other in itertools.pairwise(found):
        assert one.first < one.last == other.first


def test_what_never_changes_has_steps_too():
    still_THWC = np.full((9, 40, 60, 3), 200, np.uint8)
    assert len(cut(Changes.of(still_THWC))) == FEWEST
    assert cut(Changes.of(still_THWC[:2])) == [Step(0, 1)]


def test_the_cheapest_cuts_are_found():
    """Beside all others, tried one by one."""
    changes = Changes.of(painted("oil", data.chelsea(), 10))
    cost_MM = steps._costs(changes)
    ways = [(0, *inner, 9) for k in range(4, 9) for inner in itertools.combinations(range(1, 9), k)]
    price = {
        way: sum(cost_MM[a, b] for a, b in itertools.pairwise(way)) + steps._EACH * (len(way) - 1)
        for way in ways
    }
    best = min(price, key=price.get)
    assert [step.last for step in cut(changes)] == list(best[1:])
