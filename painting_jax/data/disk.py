"""The disk space that a data set will take, compared with what is free."""

import math
import pathlib
import shutil

from painting_jax.errors import UserError


def use(needed: int, path: pathlib.Path, *, spare: float, lower: str) -> str:
    """A line on the disk space that a data set will take.

    Args:
      needed: Estimate in bytes.
      path: Its folder.
      spare: Share of the estimate that must be free.
      lower: What to lower to need less, for the error.

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
        raise UserError(
            f"{line}, where {in_words(free)} are free: name another --data_dir, or lower {lower}"
        )
    return f"{line}, where {in_words(free)} are free"


def in_words(count: float) -> str:
    """Bytes as disks are sold, such as "3.2 GB"."""
    power = min(3, int(math.log10(max(count, 1)) // 3))
    unit = ("bytes", "kB", "MB", "GB")[power]
    return f"{count / 1000**power:.{min(power, 1)}f} {unit}"
