"""Which examples each step saw: a line of JSON a step, so that a bad step can be traced."""

import json
import os
import pathlib

import numpy as np


class ExamplesLog:
    """Appends to a file that always tells of the steps before the state's own.

    Args:
      path: of the file.
      step: that training starts from; lines of later steps, left by a run that was cut off after
        its last checkpoint, are taken away.
    """

    def __init__(self, path: str | os.PathLike, step: int):
        self._path = pathlib.Path(path)
        kept = b""
        if self._path.exists():
            # The last line may be torn; whole ones have their step in order.
            lines = self._path.read_bytes().splitlines(keepends=True)
            kept = b"".join(lines[:step])
        beside = self._path.with_suffix(".beside")
        beside.write_bytes(kept)
        beside.replace(self._path)
        self._file = self._path.open("a")

    def write(self, step: int, rows_B: np.ndarray) -> None:
        """Notes the rows of the training split that a step, counted from 0, takes."""
        self._file.write(json.dumps({"step": step, "rows": rows_B.tolist()}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
