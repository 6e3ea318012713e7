"""JSON that others wrote: every failure is a ValueError, however deep or large it is."""

import json
import os

import pytest

from painting_jax import json_text


def nested(depth: int, inside: str = "") -> str:
    return "[" * depth + inside + "]" * depth


@pytest.mark.parametrize("text", ["{}", "[1, 2.5, null]", '{"a": {"b": [true]}}', nested(64)])
def test_what_is_not_deep_is_parsed(text):
    assert json_text.parse(text) == json_text.parse(text.encode()) == json.loads(text)


def test_many_brackets_beside_each_other_are_not_deep():
    assert len(json_text.parse(nested(1, "[]," * 10_000 + "{}"))) == 10_001


@pytest.mark.parametrize("depth", [65, 900, 10_000, 1_000_000])
@pytest.mark.parametrize("inside", ["", "1", "[],[]"])
def test_what_is_deep_is_refused(depth, inside):
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        json_text.parse(nested(depth, inside))
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        json_text.parse('{"a":' * depth + "1" + "}" * depth)


@pytest.mark.parametrize(
    "text", ["", "[", "nul", b"\xff\xfe", b'{"a": "\xff"}', "[" * 100, "9" * 5000]
)
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011  of the parser, of any wording
        json_text.parse(text)


def test_files_are_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    assert json_text.read(path) == {"a": 1}
    monkeypatch.setattr(json_text, "MAX_BYTES", 4)
    with pytest.raises(ValueError, match="more than 4 bytes"):
        json_text.read(path)
    with pytest.raises(OSError, match="directory"):
        json_text.read(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match="not a regular file"):
        json_text.read(tmp_path / "pipe.json")
