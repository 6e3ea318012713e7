"""Paints pictures: shows how they could be painted, from blank canvas to last detail.

  python -m painting_jax.generate --workdir=RUN --image=PICTURE --medium=oil --output=OUT
  python -m painting_jax.generate --pretrained=FOLDER_OR_HUB_ID --lora=FILE:1.0 --image=PICTURE \\
      --medium=oil --output=OUT

--image takes a picture, a folder or a "pattern*.jpg", and may be repeated; so may --medium, which
takes a medium or a mixture such as oil:0.7,pencil:0.3. Each picture in each medium gets a folder
in OUT: process.mp4, process.webp, contact_sheet.png, steps/NN.png and process.json. Pictures of a
folder or pattern that cannot be read are skipped.

With --workdir the model of a training run paints; --held_out=COUNT takes pictures that the run was
not trained on instead.

With --pretrained published Wan weights do, in the layout of diffusers, with LoRAs or without: image
to video of Wan2.1 and Wan2.2 (14B, A14B, TI2V 5B). What is not asked for is as published, or, of a
run that trained published weights further, as in its config.
--noise starts from given latents and --save_frames writes the frames as they come from the model,
so that other implementations can be compared.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import math
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
from absl import flags

from painting_jax import cli, media
from painting_jax.data import subjects
from painting_jax.data.subjects import Subject
from painting_jax.diffusion import schedules
from painting_jax.diffusion.samplers import SAMPLERS
from painting_jax.errors import UserError, readable
from painting_jax.files import check_destination, written_beside
from painting_jax.generation import output_folders as places
from painting_jax.generation import outputs as tutorial
from painting_jax.generation.job import Job, Painter

_WORKDIR = flags.DEFINE_string("workdir", None, "The training run whose model paints.")
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Published weights: a diffusers folder, or a hub id (owner/repository)."
)
_IMAGE = flags.DEFINE_multi_string("image", [], "Picture, folder or pattern; may be repeated.")
_MEDIUM = flags.DEFINE_multi_string(
    "medium", ["oil"], f"Medium or mixture; may be repeated. Known: {', '.join(media.MEDIA)}."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_FRAMES = flags.DEFINE_integer("frames", None, "Frames of the process [default: the model's].")
_STEPS = flags.DEFINE_integer("steps", None, "Sampling steps [default: the model's].")
_GUIDANCE = flags.DEFINE_float("guidance", None, "Strength of guidance [default: the model's].")
_SEED = flags.DEFINE_integer("seed", 0, "Of the noise: the same seed gives the same video.")
_PROMPT = flags.DEFINE_string(
    "prompt",
    "",
    "What is painted and how, as in 'a cat, on a warm ground, from the left'; with published "
    "weights the whole prompt, in place of the medium's.",
)
_FPS = flags.DEFINE_float("fps", None, "Frames a second [default: six seconds in all].")

# With --workdir alone.
_HELD_OUT = flags.DEFINE_integer("held_out", 0, "So many pictures of the data set's test split.")
_SEGMENTS = flags.DEFINE_string(
    "segments",
    None,
    "Map of the regions, one flat colour each, painted from the darkest to the lightest; or a "
    "folder of maps named like the pictures [default: found automatically].",
)

# With --pretrained alone.
_LORA = flags.DEFINE_multi_string(
    "lora",
    [],
    "LoRAs, each with a weight if it is not 1, as in a.safetensors:1.0,owner/repository:0.8; of a "
    "model with two transformers for the first, which paints at high noise.",
)
_LORA_2 = flags.DEFINE_multi_string("lora_2", [], "The same for the second transformer.")
_KEEP_LORA_APART = flags.DEFINE_bool(
    "keep_lora_apart", False, "LoRAs beside the weights instead of merged into them."
)
_TRANSFORMER = flags.DEFINE_string(
    "transformer", None, "Single safetensors file (of Wan, ComfyUI) for the folder's transformer."
)
_TRANSFORMER_2 = flags.DEFINE_string("transformer_2", None, "The same for the second transformer.")

# With --pretrained, and with a run that trained published weights further.
_NEGATIVE_PROMPT = flags.DEFINE_string("negative_prompt", "", "What guidance leads away from.")
_HEIGHT = flags.DEFINE_integer(
    "height",
    None,
    "Of the video; the picture is stretched to it, as by Pillow's image.resize((width, height)) "
    "[default: fitted to the picture].",
)
_WIDTH = flags.DEFINE_integer("width", None, "The same across.")
_MAX_AREA = flags.DEFINE_integer(
    "max_area",
    None,
    "Most pixels of a frame whose sides are fitted [default: 480 x 832; 5B 704 x 1280].",
)
_GUIDANCE_2 = flags.DEFINE_float(
    "guidance_2",
    None,
    "Guidance of the second transformer [default: as of the first]; heeded with --guidance=1, too.",
)
_SEQUENTIAL_GUIDANCE = flags.DEFINE_bool(
    "sequential_guidance", False, "Guide in two passes, with the memory of one."
)
_SAMPLER = flags.DEFINE_enum(
    "sampler",
    None,
    list(SAMPLERS),
    "Kind of steps [default: the model's]. With LoRAs that distil a model to 4 steps distilled (of "
    "Wan2.2) or lcm (of Wan2.1): 4 steps, shift 5, no guidance, unless asked for otherwise.",
)
_SHIFT = flags.DEFINE_float("shift", None, "Of the noise levels [default: the model's].")
_DTYPE = flags.DEFINE_enum(
    "dtype",
    None,
    ("bfloat16", "float32"),
    "Of the weights [default: bfloat16, on a CPU float32; of a run that it computes in].",
)
_NOISE = flags.DEFINE_string(
    "noise",
    None,
    "A .npy of start latents, floats [1, C, T, H, W], as diffusers' argument `latents`: for each "
    "latent frame, T = (frames - 1) / 4 + 1, in the order that the model makes them.",
)
_SAVE_FRAMES = flags.DEFINE_string(
    "save_frames",
    None,
    "A .npy for the raw frames, float32 [T, H, W, 3], RGB in 0..1: all that the model makes (of "
    "diffusers, output_type='np'), but in painted order, blank canvas first; of TI2V 5B the last "
    "one is the picture itself.",
)
_EMBEDDINGS = flags.DEFINE_string(
    "embeddings", None, "Folder of known prompts' embeddings [default: in the user's cache]."
)

_OF_A_RUN = (_HELD_OUT, _SEGMENTS)
_OF_PUBLISHED = (_LORA, _LORA_2, _KEEP_LORA_APART, _TRANSFORMER, _TRANSFORMER_2)
_OF_EITHER = (
    _NEGATIVE_PROMPT,
    _HEIGHT,
    _WIDTH,
    _MAX_AREA,
    _GUIDANCE_2,
    _SEQUENTIAL_GUIDANCE,
    _SAMPLER,
    _SHIFT,
    _DTYPE,
    _NOISE,
    _SAVE_FRAMES,
    _EMBEDDINGS,
)
_PATHS = (
    _WORKDIR,
    _PRETRAINED,
    _IMAGE,
    _OUTPUT,
    _SEGMENTS,
    _LORA,
    _LORA_2,
    _TRANSFORMER,
    _TRANSFORMER_2,
    _NOISE,
    _SAVE_FRAMES,
    _EMBEDDINGS,
)

_MOST_FRAMES = 512


def main() -> None:
    """Paints what the flags name."""
    _check_flags()
    given, skipped = [], []
    if _IMAGE.value:
        given, skipped = subjects.from_files(_IMAGE.value, _SEGMENTS.value, _OUTPUT.value)
    if _SAVE_FRAMES.value and (len(given) + _HELD_OUT.value) * len(_MEDIUM.value) > 1:
        raise UserError("--save_frames takes one picture in one medium")
    if _HELD_OUT.value:
        given += _held_out()
    jobs = places.jobs(given, _MEDIUM.value, _OUTPUT.value)
    finished = []
    try:
        for folder in generate(_published() if _PRETRAINED.value else _trained(), jobs):
            finished.append(folder)
    finally:
        # Also when a later one fails.
        for folder in finished:
            print(folder)
    # Apart from the results, which a script may read.
    for skip in skipped:
        print(f"skipped {skip.name}: {skip.reason}", file=sys.stderr)
    if skipped:
        print(f"{len(given)} painted, {len(skipped)} skipped", file=sys.stderr)


def generate(painter: Painter, jobs: list[Job]) -> Iterator[pathlib.Path]:
    """Paints the jobs, writes each as soon as it is painted, and gives its folder."""
    for painted in painter.generate(jobs):
        if _SAVE_FRAMES.value:
            with written_beside(_SAVE_FRAMES.value) as unfinished, unfinished.open("wb") as file:
                np.save(file, painted.raw_THWC)
        tutorial.write(
            painted.job.folder,
            painted.frames_THWC,
            title=f"{painted.job.subject.name}, {painted.job.medium}",
            model=readable(painter.label),
            parameters=painted.parameters,
            fps=_FPS.value,
        )
        yield painted.job.folder


def _held_out() -> list[Subject]:
    """The pictures that were held out from a run."""
    # Only a run needs a checkpoint and a data set, whose libraries take seconds to import.
    from painting_jax.config import read_config  # noqa: PLC0415
    from painting_jax.data import pipeline  # noqa: PLC0415

    data = read_config(_WORKDIR.value).data
    return subjects.held_out(
        pipeline.DataSource(data.data_dir, "test", data.dataset), _HELD_OUT.value
    )


def _trained() -> Painter:
    """The model of a run."""
    from painting_jax.config import read_config  # noqa: PLC0415
    from painting_jax.generation.from_run import RunPainter, finetuned_painter  # noqa: PLC0415
    from painting_jax.generation.run import Run  # noqa: PLC0415
    from painting_jax.tasks.published import is_finetuned  # noqa: PLC0415

    config = read_config(_WORKDIR.value)
    if is_finetuned(config):
        if _SEGMENTS.present:
            raise UserError(f"--segments: published weights, as of {_WORKDIR.value}, take no map")
        return finetuned_painter(
            _WORKDIR.value, _overrides(), dtype=_DTYPE.value, cache=_EMBEDDINGS.value
        )
    for flag in _OF_EITHER:
        if flag.present:
            raise UserError(
                f"--{flag.name} goes with --pretrained, or with a run on published weights: "
                f"{_WORKDIR.value} has a model of its own"
            )
    return RunPainter(
        Run.load(_WORKDIR.value),
        segments=readable(_SEGMENTS.value or "automatic"),
        prompt=_PROMPT.value,
        frames=_FRAMES.value,
        steps=_STEPS.value,
        guidance=_GUIDANCE.value,
        seed=_SEED.value,
    )


def _published() -> Painter:
    """Published weights with what is asked for."""
    from painting_jax.checkpoints import adapters  # noqa: PLC0415
    from painting_jax.checkpoints.diffusers_folder import Folder  # noqa: PLC0415
    from painting_jax.generation.pretrained import PretrainedPainter  # noqa: PLC0415

    overrides = _overrides()  # before a hub is asked for anything
    loras = [adapters.parse(_LORA.value)]
    if _LORA_2.value:
        loras.append(adapters.parse(_LORA_2.value))
    files = (_TRANSFORMER.value, _TRANSFORMER_2.value)
    return PretrainedPainter(
        Folder.open(_PRETRAINED.value),
        overrides,
        dtype=_DTYPE.value,
        loras=loras,
        keep_apart=_KEEP_LORA_APART.value,
        files=files if _TRANSFORMER_2.value else files[:1],
        cache=_EMBEDDINGS.value,
    )


def _overrides():
    """What is asked of published weights."""
    from painting_jax.generation.overrides import SamplingOverrides, load_noise  # noqa: PLC0415

    return SamplingOverrides(
        sampler=_SAMPLER.value,
        steps=_STEPS.value,
        shift=_SHIFT.value,
        guidance=_GUIDANCE.value,
        guidance_2=_GUIDANCE_2.value,
        frames=_FRAMES.value,
        height=_HEIGHT.value,
        width=_WIDTH.value,
        max_area=_MAX_AREA.value,
        prompt=_PROMPT.value,
        negative_prompt=_NEGATIVE_PROMPT.value,
        seed=_SEED.value,
        noise_BCTHW=load_noise(_NOISE.value) if _NOISE.value else None,
        noise_name=_NOISE.value or "",
        sequential_guidance=_SEQUENTIAL_GUIDANCE.value,
    )


def _check_flags() -> None:
    """Refuses what cannot be done before a model is loaded."""
    cli.refuse_empty(*_PATHS)
    if (_WORKDIR.value is None) == (_PRETRAINED.value is None):
        raise UserError("say what paints: either --workdir=RUN or --pretrained=FOLDER_OR_HUB_ID")
    if not _OUTPUT.value:
        raise UserError("--output is missing (see --help)")
    wrong, mode = (_OF_A_RUN, "--workdir") if _PRETRAINED.value else (_OF_PUBLISHED, "--pretrained")
    for flag in wrong:
        if flag.present:
            raise UserError(f"--{flag.name} goes with {mode}")
    if not _IMAGE.value and not _HELD_OUT.value:
        raise UserError("--image is missing: a picture, a folder or a pattern")
    for medium in _MEDIUM.value:
        media.mixture(medium)
    cli.refuse_other_than_text(_PROMPT, _NEGATIVE_PROMPT)
    for flag, folder in ((_OUTPUT, True), (_SAVE_FRAMES, False), (_EMBEDDINGS, True)):
        if flag.value:
            check_destination(flag.name, flag.value, folder=folder)
    for flag, fits, right in (
        (_HELD_OUT, lambda count: count >= 0, "at least 1"),
        (_SEED, lambda seed: 0 <= seed < 2**31, f"from 0 to {2**31 - 1}"),
        (_GUIDANCE, math.isfinite, "a number, 1 for none"),
        (_GUIDANCE_2, math.isfinite, "a number, 1 for none"),
        (_FRAMES, lambda frames: 2 <= frames <= _MOST_FRAMES, f"from 2 to {_MOST_FRAMES}"),
        (_STEPS, lambda steps: 1 <= steps <= schedules.TRAINED, f"from 1 to {schedules.TRAINED}"),
        (_MAX_AREA, lambda area: area > 0, "above 0"),
        (_SHIFT, lambda shift: 0 < shift < math.inf, "above 0"),
        (_FPS, lambda fps: 0 < fps <= 240, "above 0 and at most 240"),
    ):
        if flag.value is not None and not fits(flag.value):
            raise UserError(f"--{flag.name}={flag.value}: it must be {right}")


if __name__ == "__main__":
    cli.run(main)
