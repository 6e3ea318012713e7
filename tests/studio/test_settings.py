"""What a person asks for is checked before it waits."""

import pytest

from painting_jax.errors import UserError
from painting_jax.studio.settings import Settings, corners_of

_SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]


def test_shares_of_media_need_not_sum_to_one():
    said = {"medium": {"oil": 3, "pencil": 1, "ink": 0}}
    assert Settings.of(said).medium == "oil:0.75,pencil:0.25"
    assert Settings.of({"medium": {"oil": 0.2}}).medium == "oil"


def test_the_manner_is_said_in_the_words_that_models_learn():
    manner = {"ground": "warm", "scale": "broad", "direction": "from the left", "order": ""}
    settings = Settings.of({"medium": "oil", "prompt": "a cat.", "manner": manner})
    assert settings.whole_prompt == "a cat, on a warm ground, broad strokes, from the left"


def test_settings_come_back_from_the_disk_as_they_were():
    said = {
        "medium": {"oil": 1, "ink": 1},
        "prompt": "<b>a cat</b>",
        "order": [2, 1],
        "edits": [{"merge": [1, 2]}, {"split": 3, "at": [0.5, 0.25]}],
        "corners": _SQUARE,
        "start": 0.4,
        "size": 256,
    }
    settings = Settings.of(said)
    assert Settings.of(settings.said) == settings


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "choose a medium"),
        ({"medium": {}}, "choose a medium"),
        ({"medium": {"oil": -1}}, "above 0"),
        ({"medium": {"oil": float("nan")}}, "above 0"),
        ({"medium": {"gold": 1}}, "unknown medium 'gold'"),
        ({"medium": "oil:2"}, "must sum to 1"),
        ({"prompt": "x" * 501}, "prompt: at most 500 letters"),
        ({"prompt": ["x"]}, "prompt: at most"),
        ({"frames": 1}, "frames: a number from 2 to 96"),
        ({"frames": 10**9}, "frames: "),
        ({"frames": 3.5}, "frames: a whole number"),
        ({"frames": True}, "frames: "),
        ({"steps": "4"}, "steps: "),
        ({"size": 10**6}, "size: "),
        ({"seed": -1}, "seed: "),
        ({"order": [0]}, "order: "),
        ({"order": ["1"]}, "order: "),
        ({"order": [1] * 300}, "order: "),
        ({"edits": [{"merge": [1, 2]}] * 100}, "48 times"),
        ({"edits": [7]}, "not understood"),
        ({"edits": [{"split": 1, "at": [9, 9]}]}, "must lie in the picture"),
        ({"manner": {"ground": "<b>"}}, "'<b>' is unknown"),
        ({"manner": {"folder": "warm"}}, "is unknown"),
        ({"start": 1}, "start: "),
        ({"corners": _SQUARE[:3]}, "four corners"),
        ({"corners": _SQUARE[::-1]}, "go round the canvas"),
        ({"corners": [[0.1, 0.1]] * 4}, "go round the canvas"),
    ],
)
def test_what_cannot_be_painted_is_refused_in_a_line(said, line):
    with pytest.raises(UserError, match=line):
        Settings.of({"medium": "oil"} | said if said else said)


def test_corners_may_lie_a_little_outside_the_photo():
    beyond = [[-0.02, 0], [1.02, 0], [1, 1], [0, 1]]
    assert corners_of(beyond)[0] == (-0.02, 0)
