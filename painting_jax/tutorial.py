"""Makes a tutorial of a painted process: steps in words, a palette, an outline to print.

  python -m painting_jax.tutorial --process=out/cat-oil
  python -m painting_jax.tutorial --process=out/cat-oil --paper=A3 --language=de --numbers
  python -m painting_jax.tutorial --process=recording.mp4 --medium=oil --output=tutorial

The process is a folder that generate wrote, a video, a folder of pictures, or a file of a painting
program. tutorial.html contains everything and needs no network. outline.pdf and outline.svg have
the real size: print them without scaling. generate already writes these files, with the defaults of
this program.

The palette says how to mix its colours from a set of paints. --paints takes a built-in set, or a
text file with one paint per line: a pigment's name, its Colour Index name, or your own name and
what it stands for, as in "my red = PR108" or "my pink = #d98a95".
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import os
import pathlib

import numpy as np
from absl import flags

from painting_jax import cli, media
from painting_jax.data import label_maps, pictures, processes
from painting_jax.data.result_files import RECORD, SEGMENTS, TUTORIAL
from painting_jax.errors import UserError
from painting_jax.files import check_destination, written_beside
from painting_jax.instruction import tutorial
from painting_jax.instruction.language import LANGUAGES
from painting_jax.instruction.layers import generated
from painting_jax.instruction.mixing.paint_sets import SETS
from painting_jax.instruction.outline.detail import NAMES

_PROCESS = flags.DEFINE_string("process", None, "The process: a folder, or a file.")
_PICTURE = flags.DEFINE_string(
    "picture",
    None,
    "The picture that the process paints, to compare with [default: the last frame].",
)
_SEGMENTS = flags.DEFINE_string(
    "segments",
    None,
    "Map of the regions, one flat colour each [default: the map that generate was given, else"
    " regions are found].",
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the files [default: the folder that generate wrote]."
)
_MEDIUM = flags.DEFINE_string(
    "medium", None, "Medium or mixture [default: as stated with the process]."
)
_LANGUAGE = flags.DEFINE_enum("language", "en", LANGUAGES, "Language of the tutorial.")
_PAPER = flags.DEFINE_string(
    "paper", "A4", "Paper: A5, A4, A3, Letter, Tabloid or WIDTHxHEIGHT in mm."
)
_PAINTS = flags.DEFINE_string(
    "paints",
    None,
    f"Set of paints ({', '.join(SETS)}) or a file with a list of your own [default: by the "
    "medium].",
)
_WIDTH_MM = flags.DEFINE_float(
    "width_mm",
    None,
    "Width of the painting in mm; larger paintings are spread over several sheets [default: "
    "as fits on one sheet].",
)
_CELLS = flags.DEFINE_integer(
    "cells", 0, "Number of grid cells side by side on the outline [default: no grid]."
)
_NUMBERS = flags.DEFINE_bool(
    "numbers",
    False,
    "Outline the areas of the palette's colours, with their numbers, for painting by numbers.",
)
_DETAIL = flags.DEFINE_enum("detail", "normal", NAMES, "Detail of the outline.")

_FRAMES = 257  # of a recording, at most
_SIDE = 1024  # longer side of frames that are read, in pixels


def main() -> None:
    """Writes the tutorial of the process that the flags name."""
    cli.refuse_empty(_PROCESS, _PICTURE, _SEGMENTS, _OUTPUT, _MEDIUM, _PAPER, _PAINTS)
    cli.require_given(_PROCESS)
    cli.refuse_remote(_OUTPUT)
    cli.check_readable(_PROCESS, _PICTURE, _SEGMENTS)
    cli.require_from_to(_CELLS, 0, 100)
    process = pathlib.Path(_PROCESS.value).expanduser()
    is_generated = (process / RECORD).exists()
    if _OUTPUT.value is None and not is_generated:
        # A recording's folder is a source of data, to which nothing is added.
        raise UserError(f"--{_OUTPUT.name} is missing: name a folder for a recording's tutorial")
    output = pathlib.Path(_OUTPUT.value or process).expanduser()
    check_destination(_OUTPUT.name, output, folder=True)
    read = _generated if is_generated else _recorded
    frames_THWC, known = read(process)
    if _MEDIUM.value is not None:
        known["medium"] = media.mixture(_MEDIUM.value)
    picture_HWC = frames_THWC[-1]
    if _PICTURE.value is not None:
        picture_HWC = pictures.load(os.path.expanduser(_PICTURE.value))
    if _SEGMENTS.value is not None:
        known["labels_HW"] = label_maps.load(
            os.path.expanduser(_SEGMENTS.value), frames_THWC.shape[1:3]
        )
    choices = tutorial.Choices(
        language=_LANGUAGE.value,
        paper=_PAPER.value,
        paints=_PAINTS.value,
        width_mm=_WIDTH_MM.value,
        cells=_CELLS.value,
        numbers=_NUMBERS.value,
        detail=_DETAIL.value,
    )
    files = tutorial.files(frames_THWC, picture_HWC, choices=choices, **known)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with written_beside(output / name) as unfinished:
            unfinished.write_bytes(content)
    print(output / TUTORIAL)


def _generated(folder: pathlib.Path) -> tuple[np.ndarray, dict]:
    """Frames of a process that `generate` wrote, and what it says of them."""
    process = generated.find(folder)
    record = process.record
    medium = record.get("medium")
    weights = medium.items() if isinstance(medium, dict) else ()
    known = {
        "name": pathlib.PurePath(str(record.get("picture") or folder.name)).stem,
        # Anybody may have written it.
        "medium": {name: weight for name, weight in weights if isinstance(weight, int | float)},
        "model": str(record.get("model", "")),
        "progress_T": np.array(process.progress),
    }
    frames_THWC = np.stack([pictures.shrunk(step_HWC, _SIDE) for step_HWC in process.shown()])
    if (folder / SEGMENTS).exists():
        known["labels_HW"] = label_maps.load(folder / SEGMENTS, frames_THWC.shape[1:3])
    return frames_THWC, known


def _recorded(path: pathlib.Path) -> tuple[np.ndarray, dict]:
    """Frames of a recording, and what is known of it."""
    found, skipped = processes.find([path], needs_medium=False)
    if len(found) != 1:
        reason = skipped[0].reason if skipped and not found else f"{len(found)} processes"
        raise UserError(f"--{_PROCESS.name}={path} must be one process, and is not: {reason}")
    (file,) = found
    loaded = processes.load(file, max_frames=_FRAMES, max_side=_SIDE)
    medium = media.mixture(file.medium.replace(" + ", ",")) if file.medium in media.MEDIA else {}
    known = {
        "name": pathlib.PurePath(file.name).stem,
        "medium": medium,
        "model": "",
        "progress_T": loaded.progress_T,
    }
    return loaded.frames_THWC, known


if __name__ == "__main__":
    cli.run(main)
