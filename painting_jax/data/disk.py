"""The disk that a data set is written to: its free space, and what its file system refuses."""

import contextlib
import math
import pathlib
import re
import shutil
from collections.abc import Iterator

from painting_jax.errors import UserError

# The ArrayRecord writer reports file system errors as text only.
_REFUSED = re.compile(r"write\(\) failed: ([^;]+)")


def use(needed: int, path: pathlib.Path, *, spare: float, remedy: str) -> str:
    """A line on the disk space that a data set will take.

    Args:
      needed: Estimate in bytes.
      path: Its folder.
      spare: Share of the estimate that must be free.
      remedy: What to do about too little, for the error.

    Raises:
      UserError: If less is free.
    """
    line = f"the data set will take about {in_words(needed)} in {path}"
    above = next((folder for folder in path.parents if folder.exists()), path)
    try:
        free = shutil.disk_usage(above).free
    except OSError:
        # Not a disk of this machine.
        return line
    if spare * needed > free:
        raise UserError(f"{line}, where {in_words(free)} are free: {remedy}")
    return f"{line}, where {in_words(free)} are free"


def in_words(count: float) -> str:
    """Bytes as disks are sold, such as "3.2 GB"."""
    power = min(3, int(math.log10(max(count, 1)) // 3))
    unit = ("bytes", "kB", "MB", "GB")[power]
    return f"{count / 1000**power:.{min(power, 1)}f} {unit}"


@contextlib.contextmanager
def refusals_told(path: pathlib.Path) -> Iterator[None]:
    """Turns an error of the file system in the block into a `UserError`.

    Args:
      path: What the block writes.

    Raises:
      UserError: If the file system refuses it.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise UserError(f"{path} cannot be written: {reason}") from error


def _refusal(error: OSError | RuntimeError) -> str | None:
    """The reason that the file system gave; None for any other error."""
    if match := _REFUSED.search(str(error)):
        return match[1]
    # TFDS wraps system errors into errors without a number.
    for cause in (error, error.__cause__):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return None
