"""A user's own list of paints: what it may hold, and what is refused in one line."""

import os

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.instruction.mixing import own_paints, recipes


def written(folder, text: str | bytes):
    path = folder / "paints.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_list_names_pigments_in_three_ways_and_colours(tmp_path):
    text = "// my box\nTitanium white\npb29\n\nMy ochre = PY42\nOld pink = #d98a95\nphthalo_blue\n"
    paint_set = own_paints.load(written(tmp_path, text), "oil")
    assert [paint.name for paint in paint_set.paints] == [
        "Titanium white",
        "Ultramarine blue",
        "My ochre",
        "Old pink",
        "Phthalo blue (green shade)",
    ]
    assert [paint.is_estimated for paint in paint_set.paints] == [False, False, False, True, False]
    assert paint_set.white == 0
    [recipe] = recipes.recipes(np.array([[217, 138, 149]], np.uint8), paint_set)
    assert [portion.paint.name for portion in recipe.portions] == ["Old pink"]
    assert not recipe.is_estimated, "unmixed, its colour is known"


def test_a_mixture_with_an_estimated_paint_says_so(tmp_path):
    paint_set = own_paints.load(written(tmp_path, "PW6\nOld pink = #d98a95"), "acrylic")
    [recipe] = recipes.recipes(np.array([[235, 190, 196]], np.uint8), paint_set)
    assert recipe.is_estimated
    assert len(recipe.portions) == 2


def test_a_list_of_watercolours_takes_the_pigments_measured_on_paper(tmp_path):
    paint_set = own_paints.load(written(tmp_path, "Ultramarine\nPB27\nburnt_sienna"), "watercolor")
    assert paint_set.method == "wash"
    assert all(paint.pigment.startswith("wash_") for paint in paint_set.paints)


def test_a_list_of_pencils_is_not_mixed(tmp_path):
    text = "Rot = #cc2233\nBlau = #2244aa"
    paint_set = own_paints.load(written(tmp_path, text), "colored_pencil")
    [recipe] = recipes.recipes(np.array([[200, 30, 50]], np.uint8), paint_set)
    assert [portion.paint.name for portion in recipe.portions] == ["Rot"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no paint"),
        ("// nothing\n", "names no paint"),
        ("PW6\nPB999", "line 2: unknown pigment 'PB999': known are PB15:1"),
        ("=", "line 1: unknown pigment ''"),
        ("Rose = #12345", "line 1: #12345 is no colour"),
        ("Rose = #12345g", "line 1: #12345g is no colour"),
        ("#123456", "line 1: the colour #123456 needs a name"),
        ("PW6\nTitanium white", "names 'titanium white' twice"),
        (f"{'x' * 61} = PW6", "line 1: the name is longer than 60"),
        ("\n".join(f"p{i} = PW6" for i in range(19)), "more than 18 paints"),
        ('{"paints": ["PW6"]}', "line 1: unknown pigment"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        ("x" * 100_001, "more than 100,000 bytes"),
        ("PW6\x1b[31m\x07", "line 1: unknown pigment"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        own_paints.load(written(tmp_path, text), "oil")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)


def test_a_colour_is_no_watercolour(tmp_path):
    with pytest.raises(UserError, match="a watercolour needs a pigment"):
        own_paints.load(written(tmp_path, "Rose = #ff8899"), "watercolor")


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the list of paints .*none\.txt: No such"):
        own_paints.load(tmp_path / "none.txt", "oil")
    with pytest.raises(UserError, match="is not a file"):
        own_paints.load(tmp_path, "oil")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is not a file"):
        own_paints.load(tmp_path / "pipe", "oil")


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(UserError, match="more than 100,000 bytes"):
        own_paints.load(path, "oil")
