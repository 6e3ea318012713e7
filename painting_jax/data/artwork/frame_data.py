"""Reads `frame_data.h5`, the output of painvidpro, the curation tool of Loomis Painter's authors.

Its datasets `frames` and `reference_frames` hold encoded pictures, `frame_metadata` and
`reference_frame_metadata` a JSON object for each, and the attributes of the file describe the
video.
"""

import contextlib
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from etils import epath

from painting_jax import json_text
from painting_jax.data import pictures, remarks
from painting_jax.data.artwork import archive, hdf5_heaps, painvidpro
from painting_jax.data.artwork.painvidpro import MOST_BYTES, MOST_FRAMES
from painting_jax.errors import UserError

# What h5py raises on damaged files.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)
_SIZES = (8, 8)  # bytes of an address and of a length, as all programs write them
_ENTRY = struct.Struct("<IQI")  # bytes of a picture or text, its heap, its number in that
_ATTRIBUTES = ("exclude_video", "art_style", "art_media", "licence", "license")
# Words of a variant's prompt, and the look that they ask for; the first that are there count.
_LOOKS = (
    (("photo",), "photo"),
    (("colouring book", "coloring book", "line art"), "line_art"),
    (("colour pencil", "color pencil", "coloured pencil", "colored pencil"), "colored_pencil"),
    (("pencil",), "pencil"),
    (("watercolor", "watercolour"), "watercolor"),
    (("acrylic",), "acrylic"),
    (("oil",), "oil"),
)


class FrameData:
    """The cleaned frames of a video, as `States`.

    Attributes:
      stated: Medium, progress, split and licence, as far as they are there.
      variants: The finished picture in other looks: names as in `process.Variant`, and encoded
        pictures.
    """

    def __init__(self, path: epath.PathLike):
        """Opens a file.

        Raises:
          UserError: If it is damaged, has no frames, or was excluded by its authors.
        """
        self._path = archive.regular(path)
        hdf5_heaps.check(self._path)
        with self._opened() as file:
            if file.id.get_create_plist().get_sizes() != _SIZES:
                raise UserError(f"{self._path} has addresses of an unusual size: save it again")
            self._count = len(_dataset(file, "frames", self._path))
            self.stated: Mapping[str, Any] = self._described(file)

    def __len__(self) -> int:
        return self._count

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """As `States.pictures`; one frame is in memory at a time."""
        with self._opened() as file:
            frames = _dataset(file, "frames", self._path)
            for index in indices:
                yield pictures.decode(_picture(frames, index, self._path))

    @property
    def variants(self) -> list[tuple[str, bytes]]:
        with self._opened() as file:
            if "reference_frames" not in file:
                return []
            encoded = _dataset(file, "reference_frames", self._path)
            described = _objects(file, "reference_frame_metadata", len(encoded), self._path)
            found = []
            for index, about in enumerate(described):
                if (look := _look(about)) is None:
                    remarks.add(
                        f"{self._path.name}: reference {index} says no look that is known, and is "
                        "left out"
                    )
                    continue
                data = _picture(encoded, index, self._path)
                found.append((look, pictures.encode(pictures.decode(data))))
            return found

    @contextlib.contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        with (
            archive.damage(self._path, "frame_data.h5", _DAMAGE),
            h5py.File(str(self._path), "r") as file,
        ):
            yield file

    def _described(self, file: h5py.File) -> dict[str, Any]:
        about = {name: _attribute(file.attrs[name]) for name in _ATTRIBUTES if _is_one(file, name)}
        if about.get("exclude_video") is True:
            raise UserError(f"{self._path} is excluded by its own attribute exclude_video")
        stated: dict[str, Any] = painvidpro.stated_by_place(self._path)
        stated |= painvidpro.stated_medium(about)
        if isinstance(about.get("licence") or about.get("license"), str):
            stated["licence"] = about.get("licence") or about["license"]
        each = _objects(file, "frame_metadata", self._count, self._path)
        progress = [one.get("frame_progress") for one in each]
        if progress and all(type(value) in (int, float) for value in progress):
            stated["progress"] = progress
        return stated


def _dataset(file: h5py.File, name: str, path: epath.Path) -> h5py.Dataset:
    """A dataset of the file itself, with one entry for each picture.

    Raises:
      UserError: If it is elsewhere: a link or external storage would open another file.
    """
    link = file.get(name, getlink=True)
    if link is None:
        raise UserError(f"{path} has no dataset {name}: it is no frame_data.h5 of painvidpro")
    if not isinstance(link, h5py.HardLink):
        raise UserError(f"{path}: {name} is a link to elsewhere, which is not followed")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.ndim != 1:
        raise UserError(f"{path}: {name} must be a list of pictures or texts")
    if found.external or found.is_virtual:
        raise UserError(f"{path}: {name} is stored in other files, which are not opened")
    if not 1 <= len(found) <= MOST_FRAMES:
        raise UserError(f"{path}: {name} has {len(found)} entries, not 1 to {MOST_FRAMES}")
    # One entry is read at a time, and with it the chunk that it lies in, unpacked.
    together = math.prod(found.chunks or (1,)) * found.id.get_type().get_size()
    if together > MOST_BYTES:
        raise UserError(f"{path}: {name} takes {together} bytes at once: {MOST_BYTES} are read")
    _check_lengths(found, path)
    return found


def _check_lengths(found: h5py.Dataset, path: epath.Path) -> None:
    """Refuses entries that claim too many bytes: HDF5 takes the memory before it looks for them.

    Packed lengths are not looked at; the format bounds them to 4 GiB.
    """
    item = h5py.check_vlen_dtype(found.dtype)
    if item is None:
        return
    if item not in (str, bytes, np.dtype(np.uint8)):
        raise UserError(f"{path}: {found.name[1:]} holds lists of {item}, not of bytes")
    stored = found.id
    if found.chunks is None:
        places = [(stored.get_offset(), stored.get_storage_size())]
    elif not stored.get_create_plist().get_nfilters():
        chunks = map(stored.get_chunk_info, range(stored.get_num_chunks()))
        places = [(chunk.byte_offset, chunk.size) for chunk in chunks]
    else:
        return
    with path.open("rb") as file:
        for offset, size in places:
            file.seek(offset or 0)
            data = file.read(size) if offset else b""
            if any(length > MOST_BYTES for length, _, _ in _ENTRY.iter_unpack(_whole(data))):
                raise UserError(
                    f"{path}: an entry of {found.name[1:]} claims over {MOST_BYTES} bytes"
                )


def _whole(data: bytes) -> bytes:
    return data[: len(data) // _ENTRY.size * _ENTRY.size]


def _picture(encoded: h5py.Dataset, index: int, path: epath.Path) -> bytes:
    data = np.asarray(encoded[index])
    if data.dtype != np.uint8 or not 0 < data.size <= MOST_BYTES:
        raise UserError(f"{path}: {encoded.name[1:]} {index} is no encoded picture")
    return painvidpro.checked(data.tobytes(), f"{path}: {encoded.name[1:]} {index}")


def _objects(file: h5py.File, name: str, count: int, path: epath.Path) -> list[Mapping[str, Any]]:
    """The JSON objects of a dataset; empty ones if it is missing or has another length."""
    if name not in file:
        return [{}] * count
    texts = _dataset(file, name, path)
    if len(texts) != count:
        remarks.add(f"{path.name}: {name} has {len(texts)} entries for {count}, and is not used")
        return [{}] * count
    found: list[Mapping[str, Any]] = []
    total = 0
    for text in texts:
        total += len(text)
        if total > MOST_BYTES:
            raise UserError(f"{path}: {name} takes more than {MOST_BYTES >> 20} MiB")
        value = _attribute(text)
        found.append(value if isinstance(value, dict) else {})
    return found


def _is_one(file: h5py.File, name: str) -> bool:
    """Whether a file has an attribute that is one value. Many could share one large text."""
    return name in file.attrs and file.attrs.get_id(name).shape == ()


def _attribute(value: Any) -> Any:
    """A value as Python's; texts that are JSON are parsed, as painvidpro writes them."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if not isinstance(value, str):
        return value
    try:
        return json_text.parse(value)
    except ValueError:
        return value


def _look(about: Mapping[str, Any]) -> str | None:
    prompt = " ".join(str(value) for value in about.values()).lower()
    return next((look for words, look in _LOOKS if any(word in prompt for word in words)), None)
