"""A hand with its tool in a single picture, drawn with its truth."""

import cv2
import numpy as np
import pytest

from painting_jax.data import pictures, processes, remarks
from painting_jax.data.curation import step_hands
from painting_jax.data.curation.options import Cleaning
from painting_jax.data.curation.still_hand import hand_with_tool
from tests.data.curation import hands

BLUE, GOLD, GREEN, RED = (30, 60, 140), (200, 160, 40), (30, 110, 60), (120, 30, 35)
CREAM, BLACK, SILVER, BROWN = (235, 225, 200), (30, 30, 30), (190, 190, 195), (120, 80, 50)


@pytest.mark.parametrize(
    ("angle", "handle", "tip", "thickness"),
    [
        (75, BLUE, CREAM, 9),
        (100, GOLD, BLACK, 12),
        (120, RED, SILVER, 7),
        (140, GREEN, BROWN, 9),
        (165, BLUE, CREAM, 12),
        (190, RED, SILVER, 9),
    ],
)
def test_a_hand_and_its_tool_are_found_and_strokes_are_not(angle, handle, tip, thickness):
    skin = hands.SKINS[angle % len(hands.SKINS)]
    picture, hand, tool = hands.with_hand(
        hands.paper(angle), angle=angle, skin=skin, handle=handle, tip=tip, thickness=thickness
    )
    found = hand_with_tool(picture)
    assert found.dtype == bool
    assert (found & hand).sum() > 0.97 * hand.sum()
    assert (found & tool).sum() > 0.95 * tool.sum()
    near = cv2.dilate((hand | tool).astype(np.uint8), np.ones((15, 15))) > 0
    assert (found & ~near).mean() < 0.005


def test_a_large_picture_is_masked_at_its_own_size():
    picture, hand, tool = hands.with_hand(
        hands.paper(), angle=100, skin=hands.SKINS[0], handle=BLUE, tip=BLACK
    )
    large = cv2.resize(picture, (3 * hands.WIDTH, 3 * hands.HEIGHT), None, 0, 0, cv2.INTER_CUBIC)
    found = hand_with_tool(large)
    assert found.shape == large.shape[:2]
    assert found[1::3, 1::3][hand | tool].mean() > 0.97


def test_paper_without_a_hand_is_left_alone():
    assert not hand_with_tool(hands.paper(3, strokes=20)).any()


def portrait() -> np.ndarray:
    """A painted head on a dark ground, in colours of skin."""
    picture = np.full((300, 240, 3), (60, 70, 90), np.uint8)
    cv2.ellipse(picture, (120, 130), (62, 82), 0, 0, 360, hands.SKINS[0], -1, cv2.LINE_AA)
    cv2.ellipse(picture, (120, 225), (30, 40), 0, 0, 360, hands.SKINS[2], -1, cv2.LINE_AA)
    cv2.rectangle(picture, (20, 240), (220, 300), (40, 90, 60), -1)
    for x in (97, 143):
        cv2.ellipse(picture, (x, 115), (12, 7), 0, 0, 360, (40, 40, 60), -1, cv2.LINE_AA)
    return picture


def test_a_painted_portrait_is_no_hand():
    assert not hand_with_tool(portrait()).any()


def steps() -> np.ndarray:
    """Four states of a sheet, uint8[4, H, W, 3]."""
    last = hands.paper(1, strokes=12)
    states = [hands.paper(1, strokes=count) for count in (0, 4, 8)]
    return np.stack([*states, last])


def test_a_hand_in_one_picture_of_a_process_is_taken_away(tmp_path):
    clean = steps()
    shown = clean.copy()
    shown[1], hand, tool = hands.with_hand(
        clean[1], angle=120, skin=hands.SKINS[0], handle=GOLD, tip=BLACK
    )
    found = step_hands.in_steps(shown)
    assert found[1][hand | tool].mean() > 0.95
    assert not found[[0, 2, 3]].any()
    for i, frame in enumerate(shown):
        (tmp_path / f"{i}.png").write_bytes(pictures.encode(frame, "png"))
    [file], _ = processes.find([tmp_path], medium="pencil")
    with remarks.collected() as notes:
        record = processes.to_record(file, max_frames=9, max_side=1280, cleaning=Cleaning())
    assert any("hands hid the canvas in 1 of 4 pictures" in note for note in notes)
    # The sheet of a picture before or after it is seen there.
    apart = np.abs(pictures.decode(record.frames[1]).astype(int) - clean[1])
    assert np.median(apart[hand]) < 8
    plain = processes.to_record(file, max_frames=9, max_side=1280)
    assert np.median(np.abs(pictures.decode(plain.frames[1]).astype(int) - clean[1])[hand]) > 30


def test_a_painted_figure_that_stays_is_no_hand():
    shown = steps()
    for t in (1, 2, 3):
        shown[t] = hands.with_hand(
            shown[t], angle=120, skin=hands.SKINS[0], handle=GOLD, tip=BLACK, seed=t
        )[0]
    assert hand_with_tool(shown[1]).any()
    assert not step_hands.in_steps(shown).any()


def test_pictures_that_differ_everywhere_tell_nothing():
    shown = steps()
    shown[1] = hands.with_hand(shown[1], angle=120, skin=hands.SKINS[0], handle=GOLD, tip=BLACK)[0]
    shown[[0, 2]] = 255 - shown[[0, 2]]
    assert not step_hands.in_steps(shown).any()
