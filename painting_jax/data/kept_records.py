"""Records of sources that have been read, in files of their own, until a data set is complete.

A `prepare` that is started again finds what an earlier one has read. Each file is named by a hash
of everything that its record follows from, and appears at once when it is complete: several
processes and machines may write to one folder.
"""

import base64
import dataclasses
import json
import os
import re
import struct
import zlib
from collections.abc import Collection
from typing import Any, BinaryIO

from etils import epath

from painting_jax import json_text, media, remote_paths
from painting_jax.data import looks, process
from painting_jax.data.sightings import Sighting
from painting_jax.errors import UserError
from painting_jax.files import remove_unfinished, written_beside

_NAME = re.compile(r"[0-9a-f]{64}")
_LENGTH = struct.Struct("<I")  # of the head, which precedes the record
_LONGEST_HEAD = 1 << 20  # bytes
_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Head:
    """What is known of a source beside its record.

    Attributes:
      look: Look of its finished picture; None if that is too plain to be told from others.
      notes: Remarks on it.
      sighting: The recording beside the process; None if there was nothing to see of it.
    """

    look: looks.Look | None
    notes: tuple[str, ...]
    sighting: Sighting | None = None


def write(path: epath.PathLike, record: process.Process, head: Head) -> None:
    """Writes a record to a file that appears when it is complete. Its folder exists."""
    data = process.serialize(record)
    said = {
        "version": _VERSION,
        "bytes": len(data),
        "crc32": zlib.crc32(data),
        "notes": head.notes,
        "look": None if head.look is None else _to_json(head.look),
        "sighting": None if head.sighting is None else head.sighting.to_json(),
    }
    encoded = json.dumps(said).encode()
    content = _LENGTH.pack(len(encoded)) + encoded + data
    if remote_paths.is_remote(path):
        # Storage in the cloud shows no file before it is closed.
        epath.Path(path).write_bytes(content)
    else:
        with written_beside(path) as unfinished:
            unfinished.write_bytes(content)


def head(path: epath.PathLike) -> Head | None:
    """What a file says of its source; None if there is no such file, or it is not whole."""
    try:
        with epath.Path(path).open("rb") as file:
            encoded = _encoded_head(file)
            size = file.seek(0, os.SEEK_END) - _LENGTH.size - len(encoded)
        said = json_text.parse(encoded)
        if said["version"] != _VERSION or said["bytes"] != size:
            return None
        look = None if said["look"] is None else _from_json(said["look"])
        seen = None if said["sighting"] is None else Sighting.from_json(said["sighting"])
        return Head(look, tuple(map(str, said["notes"])), seen)
    except (OSError, ValueError, LookupError, TypeError, struct.error):
        return None


def read(path: epath.PathLike) -> process.Process:
    """Reads a record.

    Raises:
      UserError: If the file is damaged.
    """
    try:
        with epath.Path(path).open("rb") as file:
            said, data = json_text.parse(_encoded_head(file)), file.read()
        if said["crc32"] != zlib.crc32(data):
            raise ValueError
        return process.from_example(data, list(media.MEDIA))
    except (ValueError, LookupError, TypeError, struct.error):
        raise UserError(f"{path} is damaged: remove it, and start again") from None


def only(folder: epath.PathLike, names: Collection[str]) -> set[str]:
    """Removes other records from a folder, and what killed programs left; creates the folder.

    Files that are no records stay.

    Args:
      folder: The folder.
      names: Names of the records that are wanted.

    Returns:
      Those of them that are there, and whole.
    """
    folder = epath.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not remote_paths.is_remote(folder):
        remove_unfinished(folder)
    there = {path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)}
    whole = {name for name in there & set(names) if head(folder / name) is not None}
    for name in there - whole:
        (folder / name).unlink()
    return whole


def _encoded_head(file: BinaryIO) -> bytes:
    [length] = _LENGTH.unpack(file.read(_LENGTH.size))
    if length > _LONGEST_HEAD:
        raise ValueError("no head is as long")
    return file.read(length)


def _to_json(look: looks.Look) -> dict[str, Any]:
    colours = base64.b64encode(look.colours).decode()
    return dataclasses.asdict(look) | {"colours": colours}


def _from_json(said: dict[str, Any]) -> looks.Look:
    return looks.Look(
        hashes=tuple((int(bits), int(counted)) for bits, counted in said["hashes"]),
        mirrored=(int(said["mirrored"][0]), int(said["mirrored"][1])),
        colours=base64.b64decode(said["colours"], validate=True),
    )
