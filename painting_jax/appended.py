"""Files that grow at their end, on a disk or in a bucket."""

import os

from painting_jax import buckets, remote_paths


class Appended:
    """A file to append to; it is created if it is missing.

    On a disk, all that is written is in the file at once. To a bucket it is sent with `sync`.

    Args:
      path: Path of the file.
    """

    def __init__(self, path: str | os.PathLike):
        self._path = os.fspath(path)
        self._kept = bytearray()
        self._file = None if remote_paths.in_bucket(path) else open(path, "ab", buffering=0)  # noqa: SIM115

    def write(self, content: bytes) -> None:
        """Appends bytes."""
        if self._file is None:
            self._kept += content
        else:
            self._file.write(content)

    def sync(self) -> None:
        """Waits until all that was written is on the disk, or in the bucket.

        Raises:
          UserError: If the bucket refuses it.
        """
        if self._file is not None:
            os.fsync(self._file.fileno())
        elif self._kept:
            buckets.append(self._path, bytes(self._kept))
            self._kept.clear()

    def close(self) -> None:
        """Closes the file, once all of it is there."""
        if self._file is None:
            self.sync()
        else:
            self._file.close()
