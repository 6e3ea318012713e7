"""Reading and writing one safetensors file, tensor by tensor.

The safetensors library parses and checks headers. Two things it does not offer are here: views of
tensors that stay in the file, also in float8, and writing tensors that are computed one at a time.
"""

import dataclasses
import json
import math
import os
import pathlib
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from painting_jax.errors import UserError
from painting_jax.files import written_beside

DTYPES: dict[str, np.dtype] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "BOOL": np.bool_,
        "U8": np.uint8,
        "I8": np.int8,
        "U16": np.uint16,
        "I16": np.int16,
        "U32": np.uint32,
        "I32": np.int32,
        "U64": np.uint64,
        "I64": np.int64,
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
        "F16": np.float16,
        "BF16": ml_dtypes.bfloat16,
        "F32": np.float32,
        "F64": np.float64,
    }.items()
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}

# Shapes that the library lets pass and numpy cannot hold.
_MAX_AXES, _MAX_SIZE = 32, 1 << 56
# The largest published models have some thousand tensors. Headers of millions take half a minute.
_MAX_HEADER, _MAX_TENSORS = 32 << 20, 30_000
# What else is found under this file name, by its first bytes, and what to do about it.
_OTHER_FORMATS = {
    b"GGUF": "is a GGUF file, whose quantized weights are not read: use a .safetensors of the same "
    "model in BF16, FP16 or FP8",
    b"PK\x03\x04": "is a pickle of PyTorch, which can run code when it is loaded: use the "
    ".safetensors version",
    b"version https://git-lfs": "is a pointer of Git LFS, not the weights: fetch them with git lfs "
    "pull",
    b"<!DOCTYPE": "is a web page, not the weights: download the file itself",
    b"<html": "is a web page, not the weights: download the file itself",
}
_CHUNK = 16 << 20  # bytes that are compared at once


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in a file.

    Attributes:
      path: the file.
      dtype: dtype of the elements.
      shape: shape in the file's own layout.
      offset: position of the first byte in the file.
    """

    path: pathlib.Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def stored_parts(self) -> "tuple[Tensor, ...]":
        """The tensors of the file that it is made from."""
        return (self,)

    def view(self) -> np.ndarray:
        """The tensor, mapped read-only; the last view to go unmaps it."""
        if not self.nbytes:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape)


class PendingTensor(NamedTuple):
    """A tensor to be written.

    Attributes:
      dtype: dtype in the file.
      shape: shape in the file's own layout.
      array: computes the tensor when its turn comes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    array: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def read_header(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and its metadata, without reading any tensor.

    Raises:
      UserError: if the file is truncated, damaged or not a safetensors file.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(32)
        _refuse_other_formats(path, start)
        # The library checks the length before it is used.
        offset = 8 + int.from_bytes(start[:8], "little")
        with safe_open(path, framework="numpy") as opened:
            names = opened.offset_keys()
            if len(names) > _MAX_TENSORS:
                raise UserError(
                    f"{path} holds {len(names)} tensors: files of at most {_MAX_TENSORS} are read"
                )
            # The library refuses gaps and overlaps, so each tensor begins where another one ends.
            slices = [(name, opened.get_slice(name)) for name in names]
            metadata = opened.metadata() or {}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} is truncated, damaged or not a safetensors file ({reason:.150}): fetch it "
            f"again"
        ) from error
    tensors = {}
    for name, tensor in slices:
        dtype, shape = tensor.get_dtype(), tuple(tensor.get_shape())
        if dtype not in DTYPES:
            raise UserError(
                f"{path} holds tensors of type {dtype}, which cannot be read: use a file in BF16, "
                f"F16 or F32"
            )
        if len(shape) > _MAX_AXES or math.prod(n for n in shape if n) > _MAX_SIZE:
            raise UserError(f"{path} is damaged (the shape of {name:.80} is too large)")
        tensors[name] = Tensor(path, DTYPES[dtype], shape, offset)
        offset += tensors[name].nbytes
    return tensors, metadata


def _refuse_other_formats(path: pathlib.Path, start: bytes) -> None:
    for magic, said in _OTHER_FORMATS.items():
        if start.lower().startswith(magic.lower()):
            raise UserError(f"{path} {said}")
    size = int.from_bytes(start[:8], "little")
    # The library refuses a header that is longer than its file, or than it reads at all.
    if _MAX_HEADER < size <= path.stat().st_size:
        raise UserError(
            f"{path} has a header of {size >> 20} MB: at most {_MAX_HEADER >> 20} MB are read"
        )


def views(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Many tensors of the same files, mapped read-only.

    Each file is mapped once. `Tensor.view` opens it for every tensor, and a process may have as few
    as 256 files open.
    """
    paths = {tensor.path for tensor in tensors.values() if tensor.nbytes}
    files = {path: np.asarray(np.memmap(path, np.uint8, mode="r")) for path in paths}

    def view(tensor: Tensor) -> np.ndarray:
        if not tensor.nbytes:
            return np.empty(tensor.shape, tensor.dtype)
        content = files[tensor.path][tensor.offset : tensor.offset + tensor.nbytes]
        return content.view(tensor.dtype).reshape(tensor.shape)

    return {name: view(tensor) for name, tensor in tensors.items()}


def have_equal_bytes(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal to the last bit; a chunk of them is read at a time."""
    parts_a, parts_b = a.stored_parts, b.stored_parts
    return len(parts_a) == len(parts_b) and all(map(_have_equal_bytes, parts_a, parts_b))


def _have_equal_bytes(a: Tensor, b: Tensor) -> bool:
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    with a.path.open("rb") as file_a, b.path.open("rb") as file_b:
        file_a.seek(a.offset)
        file_b.seek(b.offset)
        sizes = (min(_CHUNK, a.nbytes - begin) for begin in range(0, a.nbytes, _CHUNK))
        return all(file_a.read(size) == file_b.read(size) for size in sizes)


def write_file(
    path: str | os.PathLike, tensors: Mapping[str, PendingTensor], metadata: Mapping[str, str]
) -> None:
    """Writes a file beside its destination and renames it; arguments as of `write`.

    Raises:
      UserError: if the file cannot be written, or a value overflows its dtype.
    """
    try:
        with written_beside(path) as unfinished:
            write(unfinished, tensors, metadata)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error


def write(
    path: str | os.PathLike, tensors: Mapping[str, PendingTensor], metadata: Mapping[str, str]
) -> None:
    """Writes a file, holding one tensor at a time, which the library's `save_file` cannot.

    Args:
      path: path of the new file.
      tensors: tensors by name.
      metadata: texts for the header.

    Raises:
      UserError: if a value overflows the dtype that it is written in.
    """
    entries: dict[str, dict] = {"__metadata__": dict(metadata)}
    end = 0
    for name, pending in tensors.items():
        begin, end = end, end + pending.nbytes
        entries[name] = {
            "dtype": _NAMES[np.dtype(pending.dtype)],
            "shape": list(pending.shape),
            "data_offsets": [begin, end],
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start aligned
    with pathlib.Path(path).open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name, (dtype, shape, array) in tensors.items():
            data = _cast(name, np.asarray(array()), np.dtype(dtype))
            if data.shape != tuple(shape):
                raise ValueError(f"{name}: {data.shape} given, {shape} announced")
            file.write(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)


def _cast(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if cast is array or np.isfinite(cast).all():
        return cast
    # Values that were infinite before the cast did not overflow in it.
    largest = np.max(np.abs(array.astype(np.float64)), where=np.isfinite(array), initial=0)
    limit = float(ml_dtypes.finfo(dtype).max)
    if largest <= limit:
        return cast
    wide = [d for d in ("bfloat16", "float32") if largest <= ml_dtypes.finfo(np.dtype(d)).max]
    better = " or ".join(wide) or f"{array.dtype}, which it has"
    raise UserError(
        f"{name} holds {largest:g}, but {dtype} holds at most {limit:g}: choose {better}"
    )
