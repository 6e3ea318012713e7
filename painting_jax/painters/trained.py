"""Paints with the model of a training run."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tqdm

from painting_jax import media
from painting_jax.data import pipeline
from painting_jax.data.framing import Framing
from painting_jax.data.segmentation import segment
from painting_jax.painters.job import Job, Painted
from painting_jax.training.trained_model import TrainedModel


@dataclasses.dataclass(frozen=True)
class TrainedPainter:
    """A `Painter` that paints in batches of one size.

    Attributes:
      model: of the run.
      prompt: what is painted and how.
      segments: where the regions' maps are from, in words.
      frames: of a process; None = the run's.
      steps: of the sampler; None = the run's.
      guidance: 1 = none; None = the run's.
      seed: of the noise.
    """

    model: TrainedModel
    prompt: str
    segments: str
    frames: int | None
    steps: int | None
    guidance: float | None
    seed: int

    @property
    def label(self) -> str:
        return self.model.label

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        config = self.model.config
        sampling = {
            "frames": self.frames or self.model.task.frames,
            "steps": self.steps or config.sampling.steps,
            "guidance": config.sampling.guidance if self.guidance is None else self.guidance,
            "seed": self.seed,
        }
        for job in jobs:
            # Before any of them is painted.
            media.row_weights(media.mixture(job.medium), config.model.media)
        size = min(len(jobs), config.data.batch_size)
        with tqdm.tqdm(total=len(jobs), unit="process", disable=None) as progress:
            for start in range(0, len(jobs), size):
                chunk = jobs[start : start + size]
                rows, framings = zip(*[self._row(job) for job in chunk], strict=True)
                # The last batch is filled up: another size would be compiled anew.
                filled = [*rows, *[rows[-1]] * (size - len(rows))]
                frames_BTHWC = self.model.generate(pipeline.stack(filled), **sampling)
                for job, framing, frames_THWC in zip(chunk, framings, frames_BTHWC, strict=False):
                    parameters = {
                        "image": job.subject.origin,
                        "medium": media.mixture(job.medium),
                        "prompt": self.prompt,
                        "segments": self.segments,
                        **sampling,
                    }
                    yield Painted(job, framing.cut(frames_THWC), parameters)
                    progress.update()

    def _row(self, job: Job) -> tuple[dict[str, np.ndarray], Framing]:
        """The conditions of one job, and where its picture lies on the model's canvas."""
        data = self.model.config.data
        picture_HWC, labels_HW = job.subject.load()
        framing = Framing.of(picture_HWC.shape[:2], data.height, data.width)
        reference_HWC = framing.place(picture_HWC)
        mixture = media.mixture(job.medium)
        # A map that is not given is found on what the model sees, as in training.
        labels_HW = segment(reference_HWC) if labels_HW is None else framing.place_labels(labels_HW)
        row = {
            "reference_BHWC": reference_HWC,
            "medium_BM": media.row_weights(mixture, self.model.config.model.media),
            **self.model.words.row(self.prompt, mixture),
            "segments_BHW": labels_HW,
        }
        return row, framing
