"""Outputs appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from painting_jax.errors import UserError


def check_destination(flag: str, path: str | os.PathLike, *, folder: bool) -> None:
    """Finds out before any work whether a result can be written where a flag says.

    Args:
      flag: what the user knows it by.
      path: of a folder, new or not, or of a file.
      folder: which of the two.

    Raises:
      UserError: if something else is there, or it would lie below a file or in a folder that is
        write-protected.
    """
    path = pathlib.Path(path)
    if path.exists() and path.is_dir() != folder:
        there, needed = ("file", "folder") if folder else ("folder", "file")
        raise UserError(f"--{flag}={path} is a {there}: it must be a {needed}, or new")
    above = next(parent for parent in (path / "x").absolute().parents if parent.exists())
    if above.is_file() and above != path.absolute():
        raise UserError(f"--{flag}={path} would lie in {above}, which is a file: name a folder")
    if not os.access(above, os.W_OK):
        raise UserError(f"--{flag}={path}: {above} is write-protected, name another folder")


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path in the folder of `path`, renamed to `path` when the block succeeds.

    The temporary name keeps the suffix, by which writers tell the format. The folder is created.
    When the block raises, nothing remains and an older file at `path` stays as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished_", suffix=path.suffix)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        # mkstemp makes private files; the result gets the permissions of any new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_beside(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a new folder beside `path` that takes its place when the block succeeds.

    When the block raises, nothing remains of it and an older folder at `path` stays as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=".unfinished_"))
    unfinished, replaced = beside / "new", beside / "old"
    unfinished.mkdir()
    try:
        yield unfinished
        if path.exists():
            path.rename(replaced)
        try:
            unfinished.rename(path)
        except OSError:
            if replaced.exists():
                replaced.rename(path)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
