"""Locks between processes that write to one folder, on one machine or on several that share it.

Folders in buckets have locks of another kind, see `bucket_lock`.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import stat
import sys
from collections.abc import Callable, Iterator

from painting_jax import bucket_lock, remote_paths
from painting_jax.errors import UserError

NAME = ".lock"  # File in a folder that is being written, or end of the name of one beside it.
_LONGEST = 255  # maximum bytes of a file name on nearly every file system

# Some file systems have no locks.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class Busy(Exception):
    """Raised if another process holds a lock."""


@contextlib.contextmanager
def alone(folder: str | os.PathLike, refusal: str) -> Iterator[Callable[[], None]]:
    """Keeps other processes out of a folder while the block runs.

    The lock is a file in the folder, so that it does not matter on which machine, for which user or
    with which temporary folder the others run. It is also released when the process ends for any
    reason. The folder is created if it is missing, and removed again if the block leaves it empty.

    Args:
      folder: Path of the folder.
      refusal: Message of the error.

    Yields:
      A function that raises UserError if the lock has been lost, which happens in buckets alone.

    Raises:
      UserError: If another process holds the lock, or something else lies in its place.
    """
    if remote_paths.in_bucket(folder):
        with bucket_lock.held(f"{os.fspath(folder)}/{NAME}", refusal) as check:
            yield check
    else:
        with _alone(pathlib.Path(folder), NAME, refusal):
            yield _nothing


def _nothing() -> None:
    pass


@contextlib.contextmanager
def alone_beside(path: str | os.PathLike, refusal: str) -> Iterator[None]:
    """Keeps other processes from writing a file, or a folder that is written beside its place.

    The lock is a hidden file beside the path, else as of `alone`. The folder above the path is
    created if it is missing, and removed again if the block leaves it empty.

    Args:
      path: Path of the file or folder, which need not exist.
      refusal: Message of the error.

    Raises:
      UserError: As in `alone`.
    """
    path = pathlib.Path(os.path.abspath(path))
    # A name may be as long as the file system allows.
    name = path.name.encode()[: _LONGEST - len(NAME) - 1].decode(errors="ignore")
    with _alone(path.parent, f".{name}{NAME}", refusal):
        yield


@contextlib.contextmanager
def _alone(folder: pathlib.Path, name: str, refusal: str) -> Iterator[None]:
    with with_parents(folder), contextlib.ExitStack() as at_end:
        while True:
            try:
                is_locked = at_end.enter_context(held(folder / name))
                break
            except Busy:
                raise UserError(refusal) from None
            except FileNotFoundError:
                # Another process, which had created the folder, left it empty and removed it.
                folder.mkdir(parents=True, exist_ok=True)
        if not is_locked:
            print(f"{folder} has no locks: let nothing else write to it", file=sys.stderr)
        yield


@contextlib.contextmanager
def held(path: str | os.PathLike) -> Iterator[bool]:
    """Holds the lock of a file, which is created, and removed at the end.

    Nothing is ever written to the file: it may have been made by somebody else.

    Yields:
      Whether it is locked; False on file systems without locks.

    Raises:
      Busy: If another process holds it.
      UserError: If the path is a link or no regular file, or may not be locked.
    """
    path = pathlib.Path(path)
    descriptor, is_locked = _acquire(path)
    try:
        yield is_locked
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Locks an open file until it is closed; False if its file system has no locks.

    Raises:
      Busy: If another process has locked it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _acquire(path: pathlib.Path) -> tuple[int, bool]:
    while True:
        descriptor = _open(path)
        try:
            is_locked = locked(descriptor)
            # Its former holder may have removed the file after it was opened here.
            if _lies_at(path, descriptor):
                return descriptor, is_locked
        except OSError as error:
            os.close(descriptor)
            if error.errno == errno.EBADF:  # NFS: only those who may write may lock.
                raise UserError(f"{path} is another user's lock: remove it") from None
            raise
        except Busy:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _open(path: pathlib.Path) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:
            if not os.path.lexists(path):
                raise
            # Another user's, who could not give it to the group. Reading is enough for a lock.
            descriptor = os.open(path, flags | os.O_RDONLY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"{path} is a link, where a lock belongs: remove it") from None
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise UserError(f"{path} is no file, where a lock belongs: remove it") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            if os.path.lexists(path):
                raise UserError(f"{path} is another user's lock: remove it") from None
            raise UserError(f"{path.parent} is write-protected: name another folder") from None
        raise
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is no file, where a lock belongs: remove it")
    # Whoever may write to the folder may lock it, also after this process has been killed.
    mode = os.stat(path.parent).st_mode & 0o666
    if opened.st_uid == os.geteuid() and opened.st_nlink == 1 and opened.st_size == 0:
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)
    return descriptor


def _lies_at(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def with_parents(folder: pathlib.Path) -> Iterator[None]:
    """Creates a folder and those above it; those that are empty at the end are removed again."""
    missing = []
    for above in (folder, *folder.parents):
        if os.path.lexists(above):
            if not above.is_dir():
                raise UserError(f"{above} is no folder: name another place")
            break
        missing.append(above)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for made in missing:
            with contextlib.suppress(OSError):
                made.rmdir()
