"""Painters with the model of a training run: one of its own, or a finetuned published model."""

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tqdm
from etils import epath

from painting_jax import media
from painting_jax.checkpoints.adapters import LoraSpec
from painting_jax.config_checks import read_run
from painting_jax.data import depth, pipeline, region_map
from painting_jax.data.framing import Framing
from painting_jax.data.keeping import kept
from painting_jax.data.segmentation import segment
from painting_jax.diffusion.samplers import DISTILLED
from painting_jax.diffusion.step_cache import StepCache
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.job import Job, Painted
from painting_jax.generation.magnitudes_file import NAME, MagnitudesFile
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.generation.placement import Placement
from painting_jax.generation.pretrained import PretrainedPainter
from painting_jax.generation.run import Run
from painting_jax.tasks.exports import left_by
from painting_jax.tasks.finetune import EMBEDDINGS
from painting_jax.tasks.published import expert_index, open_base
from painting_jax.tasks.task import make_model, shapes_of

# Longer side in pixels up to which a picture is painted at its own size.
OWN_SIZE = 1024


# A picture is painted in one medium after the other.
_segment, _numbered = kept(segment), kept(region_map.numbered)


@dataclasses.dataclass(frozen=True)
class RunPainter:
    """A `Painter` that paints in batches of a fixed size.

    Attributes:
      run: Run whose model paints.
      prompt: What is painted and how.
      segments: Origin of the segment maps, for the record.
      other_look: Whether the pictures are another look of what is painted, such as a line drawing.
      frames: Number of frames of a process; None = the run's.
      steps: Number of sampling steps; None = the run's.
      guidance: Scale of classifier-free guidance, 1 = none; None = the run's.
      seed: Seed of the noise.
      size: Longer side of the paintings in pixels, where the model paints at any size; None = the
        picture's own, up to `OWN_SIZE`.
      part: Progress of the first and of the last frame; only where the model paints at any size.
      order: Numbers of the regions that are painted first, in this order; the others follow.
      canvas_HWC: Canvas from which the process goes on, of the picture's shape, see
        `going_on.Canvas`; None = a blank one.
      from_estimated: Whether the progress of the first frame was estimated from the canvas, for the
        record.
      step_cache: Threshold of the step cache, see `step_cache.skipped_steps`; 0 = none.
      magnitudes: File that keeps what the step cache measures; needed with a threshold.
      on_step: Called after each sampling step; what it raises ends the painting. None takes steps
        at once where it can, which changes no frame.
    """

    run: Run
    prompt: str = ""
    segments: str = "automatic"
    other_look: bool = False
    frames: int | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    size: int | None = None
    part: tuple[float, float] = (0.0, 1.0)
    order: tuple[int, ...] = ()
    canvas_HWC: np.ndarray | None = None
    from_estimated: bool = False
    step_cache: float = 0.0
    magnitudes: MagnitudesFile | None = None
    on_step: Callable[[], object] | None = None

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
            # Every medium is checked before the first picture is painted.
            media.row_weights(media.mixture(job.medium), config.model.media)
        if unknown := self.run.text_conditioner.unknown(self.prompt):
            words = ", ".join(unknown)
            print(f"warning: the model does not know these words: {words}", file=sys.stderr)
        size = min(len(jobs), config.data.batch_size)
        cache = self.magnitudes.cache(self.step_cache) if self.step_cache else None
        with tqdm.tqdm(total=len(jobs), unit="process", disable=None) as progress:
            for start in range(0, len(jobs), size):
                chunk = jobs[start : start + size]
                rows, placements, maps = zip(*[self._row(job) for job in chunk], strict=True)
                # The last batch is padded, since another size would need another compilation.
                filled = [*rows, *[rows[-1]] * (size - len(rows))]
                painted = self._painted(filled, cache, settings)
                for job, placement, regions_HWC, frames_THWC in zip(
                    chunk, placements, maps, painted, strict=False
                ):
                    cached = {}
                    if cache:
                        self.magnitudes.keep(cache)
                        cached = cache.parameters
                    parameters = {
                        "picture": job.subject.origin,
                        "medium": media.mixture(job.medium),
                        "prompt": self.prompt,
                        "unknown_words": unknown,
                        "segments": self.segments,
                        "other_look": self.other_look,
                        "order": list(self.order),
                        "goes_on_from_a_canvas": self.canvas_HWC is not None,
                        "from": self.part[0],
                        "from_estimated": self.from_estimated,
                        "until": self.part[1],
                        **settings,
                        **cached,
                    }
                    progress_T = np.linspace(*self.part, len(frames_THWC))
                    yield Painted(
                        job,
                        placement.between_bars(placement.framing.cut(frames_THWC)),
                        parameters,
                        progress_T=progress_T,
                        regions_HWC=regions_HWC,
                    )
                    progress.update()

    def _painted(
        self, rows: Sequence[dict], cache: StepCache | None, settings: dict
    ) -> Iterable[np.ndarray]:
        """Frames of each row, at the row's size."""
        if self.run.paints_any_size:
            single = [pipeline.stack([row]) for row in rows]
            return self.run.generate_each(
                single, part=self.part, cache=cache, on_step=self.on_step, **settings
            )
        return self.run.generate(
            pipeline.stack(rows), cache=cache, on_step=self.on_step, **settings
        )

    def _framing(self, shape_HW: tuple[int, int], share: float) -> Framing:
        """Where a picture of this shape lies on the canvas, and how large the canvas is.

        Its longer side is that share of the longer side of the painting with its bars.
        """
        seen = self.run.seen_HW
        if not self.run.paints_any_size:
            return Framing.of(shape_HW, *seen)
        whole = max(shape_HW) / share
        zoom = (self.size or min(whole, OWN_SIZE)) / whole
        sides = [max(1, round(side * zoom)) for side in shape_HW]
        # Whole multiples of what the tokens see: few sizes of canvas need few compiled programs.
        times = math.ceil(max(side / least for side, least in zip(sides, seen, strict=True)))
        if times == 1 and not self.size:
            return Framing.of(shape_HW, *seen)
        return Framing.around(*sides, *(times * least for least in seen))

    def _row(self, job: Job) -> tuple[dict[str, np.ndarray], Placement, np.ndarray]:
        """Conditions of one job, the place of its picture on the canvas, and its regions' map."""
        picture_HWC, labels_HW = job.subject.load()
        placement = Placement.of(picture_HWC, self._framing)
        reference_HWC = placement.place(picture_HWC)
        mixture, model = media.mixture(job.medium), self.run.config.model
        # Without a map, the framed picture is segmented, as in training.
        labels_HW = (
            _segment(reference_HWC) if labels_HW is None else placement.place_labels(labels_HW)
        )
        inner = (placement.framing.cut(x[None])[0] for x in (reference_HWC, labels_HW))
        regions_HWC = placement.between_bars(_numbered(*inner)[None])[0]
        labels_HW = self._in_order(labels_HW)
        row = {
            "reference_BHWC": reference_HWC,
            "other_look_B": np.asarray(self.other_look),
            "medium_BM": media.row_weights(mixture, model.media),
            **self.run.text_conditioner.encode(self.prompt, mixture),
            "segments_BHW": labels_HW,
            **(depth.arrays(reference_HWC, labels_HW) if model.behind_guides else {}),
        }
        if self.canvas_HWC is not None:
            row |= {"canvas_BHWC": placement.place(self.canvas_HWC), "given_B": np.asarray(True)}
        return row, placement, regions_HWC

    def _in_order(self, labels_HW: np.ndarray) -> np.ndarray:
        """The regions in the order that is asked for."""
        try:
            return region_map.reordered(labels_HW, self.order) if self.order else labels_HW
        except ValueError:
            numbers = np.unique(labels_HW[labels_HW > 0]).tolist()
            there = ", ".join(map(str, numbers)) or "none"
            raise UserError(
                f"--order={','.join(map(str, self.order))}: name regions of the picture, each "
                f"once: {there}; regions.png, which generate leaves, shows them"
            ) from None


def finetuned_painter(
    workdir: str | os.PathLike,
    overrides: SamplingOverrides,
    *,
    devices: Devices | None = None,
    dtype: str | None = None,
    cache: str | None = None,
    on_step: Callable[[], object] | None = None,
) -> PretrainedPainter:
    """A painter with the published model that a run finetuned and the run's LoRA or transformer.

    Args:
      workdir: Folder of the run.
      overrides: Sampling overrides. All other settings come from the run's config.
      devices: As of `PretrainedPainter`.
      dtype: Dtype, see `PretrainedPainter`; None = the run's.
      cache: Folder that caches text embeddings; None = the run's.
      on_step: As of `PretrainedPainter`.

    Raises:
      UserError: If the run has exported nothing yet, or its base model has changed.
    """
    config = read_run(workdir)
    run = epath.Path(workdir)
    folder = open_base(config, run)
    exported = left_by(run, config)
    data, sampling = config.data, config.sampling
    own: dict[str, Any] = {
        "sampler": sampling.sampler,
        "frames": data.frames,
        "max_area": data.height * data.width,
    }
    if overrides.sampler not in DISTILLED:
        own |= {name: sampling[name] for name in ("steps", "shift", "guidance")}
    own = {name: value for name, value in own.items() if getattr(overrides, name) is None}
    if overrides.height is None and overrides.width is None and overrides.max_area is None:
        own["buckets"] = shapes_of(config, make_model(config)).buckets
    index = expert_index(config)
    return PretrainedPainter(
        folder,
        dataclasses.replace(overrides, **own),
        devices=devices,
        dtype=dtype or config.model.dtype,
        loras=[*[()] * index, [LoraSpec(str(exported))]] if config.lora.enabled else (),
        files=() if config.lora.enabled else (*[None] * index, str(exported)),
        takes_first_frame=True,
        cache=cache or str(run / EMBEDDINGS),
        magnitudes=run / NAME,
        on_step=on_step,
    )
