"""Log of the examples that each step used, one line of JSON per step, to trace a bad step.

A training of several processes has a log of each, with the rows that the process has read.
"""

import json
import os

import jax
import numpy as np
from etils import epath

from painting_jax.appended import Appended
from painting_jax.files import written_beside

_ALONE = "examples.jsonl"


class ExamplesLog:
    """Appends to a log that holds lines of steps before the current one.

    Args:
      path: Path of the file.
      step: Step that training starts from. Lines of later steps are removed; a run that was
        interrupted after its last checkpoint leaves some.
    """

    def __init__(self, path: str | os.PathLike, step: int):
        _keep_before(step, epath.Path(path))
        self._file = Appended(path)

    @classmethod
    def of_process(cls, folder: str | os.PathLike, step: int) -> "ExamplesLog":
        """The log of this process in a run's folder.

        The run may have begun with another number of processes. Process 0 removes lines of later
        steps from the logs that are written no more.
        """
        count = jax.process_count()
        names = [_ALONE] if count == 1 else [f"examples-{index}.jsonl" for index in range(count)]
        if jax.process_index() == 0:
            for path in epath.Path(folder).glob("examples*.jsonl"):
                if path.name not in names:
                    _keep_before(step, path)
        return cls(epath.Path(folder) / names[jax.process_index()], step)

    def write(self, step: int, rows_B: np.ndarray) -> None:
        """Logs the rows of the training split that a step uses; steps are counted from 0."""
        line = json.dumps({"step": step, "rows": rows_B.tolist()})
        self._file.write(f"{line}\n".encode())

    def sync(self) -> None:
        """Waits until all lines are kept: a checkpoint is no older than its examples."""
        self._file.sync()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _keep_before(step: int, path: epath.Path) -> None:
    kept = []
    if path.exists():
        # Lines are in the order of their steps. The last ones may be torn.
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                if not line.endswith(b"\n") or json.loads(line)["step"] >= step:
                    break
            except ValueError:
                break
            kept.append(line)
    with written_beside(path) as beside:
        beside.write_bytes(b"".join(kept))
