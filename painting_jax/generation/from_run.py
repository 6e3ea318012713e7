"""Painters with the model of a training run: its own, or the published one it finetuned."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tqdm
from jax.sharding import Mesh

from painting_jax import media
from painting_jax.checkpoints.adapters import LoraSpec
from painting_jax.config import read_config
from painting_jax.data import pipeline
from painting_jax.data.framing import Framing
from painting_jax.data.segmentation import segment
from painting_jax.diffusion.samplers import DISTILLED
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.generation.run import Run
from painting_jax.tasks.exports import left_by
from painting_jax.tasks.finetune import EMBEDDINGS
from painting_jax.tasks.published import expert_index, open_base


@dataclasses.dataclass(frozen=True)
class RunPainter:
    """A `Painter` that paints in batches of one size.

    Attributes:
      run: Run whose model paints.
      prompt: What is painted and how.
      segments: Where the segment maps come from, for the record.
      frames: Frames of a process; None = the run's.
      steps: Number of sampling steps; None = the run's.
      guidance: Scale of guidance, 1 = none; None = the run's.
      seed: Seed of the noise.
    """

    run: Run
    prompt: str = ""
    segments: str = "automatic"
    frames: int | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0

    @property
    def label(self) -> str:
        return self.run.label

    def generate(self, jobs: Sequence[Job]) -> Iterator[Painted]:
        config = self.run.config
        settings: dict[str, Any] = {
            "frames": self.frames or self.run.task.frames,
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
                frames_BTHWC = self.run.generate(pipeline.stack(filled), **settings)
                for job, framing, frames_THWC in zip(chunk, framings, frames_BTHWC, strict=False):
                    parameters = {
                        "picture": job.subject.origin,
                        "medium": media.mixture(job.medium),
                        "prompt": self.prompt,
                        "segments": self.segments,
                        **settings,
                    }
                    yield Painted(job, framing.cut(frames_THWC), parameters)
                    progress.update()

    def _row(self, job: Job) -> tuple[dict[str, np.ndarray], Framing]:
        """The conditions of one job, and where its picture lies on the model's canvas."""
        data = self.run.config.data
        picture_HWC, labels_HW = job.subject.load()
        framing = Framing.of(picture_HWC.shape[:2], data.height, data.width)
        reference_HWC = framing.place(picture_HWC)
        mixture = media.mixture(job.medium)
        # Without a map, one is made from what the model sees, as in training.
        labels_HW = segment(reference_HWC) if labels_HW is None else framing.place_labels(labels_HW)
        row = {
            "reference_BHWC": reference_HWC,
            "medium_BM": media.row_weights(mixture, self.run.config.model.media),
            **self.run.text_conditioner.encode(self.prompt, mixture),
            "segments_BHW": labels_HW,
        }
        return row, framing


def finetuned_painter(
    workdir: str | os.PathLike,
    overrides: SamplingOverrides,
    *,
    mesh: Mesh | None = None,
    dtype: str | None = None,
    cache: str | None = None,
) -> PretrainedPainter:
    """The published model that a run finetuned, with the run's LoRA or its transformer.

    Args:
      workdir: Folder of the run.
      overrides: What the user asks for; everything else is as in the run's config.
      mesh: As in `PretrainedPainter`.
      dtype: As in `PretrainedPainter`; None = the run's.
      cache: Folder of known text embeddings; None = the run's.

    Raises:
      UserError: If the run has exported nothing yet, or its base has changed.
    """
    config = read_config(workdir)
    run = pathlib.Path(workdir)
    folder = open_base(config, run)
    exported = left_by(run, config)
    data, sampling = config.data, config.sampling
    own = {
        "sampler": sampling.sampler,
        "frames": data.frames,
        "max_area": data.height * data.width,
    }
    if overrides.sampler not in DISTILLED:
        own |= {name: sampling[name] for name in ("steps", "shift", "guidance")}
    own = {name: value for name, value in own.items() if getattr(overrides, name) is None}
    index = expert_index(config)
    return PretrainedPainter(
        folder,
        dataclasses.replace(overrides, **own),
        mesh=mesh,
        dtype=dtype or config.model.dtype,
        loras=[*[()] * index, [LoraSpec(str(exported))]] if config.lora.enabled else (),
        files=() if config.lora.enabled else (*[None] * index, str(exported)),
        cache=cache or str(run / EMBEDDINGS),
    )
