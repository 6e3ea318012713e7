"""Prepares a dataset of painting processes.

  python -m painting_jax.prepare --builder=painted_images [--source=PHOTOS] --data_dir=DATA
  python -m painting_jax.prepare --builder=recorded_processes --source=RECORDINGS --data_dir=DATA
  python -m painting_jax.prepare --cache_latents --config=configs/wan21_i2v_14b.py --data_dir=DATA

painted_images paints photos with the project's own stroke painter. The source is a picture, a
folder or a "pattern*.jpg". Without a source, it paints the photos that ship with scikit-image and
scikit-learn. A text file beside a photo (cat.txt for cat.jpg) holds its caption.

recorded_processes reads recordings. A source is a video, an animation (gif, webp, png, avif), a
tiff of several pages, a folder of numbered pictures, a folder of such recordings, a "pattern*.mp4",
a "pattern*.png" whose matches are the steps of one recording, or a manifest (.jsonl, .json, .txt).
Files of painting programs are recordings, too: the time-lapse of a Procreate archive, the layers of
a psd or ora from the lowest up, the shapes of an svg in their order. So are the exports of
painvidpro, with their media, splits and variants: frame_data.h5, or frame_data.pkl with
frame_progress.pkl, reference_frame.png and metadata.csv. With --grid=2x2 or 3x3, each picture is a
recording whose steps lie in a grid in snake order, as MakeAnything publishes them.

Each line of a manifest is one recording: {"path": "cat.mp4", "medium": "oil", "caption": "a cat",
"licence": "CC0", "crop": [x0, y0, x1, y1], "start": 2.5, "end": 90, "progress": [0, 0.2, 1],
"split": "test", "grid": "3x3"}.
The same keys can be given in cat.json beside cat.mp4, or in process.json in a folder of pictures.

A recording that fails, crashes its decoder or takes more than --item_timeout is skipped. All
skipped recordings are listed with their reasons in skipped.jsonl in the folder of the data set; if
no recording could be used, the list is in VERSION.unfinished beside it. That folder also keeps what
has been read until the data set is complete. So a command that was interrupted or killed reads only
what is missing when it is repeated.

The folder of the data set also gets a page, index.html: what was left out and why, and a few frames
of each recording above those of its process. README.md is a data set card with the same facts.

One worker process per core reads the recordings, or Apache Beam does (pip install
'painting_jax[beam]'). --beam_runner=DirectRunner starts several processes on this machine. Other
runners use other machines, which must see --kept_dir and the sources.

Your own networks can add to the records of recordings; each is a folder or an id on the Hugging
Face hub. --segments finds the regions of the finished picture. --captions describes what is painted
if no caption is given. --guess_medium is a CLIP that guesses the medium if none is stated.
--variants_model makes the finished picture in other looks. All but the CLIP need an extra: pip
install 'painting_jax[networks]'. Each worker process loads them once. Their memory is measured and
printed, and only as many workers run as there is memory for.

--cache_latents encodes a prepared data set with the frozen networks of the published model that an
experiment finetunes. train reads the result with --config.data.cached_latents, and does not load
these networks. --config and --config.FIELD=VALUE are those of train, such as
--config.pretrained.path=FOLDER. An interrupted command goes on when it is repeated.

Files are recognised by their content, not by their suffix, and converted to sRGB. What cannot be
used is skipped. What can be used in part is used and noted. Both are named and counted. HEIC
pictures need an extra: pip install 'painting_jax[heif]'.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import functools
import itertools
import os
import pathlib
import re
import shlex
import sys

from absl import flags, logging
from ml_collections import config_flags

from painting_jax import cli, media, memory, remote_paths
from painting_jax.caching.job import cache_latents
from painting_jax.data import building, crews, packed_arrays, timelapse
from painting_jax.data.artwork import step_grid
from painting_jax.data.builders import painted_images, recorded_processes
from painting_jax.data.curation import options
from painting_jax.data.enrichment import choice
from painting_jax.data.enrichment.enrichment import Enrichment
from painting_jax.data.enrichment.network import Network
from painting_jax.errors import UserError
from painting_jax.report import dataset

_BUILDER = flags.DEFINE_enum(
    "builder", None, ["painted_images", "recorded_processes"], "Builder that makes the processes."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder that datasets are written to.")
_NAME = flags.DEFINE_string("name", "default", "Name of the dataset, unique for its builder.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing dataset of this name.")
_SOURCE = flags.DEFINE_multi_string(
    "source", [], "Photos or recordings; recorded_processes takes several."
)
_SIZE = flags.DEFINE_string(
    "size",
    None,
    "painted_images: side of a frame in pixels, or HEIGHTxWIDTH [default: 64]. "
    "recorded_processes: maximum length of the longer side in pixels; larger frames are scaled "
    "down [default: 1280].",
)
_MEDIA = flags.DEFINE_list("media", list(media.MEDIA), "painted_images: media to paint in.")
_FRAMES = flags.DEFINE_integer("frames", 17, "painted_images: frames stored per process.")
_VARIANTS = flags.DEFINE_integer(
    "variants", 8, "painted_images: crops of each training photo. Each is painted in each medium."
)
_SEED = flags.DEFINE_integer("seed", 0, "painted_images: seed of crops, colours and manners.")
_MEDIUM = flags.DEFINE_string(
    "medium", None, "recorded_processes: medium of recordings that do not state their own."
)
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames", 128, "recorded_processes: maximum frames per recording, evenly spaced."
)

_GRID = flags.DEFINE_enum(
    "grid",
    None,
    list(step_grid.GRIDS),
    "recorded_processes: each picture is a recording whose steps lie in a grid.",
)
_CLEAN = flags.DEFINE_bool(
    "clean",
    False,
    "recorded_processes: clean videos that show more than the canvas. The canvas is found, "
    "followed and rectified. Changes of the light and noise are removed, and so is what lies "
    "in front of the canvas: hands, tools and their shadows, logos, panels. Title cards, "
    "pauses, and what comes before and after the painting are left out. In videos and folders"
    " of pictures of a screen, the canvas is found among panels, wherever it is scrolled or "
    "zoomed to. Cleaned frames of videos have up to 854 pixels on the longer side.",
)
_PROGRESS = flags.DEFINE_enum(
    "progress",
    options.TIME,
    list(options.MEASURES),
    "With --clean: what progress is measured by. time: the share of the time without pauses. "
    "change: the share of what was painted.",
)
_MIN_QUALITY = flags.DEFINE_float(
    "min_quality",
    0.1,
    "With --clean: leave out videos of lower quality. Quality falls below 1 if the canvas is "
    "small, out of focus, hidden most of the time, or hardly changes; 0 uses all.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_OCCLUDER_MODEL = flags.DEFINE_string(
    "occluder_model",
    None,
    "With --clean: folder or hub id of a network of transformers that finds hands and tools "
    "in front of the canvas of videos. It is used beside their motion. It is a SAM 3, or a "
    "detector that takes text, such as Grounding DINO.",
)
_OCCLUDER_PROMPTS = flags.DEFINE_list(
    "occluder_prompts",
    list(options.PROMPTS),
    "With --occluder_model: names of what the network looks for.",
)
_MASK_MODEL = flags.DEFINE_string(
    "mask_model",
    None,
    "With an --occluder_model that finds boxes: folder or hub id of a SAM or SAM 2 that makes"
    " masks of the boxes [default: what differs in colour from the surroundings of its box].",
)
_ITEM_TIMEOUT = flags.DEFINE_float(
    "item_timeout",
    1800,
    "recorded_processes: seconds that reading a recording may take; 0 for no limit.",
)
_BEAM_RUNNER = flags.DEFINE_string(
    "beam_runner",
    None,
    "recorded_processes: runner of Apache Beam that reads the recordings, such as DirectRunner or "
    "DataflowRunner.",
)
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_options",
    [],
    "recorded_processes: options of Beam's pipeline, such as direct_num_workers=4 or "
    "project=P,region=R,temp_location=gs://B/temp.",
)
_KEPT_DIR = flags.DEFINE_string(
    "kept_dir",
    None,
    "recorded_processes: folder for records that have been read, until the data set is "
    "complete. All workers of Beam must see it, so it may be gs://BUCKET/FOLDER [default: "
    "beside the data set].",
)
_EDITS = flags.DEFINE_enum(
    "edits",
    timelapse.CUT,
    list(timelapse.CHOICES),
    "recorded_processes: what is done if a recording shows the finished picture before the "
    "canvas, fades in or out, or runs backwards. Each case is named and counted. cut leaves "
    "out the frames that are not the process, and whole recordings that seem to run "
    "backwards. This is safe: what remains is as it was recorded, and nothing is learned in "
    "the wrong order. turn also turns backward recordings round, which is wrong for those "
    "that only seem to run backwards. keep changes nothing.",
)

_SEGMENTS = flags.DEFINE_string(
    "segments",
    None,
    "recorded_processes: network that finds the regions of the finished picture: a folder or "
    "hub id of Mask2Former or another one for panoptic segmentation [default: a method "
    "without a network].",
)
_CAPTIONS = flags.DEFINE_string(
    "captions",
    None,
    "recorded_processes: network that describes what is painted if no caption is given: a "
    "folder or hub id of BLIP, GIT or another one that takes a picture without a question.",
)
_GUESS_MEDIUM = flags.DEFINE_string(
    "guess_medium",
    None,
    "recorded_processes: CLIP that guesses the medium if none is stated: a folder or hub id "
    "such as openai/clip-vit-large-patch14.",
)
_MIN_CONFIDENCE = flags.DEFINE_float(
    "min_confidence",
    0.5,
    "With --guess_medium: leave out recordings whose guess has a lower confidence.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_VARIANTS_MODEL = flags.DEFINE_string(
    "variants_model",
    None,
    "recorded_processes: diffusion model that edits pictures: a folder or hub id such as "
    "timbrooks/instruct-pix2pix. It makes the finished picture in the looks of "
    "--variant_media. Training then also starts from these.",
)
_VARIANT_MEDIA = flags.DEFINE_list(
    "variant_media",
    ["photo", "pencil", "line_art"],
    "With --variants_model: looks of the variants: media, photo or line_art.",
)
_VARIANT_STEPS = flags.DEFINE_integer(
    "variant_steps", 30, "With --variants_model: steps of the diffusion model."
)

_CACHE_LATENTS = flags.DEFINE_bool(
    "cache_latents",
    False,
    "Encode a prepared data set for an experiment; train then reads the latents.",
)
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "cache_latents: file of the experiment that the latents are for."
)
_LATENTS_DTYPE = flags.DEFINE_enum(
    "latents_dtype",
    "float32",
    list(packed_arrays.DTYPES),
    "cache_latents: type of the stored numbers; bfloat16 takes half the disk space.",
)

_ONLY_FOR = {
    "painted_images": (_MEDIA, _FRAMES, _VARIANTS, _SEED),
    "recorded_processes": (
        _MEDIUM,
        _MAX_FRAMES,
        _GRID,
        _CLEAN,
        _OCCLUDER_MODEL,
        _OCCLUDER_PROMPTS,
        _MASK_MODEL,
        _EDITS,
        _ITEM_TIMEOUT,
        _BEAM_RUNNER,
        _BEAM_OPTIONS,
        _KEPT_DIR,
        _SEGMENTS,
        _CAPTIONS,
        _GUESS_MEDIUM,
        _MIN_CONFIDENCE,
        _VARIANTS_MODEL,
        _VARIANT_MEDIA,
        _VARIANT_STEPS,
    ),
}
_NETWORKS = (_SEGMENTS, _CAPTIONS, _GUESS_MEDIUM, _VARIANTS_MODEL)
_ONLY_FOR_BUILDERS = (_BUILDER, _SOURCE, _SIZE, *itertools.chain(*_ONLY_FOR.values()))


def main() -> None:
    """Builds the dataset that the flags describe, and prints a summary."""
    # TFDS warns about every config that is not in its own list.
    logging.set_verbosity(logging.ERROR)
    cli.refuse_empty(_DATA_DIR, _SOURCE, _KEPT_DIR, *_NETWORKS, _OCCLUDER_MODEL, _MASK_MODEL)
    cli.refuse_remote(_DATA_DIR)
    cli.check_readable(_SOURCE, _KEPT_DIR)
    for flag, least, most in (
        (_FRAMES, 2, 512),
        (_VARIANTS, 1, 10_000),
        (_SEED, 0, cli.MOST),
        (_MAX_FRAMES, 2, 10_000),
        (_ITEM_TIMEOUT, 0, cli.MOST),
        (_VARIANT_STEPS, 1, 1000),
    ):
        cli.require_from_to(flag, least, most)
    if not re.fullmatch(r"\w[\w.-]*", _NAME.value):
        raise UserError(f"--name={_NAME.value}: letters, digits, '_', '-' and '.' make a name")
    if _CACHE_LATENTS.value:
        _cache_latents()
        return
    for only_flag in (_CONFIG, _LATENTS_DTYPE):
        if only_flag.present:
            raise UserError(f"--{only_flag.name} is for --cache_latents, not for a builder")
    if _BUILDER.value is None:
        raise UserError("--builder is missing: painted_images or recorded_processes")
    if not _DATA_DIR.value:
        raise UserError("--data_dir is missing: the folder to put the data set in")
    for builder, only_flags in _ONLY_FOR.items():
        for flag in only_flags:
            if flag.present and builder != _BUILDER.value:
                raise UserError(f"--{flag.name} is for {builder}, not for {_BUILDER.value}")
    summary = _built(os.path.expanduser(_DATA_DIR.value))
    print("\n".join(summary.lines()))
    # A data set of an earlier version has none.
    if (page := pathlib.Path(summary.path, dataset.PAGE)).exists():
        print(f"look at it: {page}")


def _built(data_dir: str) -> building.Summary:
    build = functools.partial(
        building.build,
        data_dir=data_dir,
        overwrite=_OVERWRITE.value,
        say=functools.partial(print, flush=True),
        present=functools.partial(
            dataset.write,
            command=shlex.join(["python", "-m", "painting_jax.prepare", *sys.argv[1:]]),
        ),
    )
    if _BUILDER.value == "painted_images":
        return build(painted_images.Builder, _painted())
    config, kept_dir = _recorded(), _KEPT_DIR.value and os.path.expanduser(_KEPT_DIR.value)
    with crews.chosen(
        _BEAM_RUNNER.value,
        _BEAM_OPTIONS.value,
        seconds=_ITEM_TIMEOUT.value,
        kept_dir=kept_dir,
        sources=_SOURCE.value,
        networks=[network.path for network in _networks(config)],
    ) as crew:
        return build(recorded_processes.Builder, config, crew=crew, kept_dir=kept_dir)


def _cache_latents() -> None:
    for flag in _ONLY_FOR_BUILDERS:
        if flag.present:
            raise UserError(f"--{flag.name} is for a builder, not for --cache_latents")
    if not _CONFIG.present:
        raise UserError("--config is missing: the file of the experiment to make latents for")
    config = cli.experiment(_CONFIG)
    if _DATA_DIR.value:
        config.data.data_dir = _DATA_DIR.value
    config.data.data_dir = os.path.expanduser(config.data.data_dir)
    remote_paths.refuse("config.data.data_dir", config.data.data_dir)
    with memory.explained(lambda: "cache latents of smaller or fewer frames"):
        cache_latents(
            config,
            name=_NAME.value,
            dtype=_LATENTS_DTYPE.value,
            overwrite=_OVERWRITE.value,
            say=functools.partial(print, flush=True),
        )


def _painted() -> painted_images.Config:
    unknown = [name for name in _MEDIA.value if name not in media.MEDIA]
    if unknown or not _MEDIA.value:
        raise UserError(f"--media: unknown {unknown}: known are {', '.join(media.MEDIA)}")
    if len(_SOURCE.value) > 1:
        raise UserError('painted_images takes one --source: a folder or a "pattern*.jpg"')
    height, width = _sides(_SIZE.value or "64")
    return painted_images.Config(
        name=_NAME.value,
        source=_SOURCE.value[0] if _SOURCE.value else None,
        media=tuple(dict.fromkeys(_MEDIA.value)),
        height=height,
        width=width,
        frames=_FRAMES.value,
        variants=_VARIANTS.value,
        seed=_SEED.value,
    )


def _recorded() -> recorded_processes.Config:
    if not _SOURCE.value:
        raise UserError("--source is missing: videos, folders of numbered pictures or a manifest")
    if _MEDIUM.value is not None and _MEDIUM.value not in media.MEDIA:
        raise UserError(f"unknown medium {_MEDIUM.value!r}: known are {', '.join(media.MEDIA)}")
    height, width = _sides(_SIZE.value or "1280")
    if height != width:
        raise UserError(f"--size={_SIZE.value}: recorded_processes takes one number, the long side")
    return recorded_processes.Config(
        name=_NAME.value,
        source=tuple(_SOURCE.value),
        medium=_MEDIUM.value,
        size=height,
        edits=_EDITS.value,
        grid=_GRID.value,
        clean=_CLEAN.value,
        progress=_PROGRESS.value,
        min_quality=_MIN_QUALITY.value,
        occluders=_occluders(),
        max_frames=_MAX_FRAMES.value,
        enrichment=_enrichment(),
    )


def _enrichment() -> Enrichment:
    _refuse_without(_GUESS_MEDIUM, _MIN_CONFIDENCE)
    _refuse_without(_VARIANTS_MODEL, _VARIANT_MEDIA, _VARIANT_STEPS)
    if _GUESS_MEDIUM.value and _MEDIUM.value:
        raise UserError("--medium says what --guess_medium would guess: leave one out")
    return choice.chosen(
        segments=_SEGMENTS.value,
        captions=_CAPTIONS.value,
        medium=_GUESS_MEDIUM.value,
        least_confidence=_MIN_CONFIDENCE.value,
        variants=_VARIANTS_MODEL.value,
        looks=_VARIANT_MEDIA.value,
        steps=_VARIANT_STEPS.value,
    )


def _networks(config: recorded_processes.Config) -> list[Network]:
    asked = config.occluders
    return [*config.enrichment.networks, *(asked.networks if asked else ())]


def _occluders() -> options.Prompted | None:
    _refuse_without(_CLEAN, _OCCLUDER_MODEL)
    _refuse_without(_OCCLUDER_MODEL, _OCCLUDER_PROMPTS, _MASK_MODEL)
    if not _OCCLUDER_MODEL.value:
        return None
    prompts = [prompt.strip() for prompt in _OCCLUDER_PROMPTS.value]
    if not prompts or not all(prompts) or any("." in prompt for prompt in prompts):
        raise UserError("--occluder_prompts: names of things without full stops, as in hand,pencil")
    mask_model = _MASK_MODEL.value
    return options.Prompted(
        Network.named("occluder_model", _OCCLUDER_MODEL.value),
        tuple(dict.fromkeys(prompts)),
        Network.named("mask_model", mask_model) if mask_model else None,
    )


def _refuse_without(main: flags.FlagHolder, *details: flags.FlagHolder) -> None:
    """Refuses flags that say more of another one, unless that is given."""
    for flag in details:
        if flag.present and not main.value:
            raise UserError(f"--{flag.name} is for --{main.name}, which is missing")


def _sides(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(16 <= side <= 4096 for side in sides):
        raise UserError(f"--size={text}: a side or HEIGHTxWIDTH, each 16..4096 pixels")
    return sides


if __name__ == "__main__":
    cli.run(main)
