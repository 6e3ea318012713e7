"""One process of this machine at a time."""

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
    """Keeps other processes of this machine from the same path while the block runs.

    The path is free again when the process has ended, however it did.

    Args:
      path: a file or a folder, which need not exist.
      refusal: what a process is told that comes second.

    Raises:
      UserError: if another process is at it.
    """
    # Not beside the path, whose folder may not exist yet, and is left alone if nothing comes of it.
    name = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:32]
    lock = pathlib.Path(tempfile.gettempdir()) / f"painting_jax_{name}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(refusal) from None
        yield
