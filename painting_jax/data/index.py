"""The index of a data set: what must be known of every process before any of them is read.

`prepare` writes it beside the records. Without it, the records themselves are read, which takes as
long as the data set is large; data sets of earlier versions have none.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from etils import epath

from painting_jax.data.process import Process
from painting_jax.errors import UserError

FILE = "rows.json"


@dataclasses.dataclass(frozen=True)
class Row:
    """A process without its pictures.

    Attributes:
      id: Identifier.
      medium: Name of the medium.
      caption: Subject and manner.
      frames: Number of stored frames.
      height: Height of a frame in pixels.
      width: Width of a frame in pixels.
    """

    id: str
    medium: str
    caption: str
    frames: int
    height: int
    width: int

    @classmethod
    def of(cls, process: Process) -> "Row":
        """The row of a process."""
        height, width = process.frame_HW
        return cls(process.id, process.medium, process.caption, len(process.frames), height, width)


def write(folder: epath.Path, rows: Mapping[str, Sequence[Row]]) -> None:
    """Writes the rows of each split, in the order of the records, to a data set in the making."""
    content = {split: [dataclasses.astuple(row) for row in some] for split, some in rows.items()}
    (folder / FILE).write_text(json.dumps(content))


def read(folder: epath.Path, split: str) -> tuple[Row, ...] | None:
    """The rows of a split; None if the data set has no index.

    Raises:
      UserError: If the index is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        rows = tuple(Row(*values) for values in json.loads(path.read_text())[split])
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): remove it to read the records") from None
    for row in rows:
        texts, numbers = (row.id, row.medium, row.caption), (row.frames, row.height, row.width)
        are_texts = all(isinstance(text, str) for text in texts)
        if not (are_texts and all(type(number) is int and number > 0 for number in numbers)):
            raise UserError(f"{path} is damaged ({row}): remove it to read the records")
    return rows
