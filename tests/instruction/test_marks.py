"""What a step does is told by what changes in it."""

import numpy as np
import pytest
from skimage import data

from painting_jax.data import painter, pictures
from painting_jax.instruction import marks
from painting_jax.instruction.steps import Step

PAPER, INK = (240, 238, 230), (60, 60, 70)


def process(*paintings) -> tuple[np.ndarray, np.ndarray]:
    frames_THWC = np.stack([np.full((120, 160, 3), PAPER, np.uint8), *paintings])
    return frames_THWC, np.linspace(0, 1, len(frames_THWC))


def lines(frame_HWC, width, colour):
    frame_HWC = frame_HWC.copy()
    for y in range(10, 110, 25):
        frame_HWC[y : y + width, 10:150] = colour
    return frame_HWC


def finished() -> np.ndarray:
    return pictures.resize(data.chelsea(), 120, 160)


def test_thin_dark_lines_at_the_beginning_are_a_drawing():
    blank_HWC = np.full((120, 160, 3), PAPER, np.uint8)
    drawn_HWC = lines(blank_HWC, 1, INK)
    frames_THWC, progress_T = process(drawn_HWC, finished(), finished())
    made = marks.of_step(frames_THWC, Step(0, 1), progress_T)
    assert made.kind == marks.DRAWING
    assert made.lighter == -1
    np.testing.assert_allclose(made.area, 4 / 120 * 140 / 160, rtol=0.1)


def test_kinds_follow_each_other_as_the_stages_of_oil_do():
    photo_HWC = pictures.shrunk(data.chelsea(), 192)
    manner = painter.Manner("white", "broad", "from the left", "alla prima")
    painting = painter.paint(photo_HWC, "oil", frames=101, seed=0, manner=manner)
    stages = [Step(0, 6), Step(21, 45), Step(67, 88), Step(88, 100)]
    kinds = [marks.of_step(painting.frames_THWC, step, painting.progress_T).kind for step in stages]
    assert kinds == [marks.DRAWING, marks.MASSES, marks.FORMS, marks.DETAILS]


@pytest.mark.parametrize("width", [3, 6, 12])
def test_the_width_of_marks_is_measured(width):
    blank_HWC = np.full((120, 160, 3), PAPER, np.uint8)
    frames_THWC, progress_T = process(lines(blank_HWC, width, INK))
    made = marks.of_step(frames_THWC, Step(0, 1), progress_T)
    side = np.sqrt(120 * 160)
    assert width / 1.6 < made.width * side < 1.6 * width


def test_what_is_hard_and_what_is_soft_is_told():
    x_W = np.arange(160)
    hard_W, soft_W = (x_W > 80).astype(float), np.clip((x_W - 40) / 80, 0, 1)
    soft = []
    for edge_W in (hard_W, soft_W):
        change_HW1 = np.broadcast_to(edge_W, (120, 160))[..., None]
        painted_HWC = (np.array(PAPER) + change_HW1 * (np.array(INK) - PAPER)).astype(np.uint8)
        frames_THWC, progress_T = process(painted_HWC)
        soft.append(marks.of_step(frames_THWC, Step(0, 1), progress_T).soft)
    assert soft[0] < 0.1
    assert soft[1] > 0.9


def test_a_step_that_changes_nothing_is_small():
    frames_THWC, progress_T = process(finished(), finished())
    made = marks.of_step(frames_THWC, Step(1, 2), progress_T)
    assert (made.area, made.width, made.kind) == (0, 0, marks.DETAILS)


@pytest.mark.parametrize(("width", "kind"), [(60, marks.PART), (160, marks.FORMS)])
def test_only_a_part_of_the_picture_is_called_one(width, kind):
    part_HWC = np.full((120, 160, 3), PAPER, np.uint8)
    part_HWC[:, :width] = finished()[:, :width]
    frames_THWC, progress_T = process(part_HWC, finished())
    assert marks.of_step(frames_THWC, Step(0, 1), progress_T).kind == kind
