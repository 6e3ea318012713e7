import pytest

from painting_jax.errors import UserError
from painting_jax.instruction.outline import paper


def test_papers_have_their_sizes():
    assert paper.size("A4") == (210, 297)
    assert paper.size("a3") == (297, 420)
    assert paper.size("letter") == (215.9, 279.4)
    assert paper.size("400x300.5") == (300.5, 400)


@pytest.mark.parametrize("name", ["A17", "", "10x10", "300x9000", "1e3x200", "-200x300", "nanx300"])
def test_other_papers_are_refused(name):
    with pytest.raises(UserError, match=r"paper"):
        paper.size(name)


@pytest.mark.parametrize(
    ("aspect", "turned"), [(1.5, (297, 210)), (0.7, (210, 297)), (1.0, (210, 297))]
)
def test_one_sheet_is_turned_as_the_picture_is_and_filled(aspect, turned):
    tiling = paper.tiled(aspect, "A4")
    assert tiling.paper == turned
    assert tiling.count == 1
    width, height = tiling.painting
    assert width / height == pytest.approx(aspect)
    assert width == pytest.approx(turned[0] - 20) or height == pytest.approx(turned[1] - 20)
    x, y = tiling.corner()
    assert (2 * x + width, 2 * y + height) == pytest.approx(turned)
    assert min(x, y) >= 10 - 1e-9


def test_a_larger_painting_lies_on_as_few_sheets_as_possible_which_overlap_by_a_centimetre():
    tiling = paper.tiled(1.25, "A4", 500)
    assert tiling.painting == (500, 400)
    assert (tiling.columns, tiling.rows) == (2, 3)
    assert tiling.paper == (297, 210)
    windows = [[tiling.window(column, row) for column in range(2)] for row in range(3)]
    for row in windows:
        assert row[0][0] + row[0][2] - row[1][0] == pytest.approx(10)
        assert row[1][0] + row[1][2] == pytest.approx(500)
        assert max(part[2] for part in row) <= 277
    assert windows[0][0][1] + windows[0][0][3] - windows[1][0][1] == pytest.approx(10)
    assert windows[2][0][1] + windows[2][0][3] == pytest.approx(400)


def test_what_just_fits_takes_one_sheet():
    assert paper.tiled(0.5, "A4", 138.5).count == 1
    assert paper.tiled(0.5, "A4", 138.6).count == 2


@pytest.mark.parametrize("width", [3.0, 6000.0, float("nan"), float("inf"), -100.0, 4900.0])
def test_paintings_of_impossible_sizes_are_refused(width):
    with pytest.raises(UserError, match="painting of"):
        paper.tiled(1.0, "A5", width)


def test_columns_go_on_after_z():
    assert [paper.column_name(column) for column in (0, 1, 25, 26, 27, 52)] == [
        "A",
        "B",
        "Z",
        "AA",
        "AB",
        "BA",
    ]
