"""How large a record can be."""

from painting_jax.data import disk
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# A record is a protocol buffer, of 2 GiB at most.
_MOST = 19 * 10**8


def check(process: Process) -> None:
    """Checks that a process can be stored.

    Raises:
      UserError: If it is larger than a record can be.
    """
    size = sum(map(len, process.frames))
    if size > _MOST:
        raise UserError(
            f"its {len(process.frames)} frames take {disk.in_words(size)}, more than a record can "
            "hold: lower --size or --max_frames"
        )
