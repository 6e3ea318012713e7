"""HDF5 files that lead outside, hold other types than they should, or unfold."""

import pathlib
import random
import tempfile
import zlib
from collections.abc import Callable

import h5py
import numpy as np

_NAMES = ("frames", "frame_metadata", "reference_frames", "reference_frame_metadata")


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A `frame_data.h5` that still opens, with one of its parts replaced."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.h5"
        path.write_bytes(data)
        with h5py.File(path, "a") as file:
            chance.choice(_WAYS)(file, chance.choice(_NAMES), chance)
        return path.read_bytes()


def _replaced(file: h5py.File, name: str, *arguments, **options) -> h5py.Dataset:
    if name in file:
        del file[name]
    return file.create_dataset(name, *arguments, **options)


def _link(file: h5py.File, name: str, chance: random.Random) -> None:
    links = (h5py.ExternalLink("../outside/victim", "/a"), h5py.SoftLink(f"/{name}"))
    if name in file:
        del file[name]
    file[name] = chance.choice(links)


def _outside(file: h5py.File, name: str, chance: random.Random) -> None:
    _replaced(file, name, (4,), "u1", external=[("../outside/victim", 0, 4)])


def _huge_items(file: h5py.File, name: str, chance: random.Random) -> None:
    """Items that were never written, and yet are gigabytes when they are read."""
    kinds = ("S2000000000", "V2000000000", np.dtype(("u1", (2_000_000_000,))))
    _replaced(file, name, (4,), chance.choice(kinds), chunks=None)


def _huge_chunk(file: h5py.File, name: str, chance: random.Random) -> None:
    """One chunk that unpacks to a gigabyte."""
    kind = chance.choice((np.uint8, h5py.string_dtype(), h5py.vlen_dtype(np.uint8)))
    size = 1_000_000_000 // np.dtype(kind).itemsize
    made = _replaced(file, name, (4,), kind, maxshape=(None,), chunks=(size,), compression="gzip")
    if kind is np.uint8:
        made.id.write_direct_chunk((0,), _packed_zeros(size))


def _packed_zeros(size: int) -> bytes:
    """Zeros as zlib packs them: one block over and over."""
    packer, block = zlib.compressobj(9), bytes(10_000_000)
    first, again = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    check = 1  # Adler-32
    for _ in range(size // len(block)):
        check = zlib.adler32(block, check)
    return first + again * (size // len(block) - 1) + b"\3\0" + check.to_bytes(4, "big")


def _kind(file: h5py.File, name: str, chance: random.Random) -> None:
    kinds = ("f8", "S9", "i2", "?", h5py.string_dtype(), h5py.vlen_dtype(np.float64))
    shape = chance.choice(((4,), (0,), (1,), (2, 2), (), (10**9,)))
    _replaced(file, name, shape, chance.choice(kinds), chunks=None)


def _texts(file: h5py.File, name: str, chance: random.Random) -> None:
    texts = ("", "[", "NaN", '{"frame_progress": 1e999}', '{"frame_progress": NaN}', "[" * 10**5)
    text = chance.choice((*texts, '{"frame_progress": "a"}', '{"prompt": [1]}', "\u202e", "null"))
    _replaced(file, name, data=[text] * 4, dtype=h5py.string_dtype())


def _attribute(file: h5py.File, name: str, chance: random.Random) -> None:
    attribute = chance.choice(("art_style", "art_media", "exclude_video", "licence", "\u202e"))
    values = ("x" * 60_000, "[" * 10**4, '["oil", 7]', np.zeros(1000), np.nan, h5py.Empty("S1"))
    file.attrs[attribute] = chance.choice(values)


def _group(file: h5py.File, name: str, chance: random.Random) -> None:
    if name in file:
        del file[name]
    file.create_group(name)[name] = h5py.SoftLink("/")


_WAYS: tuple[Callable[[h5py.File, str, random.Random], None], ...] = (
    *(_link, _outside, _huge_items, _huge_chunk, _kind, _kind, _texts, _texts, _attribute, _group),
)
