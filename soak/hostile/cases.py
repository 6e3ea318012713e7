"""Draws hostile files: which reader they are for, which damage they have, what they are called."""

import dataclasses
import gzip
import pathlib
import random
from collections.abc import Callable, Mapping

from soak.hostile import byte_damage, hdf5_damage, json_damage, seeds, xml_damage, zips

_NAMES = (
    *(
        "\u00e9",
        "e\u0301",
        "\u202egpj",
        "a\nb",
        "\udcff\udcfe",
        "-rf",
        "~",
        "*",
        "[1]",
        "%s",
        "'; ",
    ),
    *(
        "a" * 200,
        " ",
        ".",
        "..a",
        "\u2028",
        "\x1b[31m",
        "\u0661\u0662",
        "\U0001f3a8",
        "con",
        "a\\b",
    ),
)
_OTHER_SUFFIXES = (".mp4", ".gif", ".png", ".psd", ".svg", ".ora", ".h5", ".procreate", ".jpg", "")


@dataclasses.dataclass(frozen=True)
class Case:
    """A source of which one file or more are damaged.

    Attributes:
      reader: Name of the reader that it is for.
      files: Content of its files by name.
      source: Name of the file that is given to `find`; "" for the folder.
      grid: As in `find`.
    """

    reader: str
    files: Mapping[str, bytes]
    source: str
    grid: str

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        """Writes the files, and returns the source."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder / self.source if self.source else folder


def drawn(seed: int, number: int) -> Case:
    """The case of a number. The readers take turns; all else is drawn."""
    # A text, since whole numbers that are close give numbers that are alike.
    chance = random.Random(f"{seed} {number}")
    reader = list(seeds.READERS)[number % len(seeds.READERS)]
    variant = chance.randrange(2)
    valid, other = seeds.seed(reader, variant), seeds.seed(reader, 1 - variant)
    files = dict(valid.files)
    for name in chance.sample(valid.changed, chance.randint(1, len(valid.changed))):
        files[name] = _damaged(files[name], other.files.get(name, files[name]), chance)
    if not valid.source and chance.random() < 0.1:
        name = chance.choice(valid.changed)
        files[_renamed(name, chance)] = files.pop(name)
    return Case(reader, files, valid.source, valid.grid)


def _damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Damage to what a file holds, or to its bytes."""
    if chance.random() < 0.6:
        for start, way in _BY_START:
            if data.startswith(start):
                return way(data, other, chance)
    return byte_damage.damaged(data, other, chance)


def _gzip(data: bytes, other: bytes, chance: random.Random) -> bytes:
    inner, other = gzip.decompress(data), gzip.decompress(other)
    return gzip.compress(xml_damage.damaged(inner, other, chance), mtime=0)


_BY_START: tuple[tuple[bytes, Callable[[bytes, bytes, random.Random], bytes]], ...] = (
    (b"PK\3\4", zips.damaged),
    (b"\x89HDF", hdf5_damage.damaged),
    (b"\x89PNG", byte_damage.png),
    (b"\x1f\x8b", _gzip),
    (b"<", xml_damage.damaged),
    (b"{", json_damage.damaged),
    (b"[", json_damage.damaged),
)


def _renamed(name: str, chance: random.Random) -> str:
    path = pathlib.PurePosixPath(name)
    suffix = chance.choice((path.suffix, path.suffix, *_OTHER_SUFFIXES))
    # A number keeps its place among others.
    return str(path.with_name(f"{chance.choice(_NAMES)}{path.stem}{suffix}"))
