"""Paints pictures: shows how they could be painted, from blank canvas to last detail.

  python -m painting_jax.generate --workdir=RUN --image=PICTURE --medium=oil --output=OUT

--image takes a picture, a folder or a "pattern*.jpg", and may be repeated; so may --medium, which
takes a medium or a mixture such as oil:0.7,pencil:0.3. Each picture in each medium gets a folder
in OUT: process.mp4, process.webp, contact_sheet.png, steps/NN.png and process.json.
"""

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np
import tqdm
from absl import flags

from painting_jax import cli, media
from painting_jax.data import label_maps, pictures
from painting_jax.data.framing import Framing
from painting_jax.data.segmentation import segment
from painting_jax.errors import UserError
from painting_jax.report import tutorial
from painting_jax.training.trained_model import TrainedModel

_WORKDIR = flags.DEFINE_string("workdir", None, "The training run whose model paints.")
_IMAGE = flags.DEFINE_multi_string("image", [], "Picture, folder or pattern; may be repeated.")
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
      image: its file.
      medium: as the user wrote it.
      folder: for the result.
    """

    image: str
    medium: str
    folder: pathlib.Path


def main() -> None:
    """Paints what the flags name."""
    jobs = _jobs()
    _check_numbers()
    model = TrainedModel.load(_WORKDIR.value)
    generate(model, jobs)
    print(f"painted {len(jobs)}: {pathlib.Path(_OUTPUT.value)}")


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
    with tqdm.tqdm(total=len(jobs), unit="picture", disable=None) as progress:
        for chunk in _chunks(jobs, size):
            rows, framings = zip(*[_row(model, job) for job in chunk], strict=True)
            # The last batch is filled up: another size would be compiled anew.
            filled = [*rows, *[rows[-1]] * (size - len(rows))]
            batch = {name: np.stack([row[name] for row in filled]) for name in rows[0]}
            frames_BTHWC = model.generate(batch, **sampling)
            for job, framing, frames_THWC in zip(chunk, framings, frames_BTHWC, strict=False):
                tutorial.write(
                    job.folder,
                    framing.cut(frames_THWC),
                    title=f"{pathlib.Path(job.image).stem}, {job.medium}",
                    model=model.label,
                    parameters={
                        "image": job.image,
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
    picture_HWC = pictures.load(job.image)
    framing = Framing.of(picture_HWC.shape[:2], data.height, data.width)
    weights_M = np.zeros(len(media.MEDIA), np.float32)
    for name, weight in media.mixture(job.medium).items():
        weights_M[list(media.MEDIA).index(name)] = weight
    row = {
        "reference_BHWC": framing.place(picture_HWC),
        "medium_BM": weights_M,
        "text_BL": model.tokenizer.encode([_PROMPT.value], data.text_length)[0],
    }
    labels_HW = _labels(job, picture_HWC)
    if labels_HW is None:
        # Found on what the model sees, as in training.
        row["segments_BHW"] = segment(row["reference_BHWC"])
    else:
        row["segments_BHW"] = framing.place_labels(labels_HW)
    return row, framing


def _labels(job: Job, picture_HWC: np.ndarray) -> np.ndarray | None:
    if not _SEGMENTS.value:
        return None
    path = pathlib.Path(_SEGMENTS.value)
    if path.is_dir():
        path = path / f"{pathlib.Path(job.image).stem}.png"
    labels_HW = label_maps.load(path)
    ours, theirs = picture_HWC.shape[:2], labels_HW.shape
    if abs(ours[0] / ours[1] - theirs[0] / theirs[1]) > 0.02 * ours[0] / ours[1]:
        raise UserError(
            f"{path} is {theirs[1]}x{theirs[0]}, {job.image} {ours[1]}x{ours[0]}: "
            "a segment map must have its picture's proportions"
        )
    return labels_HW


def _jobs() -> list[Job]:
    """Every picture in every medium, checked before a model is loaded."""
    for flag in (_WORKDIR, _IMAGE, _OUTPUT):
        if not flag.value:
            raise UserError(f"--{flag.name} is missing (see --help)")
    output = pathlib.Path(_OUTPUT.value)
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: --output must be a folder")
    images = [image for given in _IMAGE.value for image in pictures.list_pictures(given)]
    jobs, taken = [], set()
    for image in images:
        for medium in _MEDIUM.value:
            parts = media.mixture(medium)
            look = "-".join(
                name if len(parts) == 1 else f"{name}{100 * weight:.0f}"
                for name, weight in parts.items()
            )
            name = f"{pathlib.Path(image).stem}-{look}"
            # Pictures of one name from two folders both keep their result.
            while name in taken:
                name += "+"
            taken.add(name)
            jobs.append(Job(image, medium, output / name))
    return jobs


def _check_numbers() -> None:
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
