"""What the exports of painvidpro, the curation tool of Loomis Painter's authors, have in common.

A video lies in `{train,eval,test}/{source}/{id}/`, as `frame_data.h5` or as `frame_data.pkl`.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any

from etils import epath
from PIL import Image

from painting_jax.data import pictures, remarks
from painting_jax.errors import UserError

MOST_FRAMES = 100_000
MOST_BYTES = 64 << 20  # of an encoded picture, or of all the metadata of a video
_SPLITS = {"train": "train", "eval": "validation", "test": "test"}
_TABLE = "metadata.csv"  # of a split
_LARGEST_TABLE = 16 << 20  # bytes


def stated_by_place(path: epath.Path) -> dict[str, str]:
    """The split of a video, by the folder three above its file."""
    folders = path.absolute().parts[-4:-3]
    return {"split": _SPLITS[folders[0]]} if folders and folders[0] in _SPLITS else {}


def stated_medium(about: Mapping[str, Any]) -> dict[str, str]:
    """The medium that a video states: painvidpro names media, and Loomis's method as a style."""
    styles, media = (_names(about.get(key)) for key in ("art_style", "art_media"))
    if any("loomis" in style for style in styles):
        return {"medium": "loomis_portrait"}
    named = {"colored_pencils": "colored_pencil", "coloured_pencils": "colored_pencil"}
    return {"medium": named.get(media[0], media[0])} if len(media) == 1 else {}


def _names(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return ["_".join(name.lower().split()) for name in values if isinstance(name, str) and name]


def row_of_table(path: epath.Path) -> dict[str, list[str]]:
    """What the table of its split, `metadata.csv`, says of a video: lists by column.

    Nothing if there is no such table or it cannot be read, which is remarked on.
    """
    video = path.absolute().parent
    table = video.parent.parent / _TABLE
    if not table.is_file():
        return {}
    try:
        with table.open("rb") as file:
            data = file.read(_LARGEST_TABLE + 1)
        if len(data) > _LARGEST_TABLE:
            raise ValueError(f"it has more than {_LARGEST_TABLE >> 20} MiB")
        for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")):
            if (row.get("source"), row.get("video_url")) == (video.parent.name, video.name):
                return {key: (row[key] or "").split(";") for key in row if isinstance(key, str)}
    except (OSError, ValueError, csv.Error) as error:
        remarks.add(f"{table} is not used: {error}")
    return {}


def checked(stored: bytes, what: str) -> bytes:
    """An encoded picture, once its size is known to be one that is decoded.

    Raises:
      UserError: If it is none, or too large.
    """
    try:
        height, width = pictures.stored_size(stored)
    except (UserError, Image.DecompressionBombError):
        raise UserError(f"{what} is no picture") from None
    pictures.check_size(what, width, height)
    return stored
