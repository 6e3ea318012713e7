"""Heaps of HDF5 files, in which texts and encoded pictures lie, checked before HDF5 walks them.

HDF5 goes from one object of a heap to the next by the sizes that they state, and so would stay for
ever at one that states none (HDF5 file format specification 3.0, section III.E).
"""

import struct
from typing import IO

from etils import epath

from painting_jax.errors import UserError

# Signature, version 1, reserved bytes; then the size of the heap.
_START = b"GCOL\1\0\0\0"
_HEAP = struct.Struct("<8sQ")
_OBJECT = struct.Struct("<HHIQ")  # number (0 is free space), references, reserved, size
_PIECE = 1 << 22


def check(path: epath.Path) -> None:
    """Refuses a file with a heap whose objects do not lie one after the other.

    The whole file is searched, since anything in it may refer to any place as a heap.

    Raises:
      UserError: If there is such a heap.
    """
    with path.open("rb") as file:
        at = 0
        while piece := _read(file, at, _PIECE):
            found = piece.find(_START)
            if found < 0:
                at += max(1, len(piece) - len(_START) + 1)
                continue
            if not _is_whole(file, at + found):
                raise UserError(f"{path} is damaged or no frame_data.h5: a heap of it is torn")
            at += found + len(_START)


def _is_whole(file: IO[bytes], start: int) -> bool:
    header = _read(file, start, _HEAP.size)
    if len(header) < _HEAP.size:
        return False
    at, end = start + _HEAP.size, start + _HEAP.unpack(header)[1]
    # What is left at the end is too small for an object.
    while at + _OBJECT.size <= end:
        stated = _read(file, at, _OBJECT.size)
        if len(stated) < _OBJECT.size:
            return False
        number, _, _, size = _OBJECT.unpack(stated)
        # Free space counts its own header, objects are padded to eight bytes.
        step = _OBJECT.size + -(-size // 8) * 8 if number else size
        if not _OBJECT.size <= step <= end - at:
            return False
        at += step
    return True


def _read(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
