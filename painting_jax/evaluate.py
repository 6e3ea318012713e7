"""Measures painting processes and writes a report.

  python -m painting_jax.evaluate --workdir=RUN --output=OUT
  python -m painting_jax.evaluate --generated=DIR --recorded=DIR [--unpaired] --output=OUT
  python -m painting_jax.evaluate --generated=ours:DIR,theirs:DIR2 --recorded=DIR --output=OUT

With --workdir the run's model paints the held-out processes of its data set; they are compared
with the recorded ones, and so are three yardsticks: a cross-fade from the blank canvas to the
picture, the picture coming into focus, and the process of another picture.

With --generated the videos of any methods are compared (mp4, mov, webm, mkv, gif, webp, folders of
numbered pictures, what generate left): with the recorded process of the same name, or with
--unpaired each with its own last frame and their pace with that of the recorded set. What is known
of a process may stand in cat.json beside cat.mp4, or in process.json in a folder of pictures:
{"picture": "cat", "medium": "oil", "progress": [0, 0.2, 1]}. What was painted of one picture in
several media is compared across them; the progress is the share of the painting time at each frame.
Without it a video's frames are taken at the times at which they are shown and numbered pictures to
be evenly spread, and which way they run is found out.

OUT gets index.html (open it), metrics.json, metrics.csv (a row a video), table.md, and with
--workdir the generated videos. What is done so far lies in OUT.partial until then: interrupted and
started again, an evaluation goes on from it.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterable, Sequence

import jax
import tqdm
from absl import flags

from painting_jax import cli
from painting_jax.errors import UserError
from painting_jax.evaluation import folders
from painting_jax.evaluation.instruments import Instruments, opened
from painting_jax.evaluation.measuring import Measuring
from painting_jax.evaluation.methods import Method, parse
from painting_jax.evaluation.order import AUTO, ORDERS
from painting_jax.evaluation.result import Result, versions
from painting_jax.evaluation.store import Store, file_state
from painting_jax.files import check_destination
from painting_jax.report import folder as report
from painting_jax.sharding.mesh import make_mesh

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the report; an older one is replaced.")
_SEED = flags.DEFINE_integer("seed", 0, "Of noise, exchanged conditions and the bootstrap.")
_BACKBONES = flags.DEFINE_multi_string(
    "backbones",
    None,
    "Networks to measure with, KIND=WEIGHTS, several with commas between them. "
    "lpips=vgg:FILE or lpips=alex:FILE is the published LPIPS, without it VGG16 weights that ship "
    "in a package stand in; clip=HUB_ID_OR_FOLDER and dino=HUB_ID_OR_FOLDER add similarities, "
    "inception=FILE the features of FID and KID, for which LPIPS's network stands in",
)

_GENERATED = flags.DEFINE_multi_string(
    "generated",
    None,
    "Folder of videos to judge, or several as name:DIR,name2:DIR2. A backslash stands before a "
    "comma or a colon of a path",
)
_RECORDED = flags.DEFINE_string("recorded", None, "Folder of recorded processes to compare with.")
_UNPAIRED = flags.DEFINE_bool("unpaired", False, "Compare with the recorded set as a whole.")
_YARDSTICKS = flags.DEFINE_bool(
    "yardsticks", False, "Measure cross-fade and blur-to-sharp beside each pair, too."
)
_ORDER = flags.DEFINE_enum(
    "order",
    AUTO,
    list(ORDERS),
    "In which order generated frames come, where no progress tells; auto finds out and says so.",
)
_FRAMES = flags.DEFINE_integer("frames", 33, "Frames of a video that are measured, at most.")
_SIZE = flags.DEFINE_integer("size", 256, "Longer sides of videos are scaled down to this.")

_WORKDIR = flags.DEFINE_string("workdir", None, "A training run, whose model is evaluated.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Data sets, where they moved since training.")
_SPLIT = flags.DEFINE_enum("split", "test", ["test", "validation", "train"], "To evaluate on.")
_EXAMPLES = flags.DEFINE_integer("examples", 40, "Processes of the split to evaluate on, at most.")
_STEPS = flags.DEFINE_integer("steps", None, "Sampling steps [default: the run's].")
_GUIDANCE = flags.DEFINE_float("guidance", None, "Strength of guidance [default: the run's].")

# Frames are shared by all devices.
_DATA = {"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1}

_OF_VIDEOS = (_RECORDED, _UNPAIRED, _YARDSTICKS, _ORDER, _FRAMES, _SIZE)
_OF_A_RUN = (_DATA_DIR, _SPLIT, _EXAMPLES, _STEPS, _GUIDANCE)


def main() -> None:
    """Evaluates what the flags name, writes the report and says where it is."""
    if (_GENERATED.value is None) == (_WORKDIR.value is None):
        raise UserError("say what to evaluate: either --generated=DIR or --workdir=RUN")
    if not _OUTPUT.value:
        raise UserError("--output is missing: a new folder for the report")
    wrong, mode = (_OF_A_RUN, "--workdir") if _GENERATED.value else (_OF_VIDEOS, "--generated")
    for flag in wrong:
        if flag.present:
            raise UserError(f"--{flag.name} goes with {mode}")
    for flag, least in ((_FRAMES, 2), (_SIZE, 64), (_EXAMPLES, 1)):
        if flag.value < least:
            raise UserError(f"--{flag.name}={flag.value}: it must be at least {least}")
    if not 0 <= _SEED.value < 2**31:
        raise UserError(f"--seed={_SEED.value}: it must be from 0 to {2**31 - 1}")
    cli.refuse_empty(_RECORDED)
    methods = parse(_GENERATED.value or ())
    inputs = [method.folder for method in methods]
    report.check(_OUTPUT.value, inputs + ([_RECORDED.value] if _RECORDED.value else []))
    check_destination(_OUTPUT.name, _OUTPUT.value, folder=True)
    result, store = _videos(methods) if methods else _run()
    for line in result.skipped:
        print(f"left out: {line}")
    for line in result.notes if methods else ():
        print(f"note: {line}")
    page = report.write(result, _OUTPUT.value)
    store.remove()
    print(f"{result.subtitle} Left out: {len(result.skipped)}.")
    print(f"report: {page}")


def _videos(methods: Sequence[Method]) -> tuple[Result, Store]:
    instruments = _instruments()
    settings = {
        "frames": _FRAMES.value,
        "size": _SIZE.value,
        "yardsticks": _YARDSTICKS.value,
        "unpaired": _UNPAIRED.value,
        "order": _ORDER.value,
    }
    store = _store(settings | instruments.identity)
    measuring = Measuring(
        instruments, _FRAMES.value, _SIZE.value, _YARDSTICKS.value, store, _ORDER.value
    )
    result = folders.evaluate(
        measuring,
        methods=methods,
        recorded=_RECORDED.value,
        unpaired=_UNPAIRED.value,
        seed=_SEED.value,
        watch=_watch,
    )
    return result, store


def _instruments() -> Instruments:
    return opened(_BACKBONES.value or (), make_mesh(_DATA) if jax.device_count() > 1 else None)


def _store(settings: dict[str, object]) -> Store:
    output = pathlib.Path(_OUTPUT.value)
    return Store(output.with_name(f"{output.name}.partial"), {**settings, "versions": versions()})


def _run() -> tuple[Result, Store]:
    # Only a run needs a checkpoint and a data set, whose libraries take seconds to import.
    from painting_jax.data import pipeline  # noqa: PLC0415
    from painting_jax.evaluation import held_out, transfer  # noqa: PLC0415
    from painting_jax.evaluation.across import with_gained  # noqa: PLC0415
    from painting_jax.generation.run import Run  # noqa: PLC0415

    instruments = _instruments()
    model = Run.load(_WORKDIR.value)
    data, sampling = model.config.data, model.config.sampling
    steps = sampling.steps if _STEPS.value is None else _STEPS.value
    guidance = sampling.guidance if _GUIDANCE.value is None else _GUIDANCE.value
    if steps < 1:
        raise UserError(f"--steps={steps}: it must be at least 1")
    if not math.isfinite(guidance):
        raise UserError(f"--guidance={guidance}: it must be a number, 1 for none")
    source = pipeline.Source(_DATA_DIR.value or data.data_dir, _SPLIT.value, data.dataset)
    model.text_conditioner.prepare(source.captions_and_media())
    examples = pipeline.Examples(
        model.task.frames,
        data.height,
        data.width,
        model.text_conditioner,
        model.config.model.media,
    )
    chosen = held_out.load(source, examples, batch_size=data.batch_size, at_most=_EXAMPLES.value)
    settings = {
        "workdir": str(_WORKDIR.value),
        "model": model.label,
        "trained_steps": int(model.step),
        "data": str(source.path),
        "split": _SPLIT.value,
        "examples": _EXAMPLES.value,
        "sampling_steps": steps,
        "guidance": guidance,
        "seed": _SEED.value,
    }
    # A run of the same name that was trained anew is another one, and so is its data set.
    files = {
        "checkpoint": file_state(os.path.join(_WORKDIR.value, "checkpoints", str(model.step))),
        "rows": file_state(source.path),
    }
    store = _store(settings | instruments.identity | files)

    def generate(batch):
        return model.generate(
            batch, frames=model.task.frames, steps=steps, guidance=guidance, seed=_SEED.value
        )

    result = held_out.evaluate(
        instruments,
        chosen,
        generate=generate,
        losses=model.losses,
        model=model.label,
        settings=settings,
        store=store,
        watch=_watch,
    )
    looks, gained = transfer.transfers(
        instruments.distance,
        source,
        examples,
        clip=instruments.backbones.get("clip"),
        generate=generate,
        batch_size=data.batch_size,
        at_most=_EXAMPLES.value,
        seed=_SEED.value,
        store=store,
        watch=_watch,
    )
    compared = with_gained(result.across, gained)
    return dataclasses.replace(result, transfers=looks, across=compared), store


def _watch(items: Iterable, doing: str) -> Iterable:
    return tqdm.tqdm(items, desc=doing, disable=None)


if __name__ == "__main__":
    cli.run(main)
