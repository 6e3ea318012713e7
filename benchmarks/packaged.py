"""Paintings with the packaged weights, or with a run in their place."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from painting_jax.data.subjects import Subject
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.run import Run
from painting_jax.training.released import PACKAGED


def load(workdir: str | None = None) -> Run:
    """The packaged weights, or those of a run."""
    return Run.load(workdir or PACKAGED)


def paint(run: Run, picture_HWC: np.ndarray, media: Sequence[str], **settings) -> Iterator[Painted]:
    """Paints a picture in each medium.

    Args:
      run: What `load` gives.
      picture_HWC: uint8 RGB.
      media: Names of media.
      **settings: Those of `RunPainter`.
    """
    subject = Subject("picture", "picture", lambda: (picture_HWC, None))
    jobs = [Job(subject, medium, pathlib.Path(medium)) for medium in media]
    return RunPainter(run, **settings).generate(jobs)
