"""Records that are kept until a data set is complete."""

import os
import pathlib

import numpy as np
import pytest

from painting_jax.data import kept_records, looks, pictures
from painting_jax.data.kept_records import Head
from painting_jax.data.process import Process
from painting_jax.data.sightings import Sighting
from painting_jax.errors import UserError
from tests.synthetic import recording

_ONE, _TWO = "1" * 64, "2" * 64


def record() -> Process:
    frames = tuple(pictures.encode(frame_HWC) for frame_HWC in recording(count=3))
    progress_T = np.array([0, 0.5, 1], np.float32)
    return Process("cat.mp4", frames, progress_T, "oil", "a cat", frames[-1])


def head() -> Head:
    seen = Sighting(("0:00", "0:09"), b"\0came", b"became", (True, False), 9, "time", quality=0.5)
    return Head(looks.look(recording()[-1]), ("it is short", "\u00e9"), seen)


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    """A folder with one record."""
    kept_records.write(tmp_path / _ONE, record(), head())
    return tmp_path


def test_a_record_comes_back_as_it_was(folder):
    assert kept_records.head(folder / _ONE) == head()
    back, before = kept_records.read(folder / _ONE), record()
    assert back.frames == before.frames
    assert (back.id, back.medium, back.caption) == (before.id, before.medium, before.caption)
    plain = Head(None, ())
    kept_records.write(folder / _TWO, before, plain)
    assert kept_records.head(folder / _TWO) == plain


def test_what_is_not_wanted_or_not_whole_is_removed_and_what_is_no_record_stays(folder):
    kept_records.write(folder / _TWO, record(), head())
    (folder / "notes.txt").write_text("mine")
    (folder / ".unfinished_abcdefgh").write_text("left by a killed worker")
    assert kept_records.only(folder, [_ONE, "3" * 64]) == {_ONE}
    assert sorted(os.listdir(folder)) == [_ONE, "notes.txt"]
    whole = (folder / _ONE).read_bytes()
    for content in (
        b"",
        whole[:-1],
        whole + b"0",
        b"\2\0\0\0[]",
        b"\xff" * 99,
        whole.replace(b'"version": 2', b'"version": 0'),
        whole.replace(b'"hashes": [[', b'"hashes": [[["'),
        whole.replace(b'"measure": "time"', b'"measure": "tide"'),
    ):
        (folder / _ONE).write_bytes(content)
        assert kept_records.only(folder, [_ONE]) == set()
        assert os.listdir(folder) == ["notes.txt"]


def test_a_damaged_record_is_named(folder):
    whole = (folder / _ONE).read_bytes()
    (folder / _ONE).write_bytes(whole[:-99] + bytes(99))
    with pytest.raises(UserError, match=f"{_ONE} is damaged: remove it"):
        kept_records.read(folder / _ONE)
