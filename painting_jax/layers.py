"""Writes a painted process as a file of layers, to go on with in a painting program.

  python -m painting_jax.layers --process=out/cat-oil --output=cat.ora
  python -m painting_jax.layers --process=out/cat-oil --output=cat.psd --steps=12

The process is a folder that generate wrote. Krita, GIMP and MyPaint open .ora. Photoshop, Procreate
and most other programs open .psd, and so do Krita and GIMP. The lowest layer is the first frame.
Each other layer holds what one step changed and is transparent elsewhere: hide the upper layers to
see an earlier step, and paint over it.

By default, the steps are those of the tutorial, cut where the way of painting changes. With
--steps, there are that many layers, and about the same amount is painted in each. All layers
together are exactly the finished picture. With the upper ones hidden, channels differ from the
frame by 4 of 255 at most, since smaller changes wait for a later step.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import os
import pathlib

import numpy as np
from absl import flags

from painting_jax import cli
from painting_jax.data import pictures
from painting_jax.errors import UserError
from painting_jax.files import check_destination, destination
from painting_jax.instruction import steps
from painting_jax.instruction.changes import Changes
from painting_jax.instruction.layers import cutting, generated, ora, psd

_PROCESS = flags.DEFINE_string("process", None, "Folder of one process, as generate wrote it.")
_OUTPUT = flags.DEFINE_string("output", None, "File to write; its name ends in .ora or .psd.")
_STEPS = flags.DEFINE_integer(
    "steps", None, "Number of layers, the first frame included [default: the tutorial's steps]."
)

_WRITERS = {".ora": ora.write, ".psd": psd.write}
_SEEN = 128  # pixels of the longer side at which change is measured


def main() -> None:
    """Writes the file that the flags name."""
    cli.refuse_empty(_PROCESS, _OUTPUT)
    cli.require_given(_PROCESS, _OUTPUT)
    cli.refuse_remote(_OUTPUT)
    cli.check_readable(_PROCESS)
    cli.require_from_to(_STEPS, 2, 100)
    output = pathlib.Path(_OUTPUT.value).expanduser()
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise UserError(f"--{_OUTPUT.name}={output}: it must end in {' or '.join(_WRITERS)}")
    check_destination(_OUTPUT.name, output, folder=False)
    process = generated.find(os.path.expanduser(_PROCESS.value))
    with destination(_OUTPUT.name, output, "layers"):
        indices = _chosen(process, _STEPS.value)
        frames_THWC = process.frames(indices)
        layers = cutting.cut(frames_THWC, generated.described(process, indices))
        write(output, layers, frames_THWC[-1], xmp=process.xmp)
    _, height, width, _ = frames_THWC.shape
    print(f"{len(layers)} layers of {width}x{height}: {output}")


def _chosen(process: generated.Generated, count: int | None) -> list[int]:
    """Frames that layers end in, rising: the first, the last, others."""
    small_THWC = np.stack([pictures.shrunk(frame_HWC, _SEEN) for frame_HWC in process.shown()])
    if count is None:
        return [0, *(step.last for step in steps.cut(Changes.of(small_THWC)))]
    changes = np.abs(np.diff(small_THWC.astype(np.float32), axis=0)).mean((1, 2, 3))
    done_T = np.concatenate([[0], np.cumsum(changes)])
    count = min(count, len(done_T))
    found = np.searchsorted(done_T, np.linspace(0, done_T[-1], count) - 1e-6)
    for place in range(1, count):
        # Each frame once, although nothing may change for a while or much at once.
        most = len(done_T) - count + place
        found[place] = min(max(found[place], found[place - 1] + 1), most)
    found[-1] = len(done_T) - 1
    return found.tolist()


if __name__ == "__main__":
    cli.run(main)
