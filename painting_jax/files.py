"""Outputs that are written beside their destination and renamed when they are complete."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from painting_jax import remote_paths
from painting_jax.errors import UserError


def check_destination(flag: str, path: str | os.PathLike, *, folder: bool) -> None:
    """Checks before any work that an output can be written.

    Args:
      flag: name of the flag.
      path: value of the flag, new or existing.
      folder: whether the output is a folder rather than a file.

    Raises:
      UserError: if the path is of the other kind, below a file, or in a write-protected folder.
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
    """Yields a temporary path beside `path`, which is renamed to `path` when the block succeeds.

    The temporary name keeps the suffix, as writers choose the format by it. The folder is created.
    If the block raises, the temporary file is removed and an older file at `path` is unchanged.
    """
    remote_paths.refuse("path", path)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished_", suffix=path.suffix)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        # mkstemp creates private files. The result gets the default permissions of new files.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_beside(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`, which replaces `path` when the block succeeds.

    If the block raises, the new folder is removed and an older folder at `path` is unchanged.
    """
    remote_paths.refuse("path", path)
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
