"""Pickled lists of bytes and numbers are read without running anything."""

import contextlib
import os
import pathlib
import pickle
import struct

import numpy as np
import pytest

from painting_jax.data.artwork import pickled_list
from painting_jax.data.artwork.pickled_list import Stored
from painting_jax.errors import UserError

_MOST = 1 << 30
_BYTES = [b"", b"a" * 3, b"b" * 255, b"c" * 256, bytes(range(256)) * 300, b"a" * 3]


def written(folder: pathlib.Path, data: bytes) -> pathlib.Path:
    path = folder / "list.pkl"
    path.write_bytes(data)
    return path


def resolved(path: pathlib.Path, value):
    if isinstance(value, list):
        return [resolved(path, item) for item in value]
    return next(pickled_list.load(path, [value])) if isinstance(value, Stored) else value


def read(path: pathlib.Path):
    return resolved(path, pickled_list.read(path, _MOST))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_lists_of_bytes_are_what_pickle_wrote(tmp_path, protocol):
    shared = b"the same object"
    for value in (_BYTES, [], [shared, b"other", shared] * 400, [[b"nested", 1.5], []]):
        assert read(written(tmp_path, pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", range(6))
def test_lists_of_numbers_are_what_pickle_wrote(tmp_path, protocol):
    value = [i / 2999 for i in range(3000)] + [0, 1, 200, 70_000, -1, 2**40 if protocol > 1 else 2]
    assert read(written(tmp_path, pickle.dumps(value, protocol))) == value


def test_bytes_are_not_loaded_but_found(tmp_path):
    path = written(tmp_path, pickle.dumps([bytes(1 << 20)] * 2, 4))
    first, second = pickled_list.read(path, _MOST)
    assert first == second
    assert first.size == 1 << 20


class Call:
    """What a hostile file asks a loader to do."""

    def __init__(self, folder: pathlib.Path):
        self.made = folder / "made"

    def __reduce__(self):
        return os.system, (f"touch {self.made}",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_run(tmp_path, protocol):
    call = Call(tmp_path)
    path = written(tmp_path, pickle.dumps([b"" if protocol > 2 else 0, call], protocol))
    said = "would have to run code .*GLOBAL" if protocol < 4 else "by which code to run is named"
    with pytest.raises(UserError, match=f"{said}.*save it anew"):
        read(path)
    assert not call.made.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_bytes_of_old_protocols_are_a_call(tmp_path, protocol):
    path = written(tmp_path, pickle.dumps([b"\xff"], protocol))
    with pytest.raises(UserError, match=r"\(GLOBAL\).*protocol=4"):
        read(path)


def nested(depth: int) -> bytes:
    return b"\x80\x04" + b"]" * depth + b"a" * (depth - 1) + b"."


_WHOLE = pickle.dumps(_BYTES, 4)
_HOSTILE = {
    "empty": (b"", "cut short"),
    "no_list": (pickle.dumps(b"alone", 4), "holds no list"),
    "truncated": (_WHOLE[:-20], "cut short|is shorter"),
    "trailing": (_WHOLE + b"more", "4 bytes follow its end"),
    "text": (pickle.dumps(["text"], 4), "SHORT_BINUNICODE"),
    "dictionary": (pickle.dumps([{}], 4), "EMPTY_DICT"),
    "bytearray": (pickle.dumps([bytearray(b"x")], 5), "BYTEARRAY8"),
    "old_truth": (pickle.dumps([True], 0), "truth value"),
    "truth": (pickle.dumps([True], 4), "NEWTRUE"),
    "nothing": (pickle.dumps([None], 4), "NONE"),
    "array": (pickle.dumps([np.zeros(2)], 3), "would have to run code"),
    "deep": (nested(200_000), "more than 16 lists"),
    "long_bytes": (b"\x80\x04]\x8e" + struct.pack("<Q", 2**63) + b"x.", "is shorter"),
    "long_frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"].", "is shorter"),
    "long_number": (b"\x80\x02]\x8a\xff" + bytes(255) + b"a.", "number of 255 bytes"),
    "long_line": (b"(lF" + b"1" * 10**6 + b"\na.", "number without an end"),
    "doubling": (b"\x80\x04]\x94" + b"]\x94h\x00h\x00e" * 50 + b".", "list twice"),
    "itself": (b"\x80\x04]\x94h\x00a.", "list twice"),
    "gap": (b"\x80\x04]h\x07a.", "gap"),
    "many_gets": (b"\x80\x04](C\x01x\x94" + b"h\x00" * 1_100_000 + b"e.", "opcodes"),
    "no_mark": (b"\x80\x04]e.", "does not add up"),
    "two_values": (b"\x80\x04]].", "does not add up"),
    "append_to_bytes": (b"\x80\x04C\x01xC\x01xa.", "no list"),
    "later_protocol": (b"\x80\x06].", "protocol 6"),
    "not_a_number": (b"(lFx\na.", "is no number"),
    "index": (b"(lp-1\n.", "is no index"),
    "unknown": (b"\x80\x04]\xff.", "is no opcode"),
}


@pytest.mark.parametrize("kind", _HOSTILE)
def test_what_is_no_list_of_bytes_and_numbers_is_refused_in_a_line(tmp_path, kind):
    data, said = _HOSTILE[kind]
    with pytest.raises(UserError, match=said) as refusal:
        pickled_list.read(written(tmp_path, data), _MOST)
    assert "\n" not in str(refusal.value)


def test_large_files_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="1073741824 are read"):
        pickled_list.read(path, _MOST)


def test_mutated_files_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    wholes = [pickle.dumps([*_BYTES[:4], 0.5, 7], protocol) for protocol in (3, 4, 5)]
    wholes += [pickle.dumps([0.5, 7, 0.25] * 9, protocol) for protocol in (0, 1, 2)]
    for number in range(600):
        data = bytearray(wholes[number % len(wholes)])
        for _ in range(rng.integers(1, 6)):
            at = rng.integers(len(data))
            match rng.integers(3):
                case 0:
                    data[at] = rng.integers(256)
                case 1:
                    del data[at : at + rng.integers(1, 20)]
                case 2:
                    data[at:at] = rng.bytes(rng.integers(1, 9))
            data = data or bytearray(b".")
        path = written(tmp_path, bytes(data))
        with contextlib.suppress(UserError):
            read(path)
