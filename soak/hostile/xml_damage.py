"""XML that unfolds, leads outside, nests without end, or says what cannot be."""

import random
import re
from collections.abc import Callable

from soak.hostile import byte_damage

_NUMBERS = ("0", "-1", "1e9", "1e-9", "1e308", "1e400", "nan", "inf", "-0", "100000", "9" * 4000)
_TEXTS = (
    *(
        "",
        "url(#c)",
        "url(http://127.0.0.1:9/a)",
        "#s",
        "#g",
        "data:image/png;base64,AAAA",
        "&amp;",
    ),
    *("file:///etc/passwd", "\u202e\u05d0", "a" * 10_000, "../../outside/victim", "none", "&#0;"),
    *("url(" * 3000, "M0 0" + "l1 1" * 5000, "svg:multiply", "javascript:alert(1)", "\ud7ff"),
)
_HOSTILE = (
    '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]>',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    '<?xml version="1.0" encoding="utf-7"?>',
    '<?xml-stylesheet href="http://127.0.0.1:9/a.css"?>',
)
_VALUE = re.compile(rb'"[^"]*"')
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_TAG = re.compile(rb"<\w[^<>]*>")


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A document changed in one to three ways."""
    for _ in range(chance.choice((1, 2, 3))):
        data = chance.choice(_WAYS)(data, other, chance)
    return data


def _replaced(pattern: re.Pattern, data: bytes, text: str, chance: random.Random) -> bytes:
    places = [found.span() for found in pattern.finditer(data)]
    if not places:
        return data
    start, end = chance.choice(places)
    return data[:start] + text.encode() + data[end:]


def _number(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return _replaced(_NUMBER, data, chance.choice(_NUMBERS), chance)


def _value(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return _replaced(_VALUE, data, f'"{chance.choice(_TEXTS)}"', chance)


def _before(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return chance.choice(_HOSTILE).encode() + data


def _tag(data: bytes, other: bytes, chance: random.Random) -> bytes:
    tags = _TAG.findall(other) or [b"<g>"]
    tag = chance.choice(tags)
    made = tag * chance.choice((1, 2, 90, 3000))
    places = [found.end() for found in _TAG.finditer(data)] or [0]
    at = chance.choice(places)
    name = tag[1:].split()[0].strip(b"/>")
    closing = b"" if tag.endswith(b"/>") else b"</" + name + b">"
    return data[:at] + made + closing * (len(made) // len(tag)) + data[at:]


def _circle(data: bytes, other: bytes, chance: random.Random) -> bytes:
    at = data.rfind(b"</")
    loop = b'<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'
    return data[:at] + loop + data[at:]


_WAYS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(_number, _number, _value, _value, _before, _tag, _circle),
    byte_damage.damaged,
)
