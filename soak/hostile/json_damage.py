"""JSON with values of wrong types and sizes, deep nesting, odd texts, and what is no JSON."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from soak.hostile import byte_damage

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 1e308, -0.0, 0.5, 10**30),
    *(float("nan"), float("inf"), float("-inf"), "", " ", [], {}, [[]], [None], {"": 0}),
    *([0, 1], [0] * 9, [0, 1, "x"], [1, 0], [0.5, 0.5], [0, 1e308], [0, 0, 10**9, 10**9]),
    *("\ud800", "\udfff\ud800", "\u202etxt.4pm", "\u2028", "a\nb", "a\0b", "\x1b[31m", "x" * 10**5),
    *("e\u0301", "{oil}", "%s%n", "oil+ink", "oil", {"oil": float("nan")}, {"oil": 1, "ink": 1}),
    *("3x3", "2x2", "train", "test", [[0] * 50] * 50, {"a": {"b": {"c": 1}}}),
)
_PATHS = (
    *(
        "",
        ".",
        "..",
        "/",
        "../../outside/victim.png",
        "~",
        "~nobody/a",
        "*",
        "**/*",
        "[",
        "?",
        "\0",
    ),
    *("cat.webp\0.png", "/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/self/fd/0", "cup/.."),
    *(
        "file:///etc/passwd",
        "http://127.0.0.1:9/a.mp4",
        "a" * 5000,
        "a/" * 3000,
        "cup/1.png",
        "cup",
    ),
    *("concat:cat.webp|cat.webp", "\ud800", "cat.webp", "all.json", "all.jsonl", "CAT.WEBP", "-"),
)
_KEYS = ("path", "medium", "crop", "start", "end", "progress", "grid", "split", "caption", "image")


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A file of one JSON value, or one a line, changed in one to three ways."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        return byte_damage.damaged(data, other, chance)
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = _changed(value, chance)
    lines[at] = json.dumps(value, ensure_ascii=chance.random() < 0.8).encode(
        "utf-8", "surrogatepass"
    )
    if chance.random() < 0.2:
        lines.append(lines[at])
    data = b"\n".join(lines)
    return chance.choice(_AS_TEXT)(data, other, chance) if chance.random() < 0.3 else data


def _changed(value: Any, chance: random.Random) -> Any:
    value = copy.deepcopy(value)
    objects = [one for one in (value if isinstance(value, list) else [value]) if _is_full(one)]
    if not objects or chance.random() < 0.05:
        return chance.choice(_VALUES)
    row = chance.choice(objects)
    key = chance.choice(list(row)) if chance.random() < 0.6 else chance.choice(_KEYS)
    row[key] = chance.choice(_PATHS if key == "path" else _VALUES)
    if chance.random() < 0.2:
        row[chance.choice(("", "unknown", "\u202e", "\ud800", "pa\nth", "x" * 9999))] = 1
    return value


def _is_full(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _number(data: bytes, other: bytes, chance: random.Random) -> bytes:
    number = chance.choice((b"9" * 5000, b"1e999999999", b"-", b"0x1", b"1." + b"0" * 10**5))
    return data.replace(b": ", b": " + number + b", ", 1)


def _deep(data: bytes, other: bytes, chance: random.Random) -> bytes:
    depth = chance.choice((63, 64, 65, 900, 200_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"0}")))
    return opening * depth + data + closing * depth


def _twice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data.replace(b"{", b'{"medium": "oil", "medium": 7, "path": "cup", ', 1)


def _encoded(data: bytes, other: bytes, chance: random.Random) -> bytes:
    ways = ("utf-16", "utf-32", "utf-8-sig", "cp037")
    return data.decode(errors="replace").encode(chance.choice(ways), "replace")


_AS_TEXT: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(_number, _deep, _twice, _encoded),
    byte_damage.damaged,
)
