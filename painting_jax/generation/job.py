"""The interface of a painter: jobs in, painted processes out."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.subjects import PictureAndLabels, Subject
from painting_jax.instruction import tutorial
from painting_jax.instruction.tutorial import Choices


@dataclasses.dataclass(frozen=True)
class Job:
    """One picture to paint in one medium.

    Attributes:
      subject: Picture to paint.
      medium: Medium or mixture, as the user wrote it.
      folder: Folder for the result.
    """

    subject: Subject
    medium: str
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Painted:
    """A painted process.

    Attributes:
      job: Job that was painted.
      frames_THWC: Frames, uint8, from the blank canvas to the finished picture.
      parameters: All settings that it was painted with, in plain types.
      progress_T: Progress of each frame; None = even from 0 to 1.
      regions_HWC: Map of the regions with their numbers, uint8; None if the painter has none.
      raw_THWC: All frames that the model made, at the model's size, float32 in [0, 1], in the same
        order; None if the painter does not provide them.
    """

    job: Job
    frames_THWC: np.ndarray
    parameters: dict
    raw_THWC: np.ndarray | None = None
    progress_T: np.ndarray | None = None
    regions_HWC: np.ndarray | None = None

    @property
    def picture_HWC(self) -> np.ndarray:
        """The picture at the size of the frames, uint8."""
        return self._subject[0]

    @property
    def labels_HW(self) -> np.ndarray | None:
        """The map of regions that came with the picture, at the size of the frames; None = none."""
        return self._subject[1]

    @functools.cached_property
    def _subject(self) -> PictureAndLabels:
        # It is read once.
        picture_HWC, labels_HW = self.job.subject.load()
        size_HW = self.frames_THWC.shape[1:3]
        if labels_HW is not None:
            labels_HW = pictures.fit_labels(labels_HW, *size_HW)
        return pictures.resize(picture_HWC, *size_HW), labels_HW

    def tutorial(
        self, frames_THWC: np.ndarray, *, model: str, choices: Choices
    ) -> dict[str, bytes]:
        """Files of a tutorial of the process, by name.

        Args:
          frames_THWC: Its frames as they are to be shown, with their mark.
          model: Name of the model.
          choices: What it is to be like.
        """
        return tutorial.files(
            frames_THWC,
            self.picture_HWC,
            name=self.job.subject.name,
            medium=media.mixture(self.job.medium),
            model=model,
            progress_T=self.progress_T,
            labels_HW=self.labels_HW,
            choices=choices,
        )

    @property
    def is_mono(self) -> bool:
        """Whether the medium, or one of a mixture, has a single pigment."""
        return any(media.MEDIA[name].mono for name in media.mixture(self.job.medium))


class Painter(Protocol):
    """A model that paints pictures.

    Attributes:
      label: Name of the model in a video's metadata.
    """

    @property
    def label(self) -> str: ...

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        """Paints the jobs in their order, and yields each as soon as it is painted.

        Raises:
          UserError: If a picture cannot be read, or this painter cannot paint a job.
        """
        ...
