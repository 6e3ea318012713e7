"""Reads sources into kept records: the part of `prepare` that processes and machines share.

What goes to others is pickled for them, and never from a file. What comes back is plain JSON.
"""

import dataclasses
import pathlib
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from painting_jax.data import kept_records, looks, pictures, remarks, sightings, workers
from painting_jax.data.process import Process
from painting_jax.errors import UserError

# The reason why there is no record, or None; and remarks.
Outcome = tuple[str | None, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Task:
    """A source to read.

    Attributes:
      item: What the reader takes.
      place: Path of the file for its record.
    """

    item: Any
    place: str


@dataclasses.dataclass(frozen=True)
class Keeper:
    """A function that reads the source of a task and keeps its record.

    Attributes:
      read: Reader of an item, which raises `UserError` if the item cannot be used.
    """

    read: Callable[[Any], Process]

    def __call__(self, task: Task) -> Outcome:
        """Returns the outcome; raises OSError if the record cannot be written."""
        with remarks.collected() as notes, sightings.collected() as seen:
            record, reason = attempted(self.read, task.item)
        if record is not None:
            look = looks.look(pictures.decode(record.reference))
            head = kept_records.Head(look, tuple(notes), seen.sighting())
            kept_records.write(task.place, record, head)
        return reason, notes


def attempted(function: Callable[[Any], Any], item: Any) -> tuple[Any, str | None]:
    """The result for an item and None, or None and the reason why there is none.

    Among thousands of files there are some that fail in ways nobody foresaw: these cost themselves
    alone, too.
    """
    try:
        return function(item), None
    except UserError as error:
        return None, str(error)
    except MemoryError:
        return None, workers.CRASHED
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(last.filename).name}:{last.lineno}"
        return None, f"an error that nobody foresaw: {type(error).__name__} in {where}: {error}"


def lost(task: Task, reason: str) -> Outcome:
    """The outcome of a task that nobody finished."""
    return reason, []
