"""Paints pictures: shows how each could be painted, from the blank canvas to the last detail.

  python -m painting_jax.generate --image=PICTURE --medium=oil --output=OUT
  python -m painting_jax.generate --workdir=RUN --image=PICTURE --medium=oil --output=OUT
  python -m painting_jax.generate --pretrained=FOLDER_OR_HUB_ID --lora=FILE:1.0 --image=PICTURE \\
      --medium=oil --output=OUT

--image takes a picture, a folder or a "pattern*.jpg". --medium takes a medium or a mixture such as
oil:0.7,pencil:0.3. Both may be repeated. Each picture in each medium gets its own folder in OUT
with process.mp4, process.webp, contact_sheet.png, steps/NN.png and process.json, and a tutorial
(tutorial.html, and outline.pdf and outline.svg to print). Small models also write regions.png.
Unreadable pictures in a folder or pattern are skipped. Frames carry an invisible mark that survives
re-encoding, cropping and scaling: python -m painting_jax.verify reads it.

Without --workdir and --pretrained, the small model that comes with the package paints; its card is
painting_jax/weights/README.md.

With --workdir, the model of a training run paints. --held_out=COUNT takes pictures from the test
split of the run's data set, which it was not trained on.

With --pretrained, published Wan weights in the diffusers layout paint, with or without LoRAs. The
image-to-video models of Wan2.1 and Wan2.2 are supported (14B, A14B, TI2V 5B). Settings that no flag
sets keep their published values. For a run that finetuned published weights, they keep the values
in its config.

--noise sets the initial latents and --save_frames writes the raw frames of the model, for
comparison with other implementations.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import pathlib
import sys
from collections.abc import Iterator

import numpy as np
from absl import flags
from etils import epath

from painting_jax import cli, media, memory
from painting_jax.compiled_programs import kept
from painting_jax.data import pictures, subjects
from painting_jax.data.subjects import Subject
from painting_jax.diffusion import schedules
from painting_jax.diffusion.samplers import SAMPLERS
from painting_jax.errors import UserError, readable
from painting_jax.files import check_destination, remove_unfinished, written_beside
from painting_jax.generation import final_frame, output_folders, painting_order, results
from painting_jax.generation.devices import HELP, Devices
from painting_jax.generation.job import Job, Painter
from painting_jax.instruction.language import LANGUAGES
from painting_jax.instruction.mixing.paint_sets import SETS
from painting_jax.instruction.tutorial import Choices
from painting_jax.locking import with_parents
from painting_jax.user_cache import user_cache

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Training run whose model paints [default: the weights of the package]."
)
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Published weights: a diffusers folder, or a hub id (owner/repository)."
)
_IMAGE = flags.DEFINE_multi_string("image", [], f"Picture ({pictures.TYPES}), folder or pattern.")
_MEDIUM = flags.DEFINE_multi_string(
    "medium", ["oil"], f"Medium or mixture. Known: {', '.join(media.MEDIA)}."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.")
_FRAMES = flags.DEFINE_integer(
    "frames", None, "Frames of the process, from 2 to 512 [default: the model's]."
)
_STEPS = flags.DEFINE_integer("steps", None, "Sampling steps [default: the model's].")
_GUIDANCE = flags.DEFINE_float(
    "guidance",
    None,
    "Strength of guidance on medium and text; 1 is none. Small models take up to 1.5: above, "
    "their colours go wrong. Published weights take from 1 to about 7 [default: the model's].",
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the noise: the same seed gives the same video.")
_PROMPT = flags.DEFINE_string(
    "prompt",
    "",
    "What is painted and how, as in 'a cat, on a warm ground, from the left'. With published "
    "weights this is the whole prompt, and replaces that of the medium.",
)
_FPS = flags.DEFINE_float(
    "fps", None, "Frames per second, from 0.01 to 240 [default: the video lasts six seconds]."
)

_MATCH_COLORS = flags.DEFINE_bool(
    "match_colors",
    False,
    "Correct the colours of all frames: the gain and offset of each channel that bring the "
    "last frame to the picture are applied to every frame. For models that shift colours.",
)
_STEP_CACHE = flags.DEFINE_float(
    "step_cache",
    0.0,
    "Threshold of the step cache (MagCache), from 0 to 1: steps whose predicted error stays "
    "below it are not computed. 0 computes all; the method's authors give 0.12 for Wan. The "
    "first batch of a model is computed in full and measured.",
)
_MARK = flags.DEFINE_bool(
    "mark",
    True,
    "Mark every frame invisibly with the day, the model and the medium. --nomark leaves the "
    "mark out, and the metadata then say so.",
)
_TUTORIAL = flags.DEFINE_bool(
    "tutorial",
    True,
    "Write a tutorial beside the video: steps in words, a palette with mixes, an outline to "
    "print. python -m painting_jax.tutorial makes it again with other choices.",
)
_LANGUAGE = flags.DEFINE_enum("language", "en", LANGUAGES, "Language of the tutorial.")
_PAPER = flags.DEFINE_string(
    "paper", "A4", "Paper of the tutorial: A5, A4, A3, Letter, Tabloid or WIDTHxHEIGHT in mm."
)
_PAINTS = flags.DEFINE_string(
    "paints",
    None,
    f"Paints of the tutorial: a set ({', '.join(SETS)}) or a file with a list of your own "
    "paints [default: by the medium].",
)
_MESH = flags.DEFINE_string("mesh", None, HELP)

# Only without --pretrained.
_HELD_OUT = flags.DEFINE_integer("held_out", 0, "Number of pictures from the dataset's test split.")
_SEGMENTS = flags.DEFINE_string(
    "segments",
    None,
    "Map of the regions, one flat colour each, painted from the darkest to the lightest; or a "
    "folder of maps named like the pictures [default: automatic segmentation].",
)
_SIZE = flags.DEFINE_integer(
    "size",
    None,
    "Longer side of the paintings in pixels, from 16 to 4096. The model's tokens see a small "
    "picture, and its head paints at this size [default: the picture's own, up to 1024].",
)
_FROM = flags.DEFINE_float(
    "from",
    None,
    "Progress of the first frame, from 0 to 1, to paint a part of the process [default: 0, or"
    " estimated from --canvas].",
)
_UNTIL = flags.DEFINE_float(
    "until",
    None,
    "Progress of the last frame, from 0 to 1, to paint a part of the process [default: 1].",
)
_ORDER = flags.DEFINE_string(
    "order",
    "",
    "Order of painting. Small models take the numbers of the regions to paint first, as in "
    "3,1,2; the others follow in their own order, and regions.png beside each result shows "
    "the numbers. Published weights take words, as in '1. sky 2. far trees 3. water'; the "
    "prompt then states them in the form that VideoSketcher's models are trained with.",
)
_CANVAS = flags.DEFINE_string(
    "canvas",
    None,
    "Photo of your half-finished canvas, with all its corners: the process goes on from there"
    " to the picture. --from sets how far the canvas is, such as 0.4 [default: estimated]. "
    "For one picture. With published weights, the latents of the first frames are held to the"
    " canvas.",
)
_OTHER_LOOK = flags.DEFINE_bool(
    "other_look",
    False,
    "The pictures show another look of what is to be painted, such as line drawings or grey "
    "photos: the model chooses tones and colours. Without it, the painting ends in the "
    "picture.",
)

# Only with --pretrained.
_LORA = flags.DEFINE_multi_string(
    "lora",
    [],
    "LoRAs, each with a weight if it is not 1, as in a.safetensors:1.0,owner/repository:0.8. "
    "In a model with two transformers, they apply to the first, the high-noise expert.",
)
_LORA_2 = flags.DEFINE_multi_string(
    "lora_2", [], "LoRAs for the second transformer, the low-noise expert."
)
_KEEP_LORA_APART = flags.DEFINE_bool(
    "keep_lora_apart", False, "Keep LoRAs separate from the weights instead of merging them."
)
_TRANSFORMER = flags.DEFINE_string(
    "transformer",
    None,
    "Single file (Wan, ComfyUI), or a folder in Wan's own layout, that replaces the "
    "transformer of --pretrained.",
)
_TRANSFORMER_2 = flags.DEFINE_string(
    "transformer_2", None, "Single safetensors file that replaces the second transformer."
)

# With --pretrained, and with a run that finetuned published weights.
_NEGATIVE_PROMPT = flags.DEFINE_string(
    "negative_prompt", "", "Prompt that guidance leads away from."
)
_HEIGHT = flags.DEFINE_integer(
    "height",
    None,
    "Height of the video in pixels. The picture is stretched to it, as by Pillow's "
    "image.resize((width, height)) [default: fitted to the picture].",
)
_WIDTH = flags.DEFINE_integer("width", None, "Width of the video in pixels; see --height.")
_MAX_AREA = flags.DEFINE_integer(
    "max_area",
    None,
    "Maximum pixels per frame if the sides are fitted [default: as in the model's training, "
    "480 x 832 or 720 x 1280; 5B 704 x 1280].",
)
_GUIDANCE_2 = flags.DEFINE_float(
    "guidance_2",
    None,
    "Guidance scale of the second transformer [default: that of the first]. It also applies "
    "if --guidance=1.",
)
_SEQUENTIAL_GUIDANCE = flags.DEFINE_bool(
    "sequential_guidance",
    False,
    "Compute the two passes of guidance one after the other, in the memory of one.",
)
_SAMPLER = flags.DEFINE_enum(
    "sampler",
    None,
    list(SAMPLERS),
    "Sampler [default: the model's]. For LoRAs that distil a model to 4 steps, take distilled "
    "(Wan2.2) or lcm (Wan2.1): their defaults are 4 steps, shift 5 and no guidance.",
)
_SHIFT = flags.DEFINE_float("shift", None, "Shift of the noise levels [default: the model's].")
_DTYPE = flags.DEFINE_enum(
    "dtype",
    None,
    ("bfloat16", "float32"),
    "Dtype of the weights [default: bfloat16, or float32 on a CPU; with a run, its own].",
)
_NOISE = flags.DEFINE_string(
    "noise",
    None,
    "A .npy file of initial latents, floats [1, C, T, H, W], like the argument `latents` of "
    "diffusers. T = (frames - 1) / 4 + 1 is the number of latent frames, in the model's "
    "order.",
)
_SAVE_FRAMES = flags.DEFINE_string(
    "save_frames",
    None,
    "A .npy file for the raw frames, float32 [T, H, W, 3], RGB in 0..1: all frames that the model "
    "makes (diffusers: output_type='np'), but in painted order, blank canvas first. With TI2V 5B "
    "the last frame is the picture itself.",
)
_EMBEDDINGS = flags.DEFINE_string(
    "embeddings", None, "Folder that caches prompt embeddings [default: in the user's cache]."
)

_OF_A_RUN = (_HELD_OUT, _SEGMENTS, _SIZE, _UNTIL, _OTHER_LOOK)
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
    _CANVAS,
    _LORA,
    _LORA_2,
    _TRANSFORMER,
    _TRANSFORMER_2,
    _NOISE,
    _SAVE_FRAMES,
    _EMBEDDINGS,
)


def main() -> None:
    """Paints the pictures that the flags name."""
    _check_flags()
    given, skipped = [], []
    if _IMAGE.value:
        given, skipped = subjects.from_files(_IMAGE.value, _SEGMENTS.value, _OUTPUT.value)
    if _SAVE_FRAMES.value and (len(given) + _HELD_OUT.value) * len(_MEDIUM.value) > 1:
        raise UserError("--save_frames takes one picture in one medium")
    if _CANVAS.value and len(given) + _HELD_OUT.value > 1:
        raise UserError("--canvas takes one picture")
    if _HELD_OUT.value:
        given += _held_out()
    jobs = output_folders.jobs(given, _MEDIUM.value, _OUTPUT.value)
    finished = []
    output = pathlib.Path(_OUTPUT.value)
    try:
        # Several programs may paint into one folder: each result is written beside its place.
        remove_unfinished(output)
        if _SAVE_FRAMES.value:
            remove_unfinished(pathlib.Path(_SAVE_FRAMES.value).parent)
        with kept(), with_parents(output), memory.explained(_how_to_need_less):
            for folder in generate((_published if _PRETRAINED.value else _trained)(jobs), jobs):
                finished.append(folder)
    finally:
        # The finished folders are printed even if a later picture fails.
        for folder in finished:
            print(folder)
    # Not on standard output, where a script may read the results.
    for skip in skipped:
        print(f"skipped {skip.name}: {skip.reason}", file=sys.stderr)
    if skipped:
        print(f"{len(given)} painted, {len(skipped)} skipped", file=sys.stderr)


def generate(painter: Painter, jobs: list[Job]) -> Iterator[pathlib.Path]:
    """Paints the jobs, writes each result as soon as it is painted, and yields its folder."""
    for painted in painter.generate(jobs):
        if _SAVE_FRAMES.value:
            with written_beside(_SAVE_FRAMES.value) as unfinished, unfinished.open("wb") as file:
                np.save(file, painted.raw_THWC)
        if "skipped_steps" in painted.parameters:
            skipped, steps = (painted.parameters[name] for name in ("skipped_steps", "steps"))
            print(f"step cache: {skipped} of {steps} steps skipped", file=sys.stderr)
        differs = results.write(
            painted,
            painter.label,
            match_colors=_MATCH_COLORS.value,
            fps=_FPS.value,
            with_mark=_MARK.value,
            tutorial=_choices() if _TUTORIAL.value else None,
        )
        # Another look is to end in other colours than it has, and a part in an unfinished state.
        finished = _part()[1] == 1 and not _OTHER_LOOK.value
        if finished and (line := final_frame.warning(painted, differs)):
            print(line, file=sys.stderr)
        yield painted.job.folder


def _choices() -> Choices:
    """What the tutorials are to be like."""
    return Choices(language=_LANGUAGE.value, paper=_PAPER.value, paints=_PAINTS.value)


def _check_tutorial() -> None:
    """Refuses what tutorials cannot be like, and choices without a tutorial."""
    if _TUTORIAL.value:
        for medium in _MEDIUM.value:
            _choices().check(media.chief(media.mixture(medium)))
        return
    for flag in (_LANGUAGE, _PAPER, _PAINTS):
        if flag.present:
            raise UserError(f"--{flag.name} goes without --notutorial")


def _how_to_need_less() -> str:
    """What to change when memory is short."""
    if _PRETRAINED.value:
        return (
            "lower --frames or --max_area, choose --dtype=bfloat16 or --sequential_guidance, or "
            "use more devices"
        )
    return "lower --frames (on published weights, --max_area, too), or paint fewer pictures at once"


def _held_out() -> list[Subject]:
    """Pictures that were held out from a run's training."""
    # Imported here, since the libraries for checkpoints and datasets take seconds to import.
    from painting_jax.config import read_config  # noqa: PLC0415
    from painting_jax.data import dataset_folder, pipeline  # noqa: PLC0415

    data = read_config(_WORKDIR.value).data
    source = pipeline.DataSource(data.data_dir, "test", data.dataset)
    remedy = "its pictures may be those of the training; name pictures with --image"
    dataset_folder.check_same(source.path, data.get("fingerprint", ""), _WORKDIR.value, remedy)
    return subjects.held_out(source, _HELD_OUT.value)


def _trained(jobs: list[Job]) -> Painter:
    """A painter with the model of a run, or with the weights of the package."""
    from painting_jax.config import read_config  # noqa: PLC0415
    from painting_jax.generation.from_run import RunPainter, finetuned_painter  # noqa: PLC0415
    from painting_jax.generation.magnitudes_file import NAME, MagnitudesFile  # noqa: PLC0415
    from painting_jax.generation.run import Run, guidance_warning  # noqa: PLC0415
    from painting_jax.tasks.published import is_finetuned  # noqa: PLC0415
    from painting_jax.training.released import PACKAGED  # noqa: PLC0415

    workdir = epath.Path(_WORKDIR.value or PACKAGED)
    config = read_config(workdir)
    if is_finetuned(config):
        if _SEGMENTS.present:
            raise UserError(f"--segments: published weights, as of {_WORKDIR.value}, take no map")
        if _SIZE.value:
            raise UserError(
                "--size: published weights take --max_area, or --height and --width, instead"
            )
        if _UNTIL.present:
            raise UserError("--until: published weights paint to the end")
        _check_from()
        if _OTHER_LOOK.value:
            raise UserError(
                f"--other_look: published weights, as of {_WORKDIR.value}, are not told of looks"
            )
        return finetuned_painter(
            workdir,
            _overrides(jobs),
            devices=Devices.of(_MESH.value, {"tensor": -1}),
            dtype=_DTYPE.value,
            cache=_EMBEDDINGS.value,
        )
    for flag in _OF_EITHER:
        if flag.present:
            raise UserError(
                f"--{flag.name} goes with --pretrained, or with a run on published weights: "
                f"the model of {workdir} is none of these"
            )
    _check_model(config, workdir)
    order = painting_order.numbers(_ORDER.value)
    canvas_HWC, part = _canvas(jobs[0]) if _CANVAS.value else (None, _part())
    if warning := guidance_warning(config, _GUIDANCE.value):
        print(warning, file=sys.stderr)
    run = Run.load(workdir, Devices.of(_MESH.value, {"data": -1}))
    # The folder of an installed package is not written to.
    kept_in = workdir if _WORKDIR.value else user_cache("packaged")
    return RunPainter(
        run,
        segments=readable(pathlib.Path(_SEGMENTS.value).name if _SEGMENTS.value else "automatic"),
        other_look=_OTHER_LOOK.value,
        prompt=_PROMPT.value,
        frames=_FRAMES.value,
        steps=_STEPS.value,
        guidance=_GUIDANCE.value,
        seed=_SEED.value,
        size=_SIZE.value,
        part=part,
        order=order,
        canvas_HWC=canvas_HWC,
        from_estimated=_is_estimated(),
        step_cache=_STEP_CACHE.value,
        magnitudes=MagnitudesFile(kept_in / NAME, f"step {run.step}"),
    )


def _canvas(job: Job) -> tuple[np.ndarray, tuple[float, float]]:
    """The canvas of the photo that --canvas names, and the part that is left to paint."""
    from painting_jax.generation.going_on import Canvas, rehearsed  # noqa: PLC0415

    photo_HWC = pictures.load(_CANVAS.value)
    picture_HWC, _ = job.subject.load()
    rehearsal = rehearsed(picture_HWC, job.medium)
    canvas = Canvas.of(photo_HWC, picture_HWC, rehearsal, other_look=_OTHER_LOOK.value)
    canvas.check(f"--canvas={_CANVAS.value}")
    first, last = _part()
    # Another look has other colours than the painting.
    if _FROM.value is None and not _OTHER_LOOK.value:
        first = canvas.progress
    if first >= last:
        raise UserError(
            f"--canvas={_CANVAS.value} seems to be at {first:g}, not before --until={last:g}: give "
            "--from, or a later --until"
        )
    if _FROM.value is None:
        print(f"--from={first:g}, estimated from the canvas", file=sys.stderr)
    return canvas.canvas_HWC, (first, last)


def _check_model(config, workdir: epath.Path) -> None:
    """Refuses what the model of a run cannot do."""
    if _OTHER_LOOK.value and not config.model.mark_other_looks:
        raise UserError(
            f"--other_look: the model of {workdir} was not told of looks in its training, "
            "see config.model.mark_other_looks"
        )
    for flag in (_SIZE, _FROM, _UNTIL, _CANVAS):
        if flag.present and not config.model.pixel_layers:
            raise UserError(
                f"--{flag.name}: the model of {workdir} has no pixel head, see "
                "config.model.pixel_layers"
            )
    if _CANVAS.value and not config.model.canvas_guides:
        raise UserError(
            f"--canvas: the model of {workdir} was not told of canvases in its training, "
            "see config.model.canvas_guides"
        )


def _check_part() -> None:
    """Refuses parts that do not get further, and looks without progress."""
    if _part()[0] >= _part()[1]:
        raise UserError(
            f"--from={_part()[0]:g} --until={_part()[1]:g}: a process must get further, as with "
            "--from=0.3 --until=0.7"
        )
    if _CANVAS.value and _OTHER_LOOK.value and _FROM.value is None:
        raise UserError(
            "--canvas with --other_look needs --from, its progress from 0 to 1, such as --from=0.4"
        )


def _part() -> tuple[float, float]:
    """Progress of the first and of the last frame."""
    return _FROM.value or 0.0, 1.0 if _UNTIL.value is None else _UNTIL.value


def _is_estimated() -> bool:
    """Whether the progress of the first frame is estimated."""
    return _CANVAS.value is not None and _FROM.value is None


def _check_from() -> None:
    """Refuses parts of a process, which published weights are not told of."""
    if _FROM.present and not _CANVAS.value:
        raise UserError(
            "--from goes with --canvas where published weights paint: from a blank canvas they "
            "paint whole processes"
        )


def _published(jobs: list[Job]) -> Painter:
    """A painter with published weights."""
    from painting_jax.checkpoints import adapters  # noqa: PLC0415
    from painting_jax.checkpoints.diffusers_folder import Folder  # noqa: PLC0415
    from painting_jax.generation.pretrained import PretrainedPainter  # noqa: PLC0415

    # Checks the flags before anything is downloaded.
    _check_from()
    overrides, devices = _overrides(jobs), Devices.of(_MESH.value, {"tensor": -1})
    loras = [adapters.parse(_LORA.value)]
    if _LORA_2.value:
        loras.append(adapters.parse(_LORA_2.value))
    files = (_TRANSFORMER.value, _TRANSFORMER_2.value)
    return PretrainedPainter(
        Folder.open(_PRETRAINED.value),
        overrides,
        devices=devices,
        dtype=_DTYPE.value,
        loras=loras,
        keep_apart=_KEEP_LORA_APART.value,
        files=files if _TRANSFORMER_2.value else files[:1],
        cache=_EMBEDDINGS.value,
    )


def _overrides(jobs: list[Job]):
    """The sampling overrides that the flags set."""
    from painting_jax.generation.overrides import SamplingOverrides, load_noise  # noqa: PLC0415

    canvas_HWC, (first, _) = _canvas(jobs[0]) if _CANVAS.value else (None, (0.0, 1.0))
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
        step_cache=_STEP_CACHE.value,
        order=painting_order.parts(_ORDER.value),
        canvas_HWC=canvas_HWC,
        canvas_progress=first,
        from_estimated=_is_estimated(),
    )


def _check_flags() -> None:
    """Refuses invalid flags, before a model is loaded."""
    cli.refuse_empty(*_PATHS)
    cli.check_readable(_IMAGE)
    cli.check_runs(_WORKDIR)
    cli.refuse_remote(*(flag for flag in _PATHS if flag is not _IMAGE and flag is not _WORKDIR))
    if _WORKDIR.value and _PRETRAINED.value:
        raise UserError("say what paints: either --workdir=RUN or --pretrained=FOLDER_OR_HUB_ID")
    if _HELD_OUT.value and not _WORKDIR.value and not _PRETRAINED.value:
        raise UserError("--held_out: name the run whose dataset has the pictures with --workdir")
    if not _OUTPUT.value:
        raise UserError("--output is missing (see --help)")
    published = bool(_PRETRAINED.value)
    for flag in _OF_A_RUN if published else _OF_PUBLISHED:
        if flag.present:
            raise UserError(f"--{flag.name} goes {'without' if published else 'with'} --pretrained")
    if not _IMAGE.value and not _HELD_OUT.value:
        raise UserError("--image is missing: a picture, a folder or a pattern")
    for medium in _MEDIUM.value:
        media.mixture(medium)
    _check_tutorial()
    cli.refuse_other_than_text(_PROMPT, _NEGATIVE_PROMPT, _ORDER)
    for flag, folder in ((_OUTPUT, True), (_SAVE_FRAMES, False)):
        if flag.value:
            check_destination(flag.name, flag.value, folder=folder)
    # A cache may be write-protected: it is read then.
    if _EMBEDDINGS.value and pathlib.Path(_EMBEDDINGS.value).is_file():
        raise UserError(f"--embeddings={_EMBEDDINGS.value} is a file: it must be a folder, or new")
    for flag, least, most in (
        (_HELD_OUT, 0, 10_000),
        (_SEED, 0, cli.MOST),
        (_SIZE, 16, 4096),
        (_FROM, 0, 1),
        (_UNTIL, 0, 1),
        (_FRAMES, 2, 512),
        (_STEPS, 1, schedules.TRAINED),
        (_MAX_AREA, 1, cli.MOST),
        (_HEIGHT, 1, cli.MOST),
        (_WIDTH, 1, cli.MOST),
        # A frame of a webp lasts 4.6 hours at most, and a day of video is no tutorial.
        (_FPS, 0.01, 240),
        (_STEP_CACHE, 0, 1),
    ):
        cli.require_from_to(flag, least, most)
    _check_part()
    for flag in (_GUIDANCE, _GUIDANCE_2):
        cli.require(
            flag, lambda scale: abs(scale) <= 1000, "a number from -1000 to 1000, 1 for none"
        )
    cli.require(_SHIFT, lambda shift: 1e-6 <= shift <= 1e6, "above 0, from 1e-6 to 1e6")


if __name__ == "__main__":
    cli.run(main)
