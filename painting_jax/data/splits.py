"""Assignment of sources to the training, validation and test splits."""

import hashlib
from collections.abc import Iterable, Mapping
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


def joined(
    sources: Iterable[str], pairs: Iterable[tuple[str, str]] = ()
) -> dict[str, tuple[str, ...]]:
    """Groups of sources: a union-find over the pairs.

    Args:
      sources: Content hashes.
      pairs: Pairs of sources that look alike (`looks.alike`).

    Returns:
      For each source the sorted members of its group. Everything that is linked by a chain of pairs
      is one group.
    """
    parents = {source: source for source in sources}

    def root(source: str) -> str:
        while parents[source] != source:
            parents[source] = parents[parents[source]]
            source = parents[source]
        return source

    for a, b in pairs:
        parents[root(a)] = root(b)
    members: dict[str, list[str]] = {}
    for source in sorted(parents):
        members.setdefault(root(source), []).append(source)
    return {source: tuple(group) for group in members.values() for source in group}


def assign(
    sources: Iterable[str],
    pairs: Iterable[tuple[str, str]] = (),
    stated: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Assigns each source to a split. Sources that look alike share one.

    All processes made from one source share its split, whatever their medium, crop or seed, and so
    do all sources of a group (`joined`), such as a photo as PNG and as JPEG, or a video and its
    frames. The split is a function of the group.

    The groups are ranked by the least hash of their members' content hashes. Of n >= 3 groups, the
    first max(1, round(0.15 n)) are the test split, the same number is the validation split, and the
    others are the training split. From n = 8 on, the test and validation splits have at least two
    groups each. If n < 3, all sources are in the training split: sharing a group between splits
    would measure memorization.

    The result depends only on the sources and pairs, not on their order or names. What moves when
    sources are added: a source that looks like none before shifts the ranks behind its own by one,
    so that at most three other groups change their split. One that looks like another joins its
    group; in half of all cases the group then moves forward in the ranks, and shifts at most two
    others. One that looks like members of two groups unites them. A source that is encoded anew is
    another source. So a data set is never extended but always rebuilt.

    Args:
      sources: Content hashes.
      pairs: Pairs of sources that look alike.
      stated: Splits that sources were published in. A group keeps the one that is stated of a
        member, the test split before the validation split before the training split; only the
        other groups are ranked.
    """
    groups = set(joined(sources, pairs).values())
    published = {group: _published(group, stated or {}) for group in groups}
    kept = {
        source: split for group, split in published.items() if split is not None for source in group
    }
    free = [group for group, split in published.items() if split is None]
    ranked = sorted(free, key=lambda group: min(map(_rank, group)))
    count = len(ranked)
    held_out = held_out_groups(count)
    return kept | {
        source: "test" if rank < held_out else "validation" if rank < 2 * held_out else "train"
        for rank, group in enumerate(ranked)
        for source in group
    }


def _published(group: Iterable[str], stated: Mapping[str, str]) -> str | None:
    said = [stated[source] for source in group if source in stated]
    return max(said, key=SPLITS.index, default=None)


def held_out_groups(count: int) -> int:
    """Number of groups in the test split, and in the validation split, of `count` groups."""
    if count < 3:
        return 0
    return max(2 if count >= 8 else 1, round(_HELD_OUT_SHARE * count))


def _rank(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()
