import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.instruction.outline import outlines, sheets
from painting_jax.instruction.outline.drawing import Layer
from tests.instruction.outline import scenes

_NUMBERS = {7: "12", 3: "4", 5: "23"}


def _layer(sheet, name: str) -> Layer:
    (layer,) = (layer for layer in sheet.layers if layer.name == name)
    return layer


def test_the_numbers_are_those_given_and_stand_in_their_regions():
    labels_HW = scenes.thirds()
    layout = sheets.laid_out(outlines.of(labels_HW), numbers=_NUMBERS)
    texts = _layer(layout.sheets[0], "numbers").texts
    assert sorted(text.text for text in texts) == ["12", "23", "4"]
    x, y = layout.tiling.corner()
    for text in texts:
        column, row = (text.x - x) / layout.scale, (text.y - text.size / 3 - y) / layout.scale
        assert _NUMBERS[labels_HW[int(row), int(column)]] == text.text
        assert text.size == sheets.NUMBER_SIZE
    assert layout.left_out == ()


def test_a_region_without_a_number_has_none():
    layout = sheets.laid_out(scenes.outline_of_thirds(), numbers={3: "own"})
    assert [text.text for text in _layer(layout.sheets[0], "numbers").texts] == ["own"]


def test_a_small_region_has_its_number_beside_it_on_a_line():
    labels_HW = scenes.spots()
    outline = outlines.of(labels_HW, None, "fine")
    layout = sheets.laid_out(outline, "A5", numbers={1: "1", 2: "2", 3: "3"})
    (leader,) = _layer(layout.sheets[0], "leaders").paths
    x, y = layout.tiling.corner()
    column, row = (leader.xy_P2[0] - (x, y)) / layout.scale
    assert labels_HW[int(row), int(column)] == 2
    (text,) = (text for text in _layer(layout.sheets[0], "numbers").texts if text.text == "2")
    assert text.size == 1.8
    column, row = (text.x - x) / layout.scale, (text.y - y) / layout.scale
    assert labels_HW[int(row), int(column)] == 1
    assert np.hypot(text.x - leader.xy_P2[1, 0], text.y - leader.xy_P2[1, 1]) < 2


def test_numbers_without_room_are_counted():
    y_HW, x_HW = np.mgrid[:400, :400]
    crowd_HW = (x_HW // 20 + y_HW // 20) % 2
    outline = outlines.of(crowd_HW, None, "fine")
    layout = sheets.laid_out(outline, "A5", numbers={0: "1234567", 1: "7654321"})
    assert len(layout.left_out) > 0
    shown = sum(len(layer.texts) for layer in layout.sheets[0].layers if layer.name == "numbers")
    assert shown + len(layout.left_out) == len(outline.regions)


def test_numbers_do_not_lie_on_each_other():
    outline = outlines.of(scenes.spots(), None, "fine")
    layout = sheets.laid_out(outline, "A5", numbers={1: "10", 2: "20", 3: "30"})
    texts = _layer(layout.sheets[0], "numbers").texts
    for index, text in enumerate(texts):
        for other in texts[index + 1 :]:
            assert np.hypot(text.x - other.x, text.y - other.y) > (text.size + other.size) / 2


def test_neighbouring_sheets_draw_what_they_share_at_the_same_real_place():
    outline = scenes.outline_of_thirds()
    layout = sheets.laid_out(outline, width_mm=400, grid=5)
    tiling = layout.tiling
    assert tiling.count > 1
    assert [sheet.name for sheet in layout.sheets][:2] == ["A1", "B1"]
    for name in ("borders", "crosses", "grid"):
        places = []
        for column in range(2):
            left, top, _, _ = tiling.window(column, 0)
            away_2 = np.array([left - tiling.corner()[0], top - tiling.corner()[1]])
            places.append(
                {
                    tuple(np.round(path.xy_P2 + away_2, 6).ravel().tolist())
                    for path in _layer(layout.sheets[column], name).paths
                }
            )
        # The horizon is on both sheets, and so are the crosses between them.
        assert places[0] & places[1], name


def test_crosses_lie_in_what_two_sheets_share():
    layout = sheets.laid_out(scenes.outline_of_thirds(), width_mm=400)
    window = layout.tiling.window(1, 0)
    middle = window[0] + 5 - layout.tiling.window(0, 0)[0] + layout.tiling.corner()[0]
    paths = _layer(layout.sheets[0], "crosses").paths
    upright = [path.xy_P2 for path in paths if np.ptp(path.xy_P2[:, 0]) == 0]
    assert any(xy_P2[0, 0] == pytest.approx(middle) for xy_P2 in upright)
    cuts = [path.xy_P2 for path in _layer(layout.sheets[0], "cuts").paths]
    assert any((xy_P2[:, 0] == middle).all() for xy_P2 in cuts)


def test_a_sheet_says_which_it_is_and_has_a_rule_of_50_mm():
    layout = sheets.laid_out(scenes.outline_of_thirds(), width_mm=400, title="Sky & ground")
    foot = _layer(layout.sheets[-1], "foot")
    assert any("Sky & ground; B2: row 2 of 2, column 2 of 2" in text.text for text in foot.texts)
    assert np.ptp(foot.paths[0].xy_P2[:, 0]) == pytest.approx(50)


def test_a_long_title_is_cut_visibly_before_the_rule():
    layout = sheets.laid_out(scenes.outline_of_thirds(), title="long " * 100)
    texts = [text.text for text in _layer(layout.sheets[0], "foot").texts]
    assert "…; 277 x " in texts[0] or "…; 253 x " in texts[0]
    assert len(texts[0]) < 120


def test_grid_cells_are_square_and_named_from_the_upper_left():
    layout = sheets.laid_out(scenes.outline_of_thirds(), width_mm=200, grid=4)
    (sheet,) = layout.sheets
    starts = sorted({path.xy_P2[0, 0] for path in _layer(sheet, "grid").paths})
    x, y = layout.tiling.corner()
    assert starts == pytest.approx([x, x + 50, x + 100, x + 150])
    names = _layer(sheet, "cells").texts
    assert [text.text for text in names] == ["A", "B", "C", "D", "1", "2", "3"]
    assert names[0].x == pytest.approx(x + 25)
    assert names[0].y < y


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"grid": 1}, "grid of 1"),
        ({"grid": 41}, "grid of 41"),
        ({"pen": 0.0}, "pen of 0.0"),
        ({"pen": float("nan")}, "pen of nan"),
        ({"number_size": 1.0}, "numbers of 1.0"),
        ({"numbers": {3: ""}}, "the number ''"),
        ({"numbers": {3: "x" * 13}}, "1 to 12 letters"),
        ({"paper": "A9"}, "paper is one of"),
    ],
)
def test_values_out_of_range_are_mistakes(values, match):
    with pytest.raises(UserError, match=match):
        sheets.laid_out(scenes.outline_of_thirds(), **values)
