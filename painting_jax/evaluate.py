"""Measures painting processes and writes a report.

  python -m painting_jax.evaluate --workdir=RUN --output=OUT
  python -m painting_jax.evaluate --generated=DIR --recorded=DIR [--unpaired] --output=OUT
  python -m painting_jax.evaluate --generated=ours:DIR,theirs:DIR2 --recorded=DIR --output=OUT
  python -m painting_jax.evaluate --generated=... --recorded=DATA --protocol=loomis_painter \\
      --output=OUT [--export=DIR3]

With --workdir, the run's model paints the held-out processes of its data set. Its processes and
three baselines are compared with the recorded ones: a cross-fade from the blank canvas to the
picture, the picture coming into focus, and the process of another picture.

With --generated, the videos of any methods are compared (mp4, mov, webm, mkv, gif, webp, folders of
numbered pictures, outputs of generate). Each is compared with the recorded process of the same
name, or else of the same picture and medium, which outputs of generate state. With --unpaired, each
is compared with its own last frame, and the pace of all with that of the recorded set. Facts about
a process can be given in cat.json beside cat.mp4, or in process.json in a folder of pictures:
{"picture": "cat", "medium": "oil", "progress": [0, 0.2, 1]}. Processes of one picture in several
media are compared across media. The progress is the share of the painting time at each frame.
Without it, the frames of a video are placed by their time stamps, numbered pictures are spaced
evenly, and the direction of a process is detected.

With --protocol=loomis_painter, methods are compared as the authors of Loomis Painter do: on the
videos of the test split, paired by source and id. --recorded is an export of painvidpro, with
test/SOURCE/ID/frame_data.pkl or frame_data.h5. --generated is what the authors' scripts write
(test/SOURCE/ID/frame_data.pkl and frame_progress.pkl), or videos named SOURCE/ID, or what generate
painted for --image="DATA/test/*/*/reference_frame.png". Padding that made frames square is removed.
--export writes the generated videos in the layout of the authors' scripts. Pickles are read without
running anything, as lists of bytes and numbers.

OUT contains index.html (open it), metrics.json, metrics.csv (one row per video), table.md, and with
--workdir the generated videos. Until they are written, OUT.partial holds what was measured: when an
interrupted evaluation is started again, it resumes from there.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import pathlib
import sys
from collections.abc import Iterable

import jax
import tqdm
from absl import flags

from painting_jax import cli, memory
from painting_jax.data import timelapse
from painting_jax.diffusion import schedules
from painting_jax.errors import UserError
from painting_jax.evaluation import loomis_export, loomis_protocol
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.folder_source import AUTO, ORDERS, FolderSource
from painting_jax.evaluation.measurement import ProcessSource, evaluate
from painting_jax.evaluation.methods import Method, parse_methods
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.result import versions
from painting_jax.files import check_destination, destination, remove_unfinished
from painting_jax.generation.devices import HELP, Devices
from painting_jax.report import folder as report
from painting_jax.sharding.mesh import make_mesh

_OUTPUT = flags.DEFINE_string("output", None, "Folder of the report; an older report is replaced.")
_SEED = flags.DEFINE_integer(
    "seed", 0, "Seed of the noise, of exchanged conditions and of the bootstrap."
)
_BACKBONES = flags.DEFINE_multi_string(
    "backbones",
    None,
    "Networks to measure with, as KIND=WEIGHTS; several are separated by commas. "
    "lpips=vgg:FILE or lpips=alex:FILE is the published LPIPS; the default is a proxy, the "
    "VGG16 weights of an installed package. clip=HUB_ID_OR_FOLDER and dino=HUB_ID_OR_FOLDER "
    "add similarities. inception=FILE computes the features of FID and KID, for which LPIPS's"
    " network is the default proxy",
)

_GENERATED = flags.DEFINE_multi_string(
    "generated",
    None,
    "Folder of videos to evaluate, or several as name:DIR,name2:DIR2. Write a backslash "
    "before a comma or a colon that belongs to a path",
)
_RECORDED = flags.DEFINE_string("recorded", None, "Folder of recorded processes to compare with.")
_UNPAIRED = flags.DEFINE_bool(
    "unpaired", False, "Compare with the whole set of recorded processes instead of pairs."
)
_YARDSTICKS = flags.DEFINE_bool(
    "yardsticks", False, "Also measure two baselines for each pair: cross-fade and blur-to-sharp."
)
_ORDER = flags.DEFINE_enum(
    "order",
    AUTO,
    list(ORDERS),
    "Order of generated frames without stated progress; auto detects and reports it.",
)
_EDITS = flags.DEFINE_enum(
    "edits",
    timelapse.KEEP,
    list(timelapse.CHOICES),
    "What is done if a video shows the finished picture before the canvas, fades in or out, "
    "or if a recorded one runs backwards. Each case is named in the notes. keep measures "
    "every video as it is, which is safe: no number changes unasked. cut leaves out what is "
    "not the process. turn also turns recorded videos round; for generated ones, --order "
    "decides.",
)
_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    None,
    [loomis_protocol.NAME],
    "Compare as published. loomis_painter takes the test split of --recorded, pairs by source"
    " and id, removes padding that made frames square, and measures at up to 512 pixels.",
)
_EXPORT = flags.DEFINE_string(
    "export",
    None,
    "New folder for the generated videos in the layout of --protocol, as they were measured: with "
    "up to --frames frames.",
)
_FRAMES = flags.DEFINE_integer("frames", 33, "Maximum number of measured frames per video.")
_SIZE = flags.DEFINE_integer(
    "size",
    None,
    "Longer sides of videos are scaled down to this [default: 256, or the protocol's 512]. "
    "With --workdir: the longer side in pixels at which a model with a pixel head paints and "
    "is measured [default: as in training].",
)

_WORKDIR = flags.DEFINE_string("workdir", None, "Training run whose model is evaluated.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of the data sets, if they moved since the training."
)
_SPLIT = flags.DEFINE_enum(
    "split", "test", ["test", "validation", "train"], "Split to evaluate on."
)
_EXAMPLES = flags.DEFINE_integer("examples", 40, "Maximum number of processes of the split.")
_STEPS = flags.DEFINE_integer("steps", None, "Sampling steps [default: the run's].")
_GUIDANCE = flags.DEFINE_float("guidance", None, "Guidance scale [default: the run's].")
_STEP_CACHE = flags.DEFINE_float(
    "step_cache",
    0.0,
    "Threshold of the step cache, from 0 to 1, as in generate; 0 computes all steps. The "
    "first batch of a model is painted twice: the first time measures it.",
)
_MESH = flags.DEFINE_string("mesh", None, HELP)

# Longer side of the videos in folders.
_SHOWN_AT = 256
# All devices share the frames.
_BY_FRAMES = {"data": -1}

_OF_FOLDERS = (
    *(_RECORDED, _UNPAIRED, _YARDSTICKS, _ORDER, _EDITS, _FRAMES),
    *(_PROTOCOL, _EXPORT),
)
_OF_A_RUN = (_DATA_DIR, _SPLIT, _EXAMPLES, _STEPS, _GUIDANCE, _STEP_CACHE, _MESH)


def main() -> None:
    """Evaluates what the flags name, writes the report and prints its path."""
    methods = _checked_flags()
    output = pathlib.Path(_OUTPUT.value)
    with destination(_OUTPUT.name, output, "evaluate"), memory.explained(_how_to_need_less):
        _evaluate(methods, output)


def _evaluate(methods: list[Method], output: pathlib.Path) -> None:
    networks = Networks.open(
        _BACKBONES.value or (), make_mesh(_BY_FRAMES) if jax.device_count() > 1 else None
    )
    partial = output.with_name(f"{output.name}.partial")
    for folder in (partial, partial / "videos"):
        remove_unfinished(folder)
    folders = _folder_source(methods) if methods else None
    source: ProcessSource = folders or _run_source(partial)
    cache = Cache(partial, {**source.depends_on, **networks.identity, "versions": versions()})
    result = evaluate(source, networks, cache, seed=_SEED.value, watch=_watch)
    for line in result.skipped:
        print(f"left out: {line}")
    for line in result.notes if methods else ():
        print(f"note: {line}")
    page = report.write(result, output)
    cache.remove()
    print(f"{result.subtitle} Left out: {len(result.skipped)}.")
    print(f"report: {page}")
    if _EXPORT.value:
        count = loomis_export.write(folders, _EXPORT.value, _watch)
        print(f"export: {count} videos in {_EXPORT.value}")


def _how_to_need_less() -> str:
    """What to change when memory is short."""
    if _GENERATED.value:
        return f"lower --size={_shown_at()} or --frames={_FRAMES.value}"
    if _SIZE.value:
        return f"lower --size={_SIZE.value}"
    return "use a machine or a device with more memory, such as the one that trained the run"


def _shown_at() -> int:
    """Longer side of the videos in folders."""
    return _SIZE.value or (loomis_protocol.SIDE if _PROTOCOL.value else _SHOWN_AT)


def _checked_flags() -> list[Method]:
    """Checks the flags before anything is loaded; returns the methods of --generated."""
    if (_GENERATED.value is None) == (_WORKDIR.value is None):
        raise UserError("say what to evaluate: either --generated=DIR or --workdir=RUN")
    if not _OUTPUT.value:
        raise UserError("--output is missing: a new folder for the report")
    wrong, mode = (_OF_A_RUN, "--workdir") if _GENERATED.value else (_OF_FOLDERS, "--generated")
    for flag in wrong:
        if flag.present:
            raise UserError(f"--{flag.name} goes with {mode}")
    for flag, least, most in (
        (_FRAMES, 2, 4096),
        (_SIZE, 64, 4096),
        (_EXAMPLES, 1, cli.MOST),
        (_SEED, 0, cli.MOST),
        (_STEPS, 1, schedules.TRAINED),
        (_STEP_CACHE, 0, 1),
    ):
        cli.require_from_to(flag, least, most)
    cli.require(
        _GUIDANCE, lambda scale: abs(scale) <= 1000, "a number from -1000 to 1000, 1 for none"
    )
    if _PROTOCOL.value and _UNPAIRED.value:
        raise UserError(f"--protocol={_PROTOCOL.value} compares pairs: leave out --unpaired")
    if _EXPORT.value and not _PROTOCOL.value:
        raise UserError(f"--export goes with --protocol={loomis_protocol.NAME}")
    cli.refuse_empty(_WORKDIR, _DATA_DIR, _RECORDED, _OUTPUT, _EXPORT)
    cli.refuse_remote(_GENERATED, _RECORDED, _OUTPUT, _EXPORT, _BACKBONES)
    cli.check_runs(_WORKDIR)
    cli.check_readable(_DATA_DIR)
    methods = parse_methods(_GENERATED.value or ())
    inputs = [method.folder for method in methods]
    inputs += [_RECORDED.value] if _RECORDED.value else []
    report.check(_OUTPUT.value, inputs + ([_EXPORT.value] if _EXPORT.value else []))
    if _EXPORT.value:
        loomis_export.check(_EXPORT.name, _EXPORT.value, inputs)
    check_destination(_OUTPUT.name, _OUTPUT.value, folder=True)
    return methods


def _folder_source(methods: list[Method]) -> FolderSource:
    return FolderSource(
        methods,
        _RECORDED.value,
        unpaired=_UNPAIRED.value,
        frames=_FRAMES.value,
        size=_shown_at(),
        with_baselines=_YARDSTICKS.value,
        order=_ORDER.value,
        edits=_EDITS.value,
        protocol=_PROTOCOL.value,
    )


def _run_source(partial: pathlib.Path):
    # Imported here, since the libraries for checkpoints and data sets take seconds to import.
    from painting_jax.config import read_config  # noqa: PLC0415
    from painting_jax.evaluation.run_source import RunSource  # noqa: PLC0415
    from painting_jax.generation.run import guidance_warning  # noqa: PLC0415

    if warning := guidance_warning(read_config(_WORKDIR.value), _GUIDANCE.value):
        print(warning, file=sys.stderr)
    return RunSource.open(
        _WORKDIR.value,
        videos=partial / "videos",
        data_dir=_DATA_DIR.value,
        split=_SPLIT.value,
        examples=_EXAMPLES.value,
        steps=_STEPS.value,
        guidance=_GUIDANCE.value,
        seed=_SEED.value,
        size=_SIZE.value,
        step_cache=_STEP_CACHE.value,
        devices=Devices.of(_MESH.value, {"data": -1}),
    )


def _watch(items: Iterable, doing: str) -> Iterable:
    return tqdm.tqdm(items, desc=doing, disable=None)


if __name__ == "__main__":
    cli.run(main)
