"""Paints pictures: shows how they could be painted, from blank canvas to last detail.

  python -m painting_jax.generate --workdir=RUN --image=PICTURE --medium=oil --output=OUT

--image takes a picture, a folder or a "pattern*.jpg", and may be repeated; so may --medium, which
takes a medium or a mixture such as oil:0.7,pencil:0.3. Each picture in each medium gets a folder
in OUT: process.mp4, process.webp, contact_sheet.png, steps/NN.png and process.json.
--held_out=COUNT takes pictures that the run was not trained on instead.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterable

import numpy as np
import tqdm
from absl import flags

from painting_jax import cli, media
from painting_jax.data import pipeline, subjects
from painting_jax.data.framing import Framing
from painting_jax.data.segmentation import segment
from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.report import tutorial
from painting_jax.training.trained_model import TrainedModel

_WORKDIR = flags.DEFINE_string("workdir", None, "The training run whose model paints.")
_IMAGE = flags.DEFINE_multi_string("image", [], "Picture, folder or pattern; may be repeated.")
_HELD_OUT = flags.DEFINE_integer("held_out", 0, "So many pictures of the data set's test split.")
_MEDIUM = flags.DEFINE_multi_string(
    "medium", ["oil"], f"Medium or mixture; may be repeated. Known: {', '.join(media.MEDIA)}."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_FRAMES = flags.DEFINE_integer("frames", None, "Frames of the process [default: the model's].")
_STEPS = flags.DEFINE_integer("steps", None, "Sampling steps [default: the run's].")
_GUIDANCE = flags.DEFINE_float("guidance", None, "Strength of guidance [default: the run's].")
_SEED = flags.DEFINE_integer("seed", 0, "Of the noise: the same seed gives the same video.")
_PROMPT = flags.DEFINE_string(
    "prompt", "", "What is painted and how, as in 'a cat, on a warm ground, from the left'."
)
_SEGMENTS = flags.DEFINE_string(
    "segments",
    None,
    "Map of the regions, one flat colour each, painted from the darkest to the lightest; or a "
    "folder of maps named like the pictures [default: found automatically].",
)
_FPS = flags.DEFINE_float("fps", None, "Frames a second [default: six seconds in all].")

_MOST_FRAMES = 512


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


def main() -> None:
    """Paints what the flags name."""
    _check_flags()
    given = subjects.from_files(_IMAGE.value, _SEGMENTS.value) if _IMAGE.value else []
    model = TrainedModel.load(_WORKDIR.value)
    if _HELD_OUT.value:
        data = model.config.data
        source = pipeline.Source(data.data_dir, "test", data.dataset)
        given += subjects.held_out(source, _HELD_OUT.value)
    jobs = _jobs(given)
    generate(model, jobs)
    for job in jobs:
        print(job.folder)


def generate(model: TrainedModel, jobs: list[Job]) -> None:
    """Paints the jobs in batches of one size, and writes each as soon as it is painted."""
    config = model.config
    sampling = {
        "frames": _FRAMES.value or config.data.frames,
        "steps": _STEPS.value or config.sampling.steps,
        "guidance": config.sampling.guidance if _GUIDANCE.value is None else _GUIDANCE.value,
        "seed": _SEED.value,
    }
    size = min(len(jobs), config.data.batch_size)
    with tqdm.tqdm(total=len(jobs), unit="process", disable=None) as progress:
        for chunk in _chunks(jobs, size):
            rows, framings = zip(*[_row(model, job) for job in chunk], strict=True)
            # The last batch is filled up: another size would be compiled anew.
            filled = [*rows, *[rows[-1]] * (size - len(rows))]
            frames_BTHWC = model.generate(pipeline.stack(filled), **sampling)
            for job, framing, frames_THWC in zip(chunk, framings, frames_BTHWC, strict=False):
                tutorial.write(
                    job.folder,
                    framing.cut(frames_THWC),
                    title=f"{job.subject.name}, {job.medium}",
                    model=model.label,
                    parameters={
                        "image": job.subject.origin,
                        "medium": media.mixture(job.medium),
                        "prompt": _PROMPT.value,
                        "segments": _SEGMENTS.value or "automatic",
                        **sampling,
                    },
                    fps=_FPS.value,
                )
                progress.update()


def _row(model: TrainedModel, job: Job) -> tuple[dict[str, np.ndarray], Framing]:
    """The conditions of one job, and where its picture lies on the model's canvas."""
    data = model.config.data
    picture_HWC, labels_HW = job.subject.load()
    framing = Framing.of(picture_HWC.shape[:2], data.height, data.width)
    reference_HWC = framing.place(picture_HWC)
    weights_M = np.zeros(len(media.MEDIA), np.float32)
    for name, weight in media.mixture(job.medium).items():
        weights_M[list(media.MEDIA).index(name)] = weight
    # A map that is not given is found on what the model sees, as in training.
    labels_HW = segment(reference_HWC) if labels_HW is None else framing.place_labels(labels_HW)
    row = {
        "reference_BHWC": reference_HWC,
        "medium_BM": weights_M,
        "text_BL": model.tokenizer.encode([_PROMPT.value], data.text_length)[0],
        "segments_BHW": labels_HW,
    }
    return row, framing


def _jobs(given: list[Subject]) -> list[Job]:
    """Every picture in every medium, each with a folder of its own."""
    jobs, taken = [], set()
    for subject in given:
        for medium in _MEDIUM.value:
            parts = media.mixture(medium)
            look = "-".join(
                name if len(parts) == 1 else f"{name}{100 * weight:.0f}"
                for name, weight in parts.items()
            )
            name = f"{subject.name}-{look}"
            # Pictures of one name from two folders both keep their result.
            while name in taken:
                name += "+"
            taken.add(name)
            jobs.append(Job(subject, medium, pathlib.Path(_OUTPUT.value) / name))
    return jobs


def _check_flags() -> None:
    """Refuses what cannot be done before a model is loaded."""
    for flag in (_WORKDIR, _OUTPUT):
        if not flag.value:
            raise UserError(f"--{flag.name} is missing (see --help)")
    if not _IMAGE.value and not _HELD_OUT.value:
        raise UserError("--image is missing: a picture, a folder or a pattern")
    if _HELD_OUT.value < 0:
        raise UserError(f"--held_out={_HELD_OUT.value}: it must be at least 1")
    if not 0 <= _SEED.value < 2**31:
        raise UserError(f"--seed={_SEED.value}: it must be from 0 to {2**31 - 1}")
    if _GUIDANCE.value is not None and not math.isfinite(_GUIDANCE.value):
        raise UserError(f"--guidance={_GUIDANCE.value}: it must be a number, 1 for none")
    for medium in _MEDIUM.value:
        media.mixture(medium)
    output = pathlib.Path(_OUTPUT.value)
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: --output must be a folder")
    if _FRAMES.value is not None and not 2 <= _FRAMES.value <= _MOST_FRAMES:
        raise UserError(f"--frames={_FRAMES.value}: it must be from 2 to {_MOST_FRAMES}")
    if _STEPS.value is not None and _STEPS.value < 1:
        raise UserError(f"--steps={_STEPS.value}: it must be at least 1")
    if _FPS.value is not None and not 0 < _FPS.value <= 240:
        raise UserError(f"--fps={_FPS.value}: it must be above 0 and at most 240")


def _chunks(jobs: list[Job], size: int) -> Iterable[list[Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))


if __name__ == "__main__":
    cli.run(main)
