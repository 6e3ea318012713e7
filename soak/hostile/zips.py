"""Zip archives that lie: names that lead outside, twice the same, false sizes, bombs."""

import io
import random
import warnings
import zipfile
from collections.abc import Callable, Sequence

from soak.hostile import byte_damage, xml_damage

Member = tuple[str, bytes]
_EPOCH = (1980, 1, 1, 0, 0, 0)


def is_archive(data: bytes) -> bool:
    """Whether a file begins as zip archives do."""
    return data.startswith(b"PK\3\4")


def unpacked(data: bytes) -> list[Member]:
    """Names and contents of a whole archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(member.filename, archive.read(member)) for member in archive.infolist()]


def packed(members: Sequence[Member], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of members, the same each time."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # names that are there twice
        for name, content in members:
            info = zipfile.ZipInfo(name, _EPOCH)
            archive.writestr(info, content, method)
    return buffer.getvalue()


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """An archive with damage in its members, its names or its directory."""
    members = unpacked(data)
    at = chance.randrange(len(members))
    name, content = members[at]
    way = chance.choice(_WAYS)
    members[at : at + 1] = way(name, content, unpacked(other), chance)
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
    result = packed(members, chance.choice(methods))
    return _with_false_size(result, chance) if chance.random() < 0.2 else result


def _content(name: str, content: bytes, other: list[Member], chance: random.Random):
    same = next((data for known, data in other if known == name), content)
    if name.endswith(".xml") and content:
        return [(name, xml_damage.damaged(content, same, chance))]
    if name.endswith(".png") and content and chance.random() < 0.5:
        return [(name, byte_damage.png(content, same, chance))]
    return [(name, byte_damage.damaged(content, same, chance))]


def _name(name: str, content: bytes, other: list[Member], chance: random.Random):
    leading = ("../../", "/", "..\\", "C:", "./", "a/../../", "\u202e", "\0", "//")
    return [(chance.choice(leading) + name, content)]


def _twice(name: str, content: bytes, other: list[Member], chance: random.Random):
    return [(name, content), (name, byte_damage.damaged(content, content, chance))]


def _none(name: str, content: bytes, other: list[Member], chance: random.Random):
    return []


def _bomb(name: str, content: bytes, other: list[Member], chance: random.Random):
    return [(name, content + bytes(chance.choice((10**5, 3 * 10**7))))]


def _many(name: str, content: bytes, other: list[Member], chance: random.Random):
    return [(f"{name}{number}", b"") for number in range(3000)] + [(name, content)]


_WAYS: tuple[Callable[[str, bytes, list[Member], random.Random], list[Member]], ...] = (
    *(_content, _content, _content, _content, _content, _content),
    *(_name, _twice, _none, _bomb, _many),
)


def _with_false_size(data: bytes, chance: random.Random) -> bytes:
    """Sizes in the directory at the end: 20 bytes into an entry the packed, then the other."""
    entries = [at for at in range(len(data) - 3) if data[at : at + 4] == b"PK\1\2"]
    if not entries:
        return data
    at = chance.choice(entries) + chance.choice((20, 24, 42))
    value = chance.choice((0, 1, 10**6, 2**31 - 1, 2**32 - 2, 2**32 - 1))
    return data[:at] + value.to_bytes(4, "little") + data[at + 4 :]
