"""Makes the sheets of docs/sheets: six pictures in six media, painted with the packaged weights.

  python -m benchmarks.sheets --output=docs/sheets --landscape=FILE

Five pictures come from installed packages and from `benchmarks.last_frames`; none of these was
trained on. A row of a sheet is a process, painted with 768 pixels on the longer side.
"""

import pathlib

import numpy as np
from absl import flags
from PIL import Image

from benchmarks import last_frames, packaged, table
from painting_jax import cli
from painting_jax.data import photos, pictures
from painting_jax.errors import UserError

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the sheets.")
_LANDSCAPE = flags.DEFINE_string("landscape", None, "Photo of a landscape.")

_MEDIA = ("oil", "watercolor", "pastel", "pencil", "charcoal", "digital")
_PHOTOS = {
    "portrait": "astronaut",
    "still_life": "coffee",
    "animal": "chelsea",
    "building": "china",
}
_SIZE = 768
_SHOWN = (0.0, 0.125, 0.3125, 0.5, 0.6875, 0.875, 1.0)  # progress of the frames of a row
_TILE, _GAP = 232, 6  # pixels


def main() -> None:
    """Paints all pictures, and writes a sheet for each."""
    if not _OUTPUT.value or not _LANDSCAPE.value:
        raise UserError("--output and --landscape are needed, see --help")
    run = packaged.load()
    folder = pathlib.Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture_HWC in _pictures().items():
        table.tell(name)
        paintings = packaged.paint(run, picture_HWC, _MEDIA, size=_SIZE)
        rows = [_row(painted.frames_THWC) for painted in paintings]
        Image.fromarray(np.concatenate(rows)).save(folder / f"{name}.jpg", quality=85)


def _pictures() -> dict[str, np.ndarray]:
    files = {pathlib.Path(photo.path).stem: photo.path for photo in photos.packaged()}
    found = {name: pictures.load(files[stem]) for name, stem in _PHOTOS.items()}
    return found | {
        "landscape": pictures.load(_LANDSCAPE.value),
        "abstract": last_frames.DRAWN["poster"](),
    }


def _row(frames_THWC: np.ndarray) -> np.ndarray:
    """Some frames of a process beside each other, uint8[H, W, 3]."""
    height, width = frames_THWC.shape[1:3]
    tile = (round(_TILE * height / width), _TILE) if width >= height else (_TILE, _TILE)
    chosen = [round(progress * (len(frames_THWC) - 1)) for progress in _SHOWN]
    tiles = [pictures.fit(frames_THWC[index], *tile) for index in chosen]
    framed = [np.pad(x, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for x in tiles]
    return np.concatenate(framed, 1)


if __name__ == "__main__":
    cli.run(main)
