"""Which pictures a report shows."""

import numpy as np

from painting_jax.evaluation.measures import GENERATED, MEASURES, RECORDED, MeasuredProcess
from painting_jax.evaluation.strips import choose


def _rows(between: float, medium: str = "") -> list[MeasuredProcess]:
    numbers = dict.fromkeys(MEASURES, float("nan"))
    curve_K = np.zeros(33)
    return [
        MeasuredProcess("p", GENERATED, medium, numbers | {"between": between}, curve_K, curve_K),
        MeasuredProcess("p", RECORDED, medium, numbers, curve_K, curve_K),
    ]


def test_few_pictures_are_shown_as_they_come():
    assert choose([_rows(0.1), _rows(0.3)], (GENERATED,)) == [(0, ""), (1, "")]


def test_of_many_pictures_the_worst_and_the_best_come_first():
    pictures = [_rows(value / 100) for value in (*range(10, 30), 5, 90, 80)]
    chosen = choose(pictures, (GENERATED,), shown=5)
    assert [index for index, _ in chosen] == [21, 20, 22, 0, 1]
    assert chosen[0][1] == "Worst of 23 by how far its frames are from the recorded ones."
    assert chosen[1][1] == "Best of 23 by how far its frames are from the recorded ones."
    assert chosen[3][1] == ""


def test_the_first_ones_go_round_the_media():
    pictures = [_rows(float("nan"), medium) for medium in ("oil", "oil", "oil", "ink")]
    assert [index for index, _ in choose(pictures, (GENERATED,), shown=3)] == [0, 3, 1]
