"""What is asked of a painter, and what it gives back."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from painting_jax.data.subjects import Subject


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture to paint in one medium.

    Attributes:
      subject: the picture.
      medium: as the user wrote it.
      folder: for the result.
    """

    subject: Subject
    medium: str
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Painted:
    """A painted process.

    Attributes:
      job: that asked for it.
      frames_THWC: uint8, from blank canvas to finished.
      parameters: everything it was painted with, in plain types.
      raw_THWC: float32 in [0, 1], in the same order: all frames that the model made, at its own
        size; None where the painter has none.
    """

    job: Job
    frames_THWC: np.ndarray
    parameters: dict
    raw_THWC: np.ndarray | None = None


class Painter(Protocol):
    """A model that paints pictures.

    Attributes:
      label: what a video's metadata calls the model.
    """

    @property
    def label(self) -> str: ...

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        """Paints the jobs, and gives each in its turn as soon as it is painted.

        Raises:
          UserError: if a picture cannot be read, or a job is not one for this painter.
        """
        ...
