"""A lock between processes of one machine."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from etils import epath

from painting_jax.errors import UserError


@contextlib.contextmanager
def alone(path: epath.PathLike, refusal: str) -> Iterator[None]:
    """Locks a path against other processes of this machine while the block runs.

    The lock is also released when the process ends for any reason.

    Args:
      path: Path of a file or a folder, which need not exist.
      refusal: Message of the error.

    Raises:
      UserError: If another process holds the lock.
    """
    # The lock file is in the folder for temporary files, as the path's folder may not exist yet.
    name = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:32]
    lock = pathlib.Path(tempfile.gettempdir()) / f"painting_jax_{name}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(refusal) from None
        yield
