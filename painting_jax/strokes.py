"""Paints a picture with the stroke painter, and writes its strokes as an SVG in painted order.

  python -m painting_jax.strokes --image=cat.jpg --medium=oil --output=strokes.svg

The stroke painter is the program whose processes the models learn from; it needs no weights. The
SVG has a group for each pass of the painter and a path for each stroke, so Inkscape and other
programs can change each stroke. prepare reads the SVG as a recording, stroke by stroke.

A path has the mean colour of its stroke. The SVG leaves out what varies within a stroke (pressure,
flowing colours, bristles, the tooth of the ground, wet edges) and paint that other strokes of the
same pass cover. Bars around a picture are left out, too.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import os
import pathlib

from absl import flags

from painting_jax import cli, media
from painting_jax.data import bars, painter, pictures
from painting_jax.errors import UserError
from painting_jax.files import check_destination, destination
from painting_jax.instruction.layers import strokes_svg
from painting_jax.instruction.layers.strokes import Recorder

_IMAGE = flags.DEFINE_string("image", None, "Picture to paint.")
_MEDIUM = flags.DEFINE_enum("medium", "oil", list(media.MEDIA), "Medium to paint in.")
_OUTPUT = flags.DEFINE_string("output", None, "File to write; its name ends in .svg.")
_SIZE = flags.DEFINE_integer(
    "size",
    None,
    "Longer side in pixels at which the picture is painted, at most. A larger picture has "
    "more strokes and finer detail [default: 384, or less if an svg cannot hold the strokes].",
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the places and colours of the strokes.")

_SIZES = (384, 320, 256, 192, 128)


def main() -> None:
    """Writes the file that the flags name."""
    cli.refuse_empty(_IMAGE, _OUTPUT)
    cli.require_given(_IMAGE, _OUTPUT)
    cli.refuse_remote(_OUTPUT)
    cli.check_readable(_IMAGE)
    cli.require_from_to(_SIZE, 32, 1024)
    cli.require_from_to(_SEED, 0)
    output = pathlib.Path(_OUTPUT.value).expanduser()
    if output.suffix.lower() != ".svg":
        raise UserError(f"--{_OUTPUT.name}={output}: it must end in .svg")
    check_destination(_OUTPUT.name, output, folder=False)
    image = os.path.expanduser(_IMAGE.value)
    picture_HWC = pictures.load(image)
    if inside := bars.inside(picture_HWC):
        picture_HWC = inside.cut(picture_HWC)
    with destination(_OUTPUT.name, output, "strokes"):
        longer = max(picture_HWC.shape)
        sides = [_SIZE.value] if _SIZE.value else _SIZES
        for size in sorted({min(side, longer) for side in sides}, reverse=True):
            small_HWC, painted = pictures.shrunk(picture_HWC, size), Recorder()
            painter.paint(small_HWC, _MEDIUM.value, frames=2, seed=_SEED.value, watch=painted)
            if len(painted) <= strokes_svg.MOST_STROKES:
                break
        height, width, _ = small_HWC.shape
        title = f"{pathlib.Path(image).stem}, {_MEDIUM.value}"
        strokes_svg.write(output, painted, (height, width), title=title)
    print(
        f"{len(painted)} strokes of {_MEDIUM.value} at {width}x{height}, {painted.unseen} more are "
        f"covered{', bars are left out' if inside else ''}: {output}"
    )


if __name__ == "__main__":
    cli.run(main)
