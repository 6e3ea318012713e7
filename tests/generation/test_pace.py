"""The progress that a model is told."""

import itertools

import numpy as np
import pytest

from configs import demo, small
from painting_jax.config import read_config
from painting_jax.generation import pace
from painting_jax.training.released import PACKAGED


def test_an_even_pace_tells_the_share_of_the_time():
    time_T = np.linspace(0, 1, 17)
    np.testing.assert_allclose(pace.told(demo.get_config().sampling.pace, time_T), time_T)


@pytest.mark.parametrize(
    ("time", "progress"), [(0, 0), (0.125, 0.05), (0.25, 0.1), (0.6, 0.32), (0.75, 0.5), (1, 1)]
)
def test_progress_is_linear_between_even_shares_of_the_time(time, progress):
    assert pace.told((0.1, 0.2, 0.5), np.array([time])) == pytest.approx(progress)


def test_a_model_that_is_ahead_is_slowed_to_the_painter():
    time_T = np.linspace(0, 1, 201)
    # The painter is where the model is at the square of the time.
    painter_NT = np.array([1 - time_T**2, 0.5 - 0.3 * time_T**2])
    even_NT = np.array([1 - time_T, 0.5 - 0.3 * time_T])
    assert pace.nearest(painter_NT, even_NT) == pytest.approx((1 / 16, 1 / 4, 9 / 16), abs=0.01)
    assert pace.nearest(even_NT, even_NT) == (0.25, 0.5, 0.75)


def test_the_pace_rises_where_profiles_do_not_tell():
    flat_NT = np.ones((1, 9))
    found = (0, *pace.nearest(flat_NT, flat_NT), 1)
    assert all(before < after for before, after in itertools.pairwise(found))


def test_the_packaged_weights_paint_at_the_pace_of_their_experiment():
    assert read_config(PACKAGED).sampling.pace == small.get_config().sampling.pace
