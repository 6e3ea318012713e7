"""What the metadata of a generated picture or video state, in the form that `generate` writes."""

import dataclasses
import html
import re

from etils import epath
from PIL import Image

from painting_jax import json_text
from painting_jax.data import pictures, video
from painting_jax.errors import readable, shortened

_DESCRIPTION = re.compile(r"Generated painting process, not a recording\. Model: ")
_COMMENT = re.compile(r"^comment: ([^<\n]*)", re.MULTILINE)  # in an XMP packet, a line of its text
_XMP = ("XML:com.adobe.xmp", "xmp")  # Pillow's names for it in a png, and elsewhere


@dataclasses.dataclass(frozen=True)
class Stated:
    """What metadata state of a process that was generated.

    Attributes:
      model: Name of the model; "" if it is not stated.
      medium: Medium, or a mixture as in "oil:0.7,pencil:0.3"; "" if it is not stated.
      day: Day as in "2026-11-27"; "" if it is not stated.
      is_marked: Whether frames carry a mark; None if it is not stated, as in older files.
    """

    model: str
    medium: str
    day: str
    is_marked: bool | None


def read(path: epath.PathLike) -> Stated | None:
    """The statement in a file's metadata; None if there is none of this package.

    Raises:
      UserError: If the file cannot be read.
    """
    path = epath.Path(path)
    if video.is_video(path):
        tags = video.read_metadata(path)
        if "xmp" not in tags:
            return _stated(tags.get("description", ""), tags.get("comment", ""))
        packet = tags["xmp"]
    else:
        with pictures.opened(path) as image:
            packet = _packet(image)
    comment = _COMMENT.search(packet)
    return _stated(packet, html.unescape(comment[1]) if comment else "")


def _packet(image: Image.Image) -> str:
    packet = next((image.info[name] for name in _XMP if name in image.info), "")
    return packet.decode(errors="replace") if isinstance(packet, bytes) else str(packet)


def _stated(description: str, comment: str) -> Stated | None:
    if not _DESCRIPTION.search(description):
        return None
    try:
        values = json_text.parse(comment)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        values = {}
    mark = values.get("mark")
    return Stated(
        model=_text(values.get("model")),
        medium=_mixture(values.get("medium")),
        day=_text(values.get("made_on")),
        is_marked=None if mark is None else bool(mark),
    )


def _mixture(weights: object) -> str:
    if not isinstance(weights, dict):
        return _text(weights)
    if len(weights) == 1:
        return _text(*weights)
    return _text(",".join(f"{name}:{weight}" for name, weight in weights.items()))


def _text(value: object) -> str:
    """A value from a file as a part of a line: other than text it is left out."""
    return " ".join(shortened(readable(value)).split()) if isinstance(value, str) else ""
