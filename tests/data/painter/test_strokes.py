"""A stroke covers the canvas as a brush does."""

import numpy as np
import pytest

from painting_jax.data.painter.strokes import Strokes, stamp


def one_stroke(dry=0.0):
    """A stroke of 160 x 40 pixels from the left to the right, on a canvas of 100 x 200."""
    column = {"y_N": 50, "x_N": 100, "angle_N": 0, "bend_N": 0, "length_N": 160, "width_N": 40}
    strokes = Strokes(
        **{name: np.array([value], float) for name, value in column.items()},
        colour_NC=np.zeros((1, 3), np.float32),
        label_N=np.ones(1, np.uint8),
        time_N=np.zeros(1),
    )
    labels = np.ones((100, 200), np.uint8)
    return stamp(strokes, labels, scale=1, blunt=6, clip=False, dry=dry)


def test_a_loaded_brush_leaves_no_gaps():
    assert one_stroke().touched_HW[40:60, 40:160].all()


def test_a_brush_runs_out_of_paint_towards_the_end_of_its_stroke():
    touched = one_stroke(dry=0.4).touched_HW[35:65]
    beginning, end = touched[:, 40:60].mean(), touched[:, 150:165].mean()
    assert beginning > 0.95
    assert 0.4 < end < 0.85


@pytest.mark.parametrize("dry", [0, 0.4])
def test_ends_of_bristles_are_ragged_only_where_the_brush_is_dry(dry):
    touched = one_stroke(dry).touched_HW[38:62]
    reach = touched.shape[1] - touched[:, ::-1].argmax(1)
    assert (reach.std() > 2) == bool(dry)
