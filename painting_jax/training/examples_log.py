"""Log of the examples that each step used, one line of JSON per step, to trace a bad step."""

import json
import os
import pathlib

import numpy as np

from painting_jax.files import written_beside


class ExamplesLog:
    """Appends to a log that holds a line for each step before the current one.

    Args:
      path: Path of the file.
      step: Step that training starts from. Lines of later steps are removed; a run that was
        interrupted after its last checkpoint leaves some.
    """

    def __init__(self, path: str | os.PathLike, step: int):
        self._path = pathlib.Path(path)
        kept = b""
        if self._path.exists():
            # Lines are in the order of their steps. The last one may be incomplete.
            lines = self._path.read_bytes().splitlines(keepends=True)
            kept = b"".join(lines[:step])
        with written_beside(self._path) as beside:
            beside.write_bytes(kept)
        self._file = self._path.open("a")

    def write(self, step: int, rows_B: np.ndarray) -> None:
        """Logs the rows of the training split that a step uses; steps are counted from 0."""
        self._file.write(json.dumps({"step": step, "rows": rows_B.tolist()}) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Waits until all lines are on the disk: a checkpoint is no older than its examples."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
