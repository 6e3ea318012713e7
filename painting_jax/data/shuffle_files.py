"""Files in which TFDS sorts the records of a large data set, without TensorFlow.

TFDS's shuffler holds a gigabyte of records in memory. It writes what is beyond that to files, by
TensorFlow's file system, which this package does without.
"""

import os
import pathlib
import struct
from collections.abc import Iterator

from tensorflow_datasets.core import shuffle

# Key and number of bytes before each record.
_HEAD = struct.Struct("=16sQ")


class Bucket:
    """A file of records in any order, with the interface of TFDS's own.

    It is open only while it is written to: there are a thousand, and a process may have as few as
    256 files open.

    Args:
      path: Path of the file.
    """

    def __init__(self, path: os.PathLike):
        self._path = pathlib.Path(path)
        self._length = 0
        self.size = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: int, data: bytes) -> None:
        """Adds a record.

        Args:
          key: Its place in the order, an unsigned number of 128 bits.
          data: Its bytes.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_HEAD.pack(key.to_bytes(16, "big"), len(data)))
            file.write(data)
        self._length += 1
        self.size += len(data)

    def flush(self) -> None:
        """Does nothing: what was added is in the file."""

    def read_values(self) -> Iterator[tuple[int, bytes]]:
        """The records with their keys, in the order in which they were added."""
        if not self._length:
            return
        with self._path.open("rb") as file:
            while head := file.read(_HEAD.size):
                key, size = _HEAD.unpack(head)
                yield int.from_bytes(key, "big"), file.read(size)

    def del_file(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)


def use() -> None:
    """Lets TFDS sort records in these files."""
    shuffle._Bucket = Bucket
