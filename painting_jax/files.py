"""Outputs that are written beside their destination and renamed when they are complete.

In a bucket (gs://) they are written on this machine, and copied when they are complete.
"""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator

from etils import epath

from painting_jax import buckets, remote_paths
from painting_jax.errors import UserError
from painting_jax.locking import Busy, alone_beside, held, locked

# Names of outputs that are being written.
_PREFIX = ".unfinished_"
_UNFINISHED = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}(\.\w+)?")
# Parts of an unfinished folder: its lock, the new folder, and the one that it is replacing.
_LOCK, _NEW, _REPLACED = "lock", "new", "replaced"


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
def destination(flag: str, path: str | os.PathLike, verb: str) -> Iterator[None]:
    """Keeps other programs from writing an output while the block runs.

    What killed programs have left unfinished beside it is removed first.

    Args:
      flag: name of the flag.
      path: value of the flag: a file, or a folder that is written beside its place.
      verb: name of the verb.

    Raises:
      UserError: if another program is writing it.
    """
    with alone_beside(path, in_use(flag, path, verb)):
        remove_unfinished(pathlib.Path(path).parent)
        yield


def in_use(flag: str, path: str | os.PathLike, verb: str) -> str:
    """What a verb says of an output that another program is writing."""
    return (
        f"{path} is being written by another {verb}: wait for it to end, or name another --{flag}"
    )


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which is renamed to `path` when the block succeeds.

    The temporary name keeps the suffix, as writers choose the format by it. The folder is created.
    If the block raises, the temporary file is removed and an older file at `path` is unchanged.
    The file is on the disk before it gets its name, so that no loss of power leaves an empty one.
    """
    if remote_paths.in_bucket(path):
        with tempfile.TemporaryDirectory() as here:
            copied = pathlib.Path(here, pathlib.PurePath(path).name)
            yield copied
            buckets.upload(copied, path)
        return
    remote_paths.refuse("path", path)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _new_file(path)
    try:
        yield temporary
        # mkstemp creates private files. The result gets the default permissions of new files.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.fsync(handle)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def folder_written_beside(path: str | os.PathLike, last: str = "") -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`, which replaces `path` when the block succeeds.

    If the block raises, the new folder is removed and an older folder at `path` is unchanged. What
    killed programs have left beside `path` is removed first. The contents are on the disk before
    the folder gets its name.

    Args:
      path: Path of the folder.
      last: Name of the file by which readers know that the folder is whole. In a bucket, where
        files are copied one by one, it is the last.
    """
    if remote_paths.in_bucket(path):
        with tempfile.TemporaryDirectory() as here:
            copied = pathlib.Path(here, pathlib.PurePath(path).name)
            copied.mkdir()
            yield copied
            buckets.upload_folder(copied, path, last)
        return
    remote_paths.refuse("path", path)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(path.parent)
    with _new_folder(path.parent) as beside:
        # Their names are those of the destination, so that a replaced folder finds its way back.
        unfinished, replaced = beside / _NEW / path.name, beside / _REPLACED / path.name
        unfinished.mkdir(parents=True)
        yield unfinished
        sync_folder(unfinished)
        if path.exists():
            replaced.parent.mkdir()
            path.rename(replaced)
        try:
            unfinished.rename(path)
        except OSError:
            if replaced.exists():
                replaced.rename(path)
            raise
        sync(path.parent)


@contextlib.contextmanager
def filled(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a folder for a library that writes to disks alone: the folder itself, or another one.

    From the other one, files are copied to the bucket when the block succeeds.
    """
    if not remote_paths.in_bucket(folder):
        yield pathlib.Path(folder)
        return
    with tempfile.TemporaryDirectory() as here:
        yield pathlib.Path(here)
        for file in sorted(path for path in pathlib.Path(here).rglob("*") if path.is_file()):
            buckets.upload(file, f"{os.fspath(folder)}/{file.relative_to(here).as_posix()}")


def local(path: str | os.PathLike) -> pathlib.Path:
    """A file or folder on this machine, for what needs one; what lies in a bucket is copied first.

    Raises:
      FileNotFoundError: If there is none in the bucket.
      UserError: If the bucket refuses it.
    """
    return buckets.fetched(path) if remote_paths.in_bucket(path) else pathlib.Path(path)


def names_in(folder: str | os.PathLike) -> list[str]:
    """Names of what lies in a folder, which may be in a bucket."""
    return buckets.names(folder) if remote_paths.in_bucket(folder) else os.listdir(folder)


def move_folder(source: epath.Path, target: epath.Path, last: str) -> None:
    """Moves a folder to a path that is free, or held by an older one; `last` as of
    `folder_written_beside`.
    """
    if remote_paths.in_bucket(source):
        buckets.move_folder(source, target, last)
        return
    if target.exists():
        target.rmtree()
    source.rename(target)


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Removes what killed programs have left unfinished in a folder, if it exists.

    What is still being written is locked, and stays. A folder that was just being replaced is put
    back. What cannot be removed stays, too. In buckets nothing is left unfinished.
    """
    if remote_paths.in_bucket(folder):
        return
    folder = pathlib.Path(folder)
    try:
        names = os.listdir(folder)
    except OSError:  # It may be missing, or not for others to read.
        return
    for path in [folder / name for name in names if _UNFINISHED.fullmatch(name)]:
        with contextlib.suppress(OSError, Busy, UserError):
            if path.is_symlink():
                continue
            if path.is_dir():
                if {entry.name for entry in path.iterdir()} <= {_LOCK, _NEW, _REPLACED}:
                    with held(path / _LOCK) as is_locked:
                        if is_locked:
                            _put_back(path / _REPLACED, folder)
                            shutil.rmtree(path)
            else:
                _remove_file(path)


def sync_folder(folder: str | os.PathLike) -> None:
    """Waits until a folder is on the disk with all it holds."""
    for below, _, names in os.walk(os.fspath(folder)):
        for name in names:
            sync(os.path.join(below, name))
        sync(below)


def sync(path: str | os.PathLike) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot do it for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _put_back(replaced: pathlib.Path, folder: pathlib.Path) -> None:
    for old in replaced.iterdir() if replaced.is_dir() else ():
        if not os.path.lexists(folder / old.name):
            old.rename(folder / old.name)


def _remove_file(path: pathlib.Path) -> None:
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if locked(handle):
            path.unlink()
    finally:
        os.close(handle)


def _new_file(path: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Creates a temporary file beside a path; it is locked as long as its descriptor is open."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX, suffix=path.suffix)
        # Another program may take it for a left one before it is locked, and remove it.
        with contextlib.suppress(Busy):
            locked(handle)
            if os.path.lexists(name):
                return handle, pathlib.Path(name)
        os.close(handle)


@contextlib.contextmanager
def _new_folder(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Creates a temporary folder, locked while the block runs and removed with all it holds."""
    while True:
        beside = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
        lock = contextlib.ExitStack()
        try:
            lock.enter_context(held(beside / _LOCK))
        except (Busy, FileNotFoundError):
            continue  # Another program took it for a left one.
        with lock:
            try:
                yield beside
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return
