"""Sources that yield nothing, and the file that lists them."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from painting_jax.errors import one_line

# Lists them in the folder of a data set, one JSON object a line.
FILE = "skipped.jsonl"


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A source named by the user that yields no process.

    Attributes:
      name: Name of the source, as the user knows it.
      reason: Why it was skipped.
    """

    name: str
    reason: str

    def __post_init__(self):
        # Both may quote file names, which hold anything, and both are stored in the data set.
        object.__setattr__(self, "name", one_line(self.name))
        object.__setattr__(self, "reason", one_line(self.reason))


def write(folder: pathlib.Path, sources: Sequence[Skipped]) -> None:
    """Writes the list to a folder that has none."""
    (folder / FILE).touch()
    for source in sources:
        append(folder, source)


def append(folder: pathlib.Path, source: Skipped) -> None:
    """Adds a source to the list in a folder."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(source)) + "\n")
