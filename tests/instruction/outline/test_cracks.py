import itertools

import numpy as np

from painting_jax.instruction.outline import cracks, joining
from tests.instruction.outline import scenes


def _steps(xy_P2: np.ndarray) -> list[tuple]:
    corners = [tuple(corner) for corner in xy_P2.tolist()]
    return [tuple(sorted(pair)) for pair in itertools.pairwise(corners)]


def test_every_crack_between_two_regions_is_on_one_arc_once():
    islands_HW = np.random.default_rng(0).integers(0, 3, (23, 31))
    steps = [step for arc in cracks.arcs(islands_HW) for step in _steps(arc.xy_P2)]
    apart = (islands_HW[1:] != islands_HW[:-1]).sum() + (
        islands_HW[:, 1:] != islands_HW[:, :-1]
    ).sum()
    assert len(steps) == len(set(steps)) == apart
    for (x, y), (to_x, to_y) in steps:
        if y == to_y:
            sides = islands_HW[int(y) - 1, int(x)], islands_HW[int(y), int(x)]
        else:
            sides = islands_HW[int(y), int(x) - 1], islands_HW[int(y), int(x)]
        assert abs(to_x - x) + abs(to_y - y) == 1
        assert sides[0] != sides[1]


def test_three_regions_have_three_arcs_that_meet_in_one_junction():
    arcs = cracks.arcs(scenes.thirds(30, 40))
    ends = [end for arc in arcs for end in arc.ends]
    assert len(arcs) == 3
    assert ends.count(15 * 41 + 20) == 3


def test_a_region_inside_another_has_one_closed_arc():
    (arc,) = cracks.arcs(scenes.disc(40))
    assert arc.ends == (-1, -1)
    assert (arc.xy_P2[0] == arc.xy_P2[-1]).all()


def test_one_region_has_no_arcs():
    assert cracks.arcs(np.zeros((5, 6), int)) == []


def test_arcs_that_go_on_straight_are_one_stroke_on_which_the_third_ends():
    arcs = cracks.arcs(scenes.thirds(60, 80))
    through, third = sorted(joining.strokes(arcs, 3), key=lambda stroke: -len(stroke.xy_P2))
    assert len(through.stops) == 1
    meeting_2 = through.xy_P2[through.stops[0]]
    assert min(np.abs(third.xy_P2[[0, -1]] - meeting_2).max(1)) == 0
    # All cracks are still there: 80 across, 30 down.
    assert (len(through.xy_P2) - 1, len(third.xy_P2) - 1) == (80, 30)


def test_strokes_run_along_as_many_cracks_as_there_are():
    islands_HW = np.random.default_rng(1).integers(0, 4, (20, 20))
    arcs = cracks.arcs(islands_HW)
    strokes = joining.strokes(arcs, 2)
    assert len(strokes) < len(arcs)
    assert sum(len(stroke.xy_P2) - 1 for stroke in strokes) == sum(
        len(arc.xy_P2) - 1 for arc in arcs
    )
