"""Compiled programs that are kept for later starts, which then take seconds.

JAX finds them by a hash of the program, its own version, the devices and the options. It neither
notices damage that leaves an entry readable, nor replaces an entry that it cannot read: entries
have checksums here, and damaged ones are removed before JAX sees them.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterator

import jax

from painting_jax import json_text
from painting_jax.errors import UserError
from painting_jax.files import remove_unfinished, written_beside
from painting_jax.user_cache import user_cache

_CHECKSUMS = "checksums.json"
_RECENT = 24 * 3600.0  # seconds
# A model in one shape takes a few megabytes.
_MOST_BYTES = 1 << 30


@contextlib.contextmanager
def kept(most_bytes: int = _MOST_BYTES) -> Iterator[None]:
    """Keeps what is compiled meanwhile in the user's cache, unless the user has named a folder.

    Where that cannot be written, nothing is kept.

    Args:
      most_bytes: Size that the folder may have afterwards. The oldest programs go first.
    """
    folder = user_cache("compiled")
    if jax.config.jax_compilation_cache_dir is not None or not _writable(folder):
        yield
        return
    known, before = _without_damaged(folder), {*_entries(folder)}
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # There are many small ones, which take as long as the large ones together.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    try:
        yield
    finally:
        _remove_oldest(folder, most_bytes)
        # A full disk does not spoil the work that is done.
        with contextlib.suppress(OSError, UserError), written_beside(folder / _CHECKSUMS) as file:
            there = _entries(folder)
            old = {entry.name: known[entry.name] for entry in there if entry.name in known}
            new = {entry.name: _checksum(entry) for entry in there if entry not in before}
            file.write_text(json.dumps(old | new))


def _writable(folder: pathlib.Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _without_damaged(folder: pathlib.Path) -> dict[str, str]:
    """Removes entries that are not as they were written, or of programs that were killed.

    Returns:
      The checksums of the entries that are left.
    """
    remove_unfinished(folder)
    try:
        checksums = dict(json_text.read(folder / _CHECKSUMS))
    except (OSError, ValueError, TypeError):
        checksums = {}
    damaged = False
    for entry in _entries(folder):
        # Another program may remove it, too.
        with contextlib.suppress(FileNotFoundError):
            if entry.name not in checksums and _is_recent(entry):
                continue
            if checksums.get(entry.name) != _checksum(entry):
                damaged = damaged or entry.name in checksums
                entry.unlink()
    if damaged:
        print(f"{folder} had a damaged program: it is compiled again", file=sys.stderr)
    return {
        entry.name: checksums[entry.name] for entry in _entries(folder) if entry.name in checksums
    }


def _remove_oldest(folder: pathlib.Path, most_bytes: int) -> None:
    left = most_bytes
    for entry in sorted(_entries(folder), key=_written, reverse=True):
        # Another program may remove it, too.
        with contextlib.suppress(OSError):
            left -= entry.stat().st_size
            if left < 0:
                entry.unlink()


def _written(entry: pathlib.Path) -> float:
    """When it was written; 0 for one that has just been removed."""
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _is_recent(entry: pathlib.Path) -> bool:
    """Whether a program that still runs may have written it."""
    return time.time() - entry.stat().st_mtime < _RECENT


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("*-cache"))


def _checksum(entry: pathlib.Path) -> str:
    return hashlib.sha256(entry.read_bytes()).hexdigest()
