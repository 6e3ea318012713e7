"""Which source pictures train, which validate, which test."""

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

from etils import epath

SPLITS = ("train", "validation", "test")

_HELD_OUT_SHARE = 0.15


def content_hash(path: epath.PathLike) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal: the same picture under two names is one."""
    with epath.Path(path).open("rb") as file:
        return _digest(file).hexdigest()


def _digest(file: BinaryIO) -> "hashlib._Hash":
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest


def assign(sources: Iterable[str]) -> dict[str, str]:
    """Gives each source (a content hash) its split, so that no split is empty.

    All processes made from one source share its split: media, crops, variants and seeds alike.
    The sources are ranked by a hash of their own; of n sources the first max(1, round(0.15 n)), two
    at least from n = 8 on, are for testing, as many for validation, the others train. The result
    depends on the set of sources alone, neither on their order nor on their names. Adding a source
    may move a few across a border, which is why a data set is not extended but built anew.

    With one or two sources all of them train and nothing is held out: sharing a source between
    splits would measure memory.
    """
    ranked = sorted(set(sources), key=lambda source: hashlib.sha256(source.encode()).hexdigest())
    count = len(ranked)
    at_least = 2 if count >= 8 else 1
    held_out = 0 if count < 3 else max(at_least, round(_HELD_OUT_SHARE * count))
    return {
        source: "test" if rank < held_out else "validation" if rank < 2 * held_out else "train"
        for rank, source in enumerate(ranked)
    }
