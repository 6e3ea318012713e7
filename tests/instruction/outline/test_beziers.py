import numpy as np
import pytest

from painting_jax.instruction.outline import beziers
from painting_jax.instruction.outline.joining import Stroke


def _wave(length: int = 300) -> np.ndarray:
    x_P = np.arange(length, dtype=float)
    return np.stack([x_P, 20 * np.sin(x_P / 25)], 1)


@pytest.mark.parametrize("tolerance", [0.3, 1.0, 3.0])
def test_curves_stay_within_the_tolerance_of_their_points(tolerance):
    xy_P2 = _wave()
    on_P2 = beziers.along(beziers.fitted(Stroke(xy_P2, (), False), tolerance), 0.1)
    far_P = np.hypot(*(xy_P2[:, None] - on_P2).transpose(2, 0, 1)).min(1)
    assert far_P.max() <= tolerance + 0.05


def test_a_larger_tolerance_takes_fewer_nodes():
    stroke = Stroke(_wave(), (), False)
    counts = [len(beziers.fitted(stroke, tolerance)) for tolerance in (0.1, 1.0, 5.0)]
    assert counts[0] > counts[1] > counts[2]


def test_curves_meet_without_a_corner():
    curves = beziers.fitted(Stroke(_wave(), (), False), 0.3)
    nodes = range(3, len(curves) - 1, 3)
    assert len(nodes) > 3
    for node in nodes:
        before_2, after_2 = curves[node] - curves[node - 1], curves[node + 1] - curves[node]
        cosine = before_2 @ after_2 / (np.hypot(*before_2) * np.hypot(*after_2))
        assert cosine > 0.999


def test_a_stop_is_a_node():
    stroke = Stroke(_wave(), (123,), False)
    curves = beziers.fitted(stroke, 5.0)
    assert (curves[::3] == stroke.xy_P2[123]).all(1).any()


def test_a_straight_line_is_one_curve():
    xy_P2 = np.stack([np.arange(100.0), 2 * np.arange(100.0)], 1)
    assert len(beziers.fitted(Stroke(xy_P2, (), False), 0.1)) == 4
