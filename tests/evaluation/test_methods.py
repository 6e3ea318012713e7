"""What `--generated` says."""

import pytest

from painting_jax.errors import UserError
from painting_jax.evaluation.measures import CROSS_FADE
from painting_jax.evaluation.methods import Method, parse_methods


def test_one_folder_is_the_generated_one():
    assert parse_methods(["out/videos"]) == [Method("generated", "out/videos")]
    assert parse_methods(["ours:out/videos"]) == [Method("ours", "out/videos")]


@pytest.mark.parametrize("values", [["a:one,b:two"], ["a:one", "b:two"]])
def test_several_methods_are_named_at_once_or_one_by_one(values):
    assert parse_methods(values) == [Method("a", "one"), Method("b", "two")]


def test_several_folders_without_names_go_by_their_own():
    assert parse_methods(["out/ours/,out/theirs"]) == [
        Method("ours", "out/ours/"),
        Method("theirs", "out/theirs"),
    ]


def test_commas_and_colons_of_paths_can_be_said(tmp_path):
    odd = tmp_path / "a,b:c"
    odd.mkdir()
    # A folder that is there needs no backslash where it stands alone, or behind its name.
    assert parse_methods([str(odd)]) == [Method("generated", str(odd))]
    assert parse_methods([f"x:{tmp_path}/a\\,b\\:c,y:two"]) == [
        Method("x", str(odd)),
        Method("y", "two"),
    ]
    assert parse_methods(["x:to\\,day"]) == [Method("x", "to,day")]
    assert parse_methods(["a\\:b\\,c:day"]) == [Method("a:b,c", "day")]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a:one,a:two"], "names 'a' twice"),
        (["x/one,y/one"], "names 'one' twice"),
        (["recorded:one"], "'recorded' is the name"),
        ([f"{CROSS_FADE}:one"], "is the name"),
        ([":one"], "write a folder"),
        (["a:"], "write a folder"),
        (["a:one,"], "write a folder"),
        ([""], "write a folder"),
    ],
)
def test_what_cannot_be_understood_is_refused(values, said):
    with pytest.raises(UserError, match=said):
        parse_methods(values)
