"""How many frames the fragments of an mp4 claim to have.

FFmpeg takes memory for each frame that is claimed: three gigabytes for a file of two kilobytes.
"""

import re

from etils import epath

from painting_jax.data import file_kinds
from painting_jax.errors import UserError

# A run of frames: its name, version and flags, and how many there are.
_RUN = re.compile(rb"trun[\0\1]\0[\0-\x0f][\0\1\4\5](.{4})", re.DOTALL)
_LONGEST = 12  # bytes that the pattern matches
_PIECE = 1 << 22


def check(path: epath.Path) -> None:
    """Refuses a file that claims more frames than it has bytes.

    The whole file is searched, whatever its structure says: FFmpeg follows that in ways of its own.

    Raises:
      UserError: If there are too many, or if it is no regular file.
    """
    file_kinds.check_regular(path)
    size, claimed = path.stat().length, 0
    with path.open("rb") as file:
        kept = b""
        while piece := file.read(_PIECE):
            data = kept + piece
            claimed += sum(int.from_bytes(found[1], "big") for found in _RUN.finditer(data))
            if claimed > size:
                raise UserError(f"{path} claims {claimed} frames, and has {size} bytes")
            kept = data[-(_LONGEST - 1) :]
