"""Assignment of sources to the training, validation and test splits."""

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

from etils import epath

SPLITS = ("train", "validation", "test")

_HELD_OUT_SHARE = 0.15


def content_hash(path: epath.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal. It identifies a file whatever its name."""
    with epath.Path(path).open("rb") as file:
        return _digest(file).hexdigest()


def _digest(file: BinaryIO) -> "hashlib._Hash":
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest


def assign(sources: Iterable[str]) -> dict[str, str]:
    """Assigns each source (a content hash) to a split.

    All processes made from one source share its split, whatever their medium, crop or seed.

    The sources are ranked by a hash of their content hash. Of n >= 3 sources, the first
    max(1, round(0.15 n)) are the test split, the same number is the validation split, and the
    others are the training split. From n = 8 on, the test and validation splits have at least two
    sources each. If n < 3, all sources are in the training split: sharing a source between splits
    would measure memorization.

    The result depends only on the set of sources, not on their order or names. Adding a source may
    move a few others to another split, so a data set is never extended but always rebuilt.
    """
    ranked = sorted(set(sources), key=lambda source: hashlib.sha256(source.encode()).hexdigest())
    count = len(ranked)
    at_least = 2 if count >= 8 else 1
    held_out = 0 if count < 3 else max(at_least, round(_HELD_OUT_SHARE * count))
    return {
        source: "test" if rank < held_out else "validation" if rank < 2 * held_out else "train"
        for rank, source in enumerate(ranked)
    }
