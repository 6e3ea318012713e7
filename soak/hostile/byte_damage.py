"""Damage that any file can take: bits, runs, cuts, copies, parts of another, and false lengths."""

import random
import re
import struct
import zlib
from collections.abc import Callable

_FALSE = (0, 1, 2, 0xFF, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Four letters name a part of most formats (moov, IHDR, 8BIM, VP8X). Lengths stand around them.
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{2}[A-Za-z0-9 ]")


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A file damaged in one to three ways.

    Args:
      data: The file.
      other: Another file of its kind.
      chance: What decides.
    """
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        data = chance.choice(_WAYS)(data, other, chance)
    return data


def _bits(data: bytes, other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    # The structure of most formats stands at the beginning.
    reach = chance.choice((32, 256, len(data)))
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if changed:
            changed[chance.randrange(min(reach, len(changed)))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _run(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    filling = chance.choice((b"\0", b"\xff", b"A", chance.randbytes(7)))
    return data[:start] + (filling * (end - start))[: end - start] + data[end:]


def _cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _doubled(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 9)) + data[end:]


def _without(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _spliced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        share = chance.random()
        return data[: int(share * len(data))] + other[int(share * len(other)) :]
    start, end = _span(other, chance)
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at + end - start :]


def _false_length(data: bytes, other: bytes, chance: random.Random) -> bytes:
    names = [found.start() for found in _NAME.finditer(data)]
    if names and chance.random() < 0.8:
        at = max(0, chance.choice(names) + chance.choice((-4, 4, 6, 8, 10, 12, 16, 20, 24)))
    else:
        at = chance.randrange(len(data) + 1)
    size = chance.choice((2, 4, 4, 4, 8))
    value = chance.choice((*_FALSE, len(data), len(data) + 1)) & ((1 << 8 * size) - 1)
    return data[:at] + value.to_bytes(size, chance.choice(("big", "little"))) + data[at + size :]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 4, 16, 64, 512)))


_WAYS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(_bits, _run, _cut, _doubled, _without, _spliced),
    *(_false_length, _false_length),
)


def png(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A png with damage within its chunks, whose checksums are right again."""
    chunks = _chunks(data)
    for _ in range(chance.choice((1, 2))):
        at = chance.randrange(len(chunks))
        name, content = chunks[at]
        way = chance.randrange(4)
        if way == 0 and name == b"IHDR" and len(content) == 13:
            width, height = (chance.choice((0, 1, 8000, 100_000, 2**31 - 1)) for _ in range(2))
            content = struct.pack(">II", width, height) + content[8:]
        elif way == 1:
            chunks.insert(at, chunks[chance.randrange(len(chunks))])
            continue
        else:
            content = damaged(content, content, chance)
        chunks[at] = name, content
    return data[:8] + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    return chunks
