"""Reading and writing one safetensors file, tensor by tensor.

A file is eight bytes of length, that much JSON (name -> dtype, shape, place), and the tensors'
bytes one after another (https://github.com/huggingface/safetensors). Nothing in it is ever run.
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

# What the format's own library allows; a hostile length must not exhaust memory.
_MAX_HEADER = 100_000_000
_MAX_AXES, _MAX_SIZE = 32, 1 << 56
_PIECE = 16 << 20  # bytes that are compared at once


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where a tensor lies.

    Attributes:
      path: the file.
      dtype: of its elements.
      shape: in the file's own layout.
      offset: of its first byte in the file.
    """

    path: pathlib.Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def view(self) -> np.ndarray:
        """The tensor, mapped read-only; its pages are let go together with the last view of it."""
        if not self.nbytes:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape)


class Pending(NamedTuple):
    """A tensor to be written.

    Attributes:
      dtype: of its elements.
      shape: in the file's own layout.
      array: gives it when its turn comes.
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
      UserError: if the file is cut short, or is no safetensors file.
    """
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise UserError(
                    f"{path} is truncated or is no safetensors file ({size} bytes): fetch it again"
                )
            entries = json.loads(file.read(length), object_pairs_hook=_without_twins)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is no safetensors file, its header is damaged ({error}): fetch it again"
        ) from error
    try:
        metadata = entries.pop("__metadata__", {})
        tensors = {name: _tensor(path, 8 + length, entry) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} has a damaged header ({type(error).__name__}: {error}): fetch it again"
        ) from error
    _check_places(path, size, 8 + length, tensors)
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise UserError(f"{path} has a damaged header (its metadata is no text): fetch it again")
    return tensors, metadata


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal to the last bit; only pieces of them are ever read."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    with a.path.open("rb") as one, b.path.open("rb") as other:
        one.seek(a.offset)
        other.seek(b.offset)
        for begin in range(0, a.nbytes, _PIECE):
            size = min(_PIECE, a.nbytes - begin)
            if one.read(size) != other.read(size):
                return False
    return True


def _without_twins(pairs: list[tuple]) -> dict:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _tensor(path: pathlib.Path, data: int, entry: dict) -> Tensor:
    shape, (begin, end) = entry["shape"], entry["data_offsets"]
    if entry["dtype"] not in DTYPES:
        raise UserError(
            f"{path} holds tensors of type {entry['dtype']!r:.20}, which cannot be read: use a "
            f"file in BF16, F16 or F32"
        )
    if any(type(number) is not int or number < 0 for number in (*shape, begin, end)):
        raise ValueError("a shape or an offset is no count")
    # Of no elements a tensor may be of any size, but no array.
    if len(shape) > _MAX_AXES or math.prod(n for n in shape if n) > _MAX_SIZE:
        raise ValueError("a shape is too large")
    tensor = Tensor(path, DTYPES[entry["dtype"]], tuple(shape), data + begin)
    if tensor.nbytes != end - begin:
        raise ValueError("a shape does not fit its bytes")
    return tensor


def _check_places(path: pathlib.Path, size: int, data: int, tensors: dict[str, Tensor]) -> None:
    """Tensors must fill the rest of the file, without gap or overlap."""
    end = data
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.offset, tensor.nbytes)):
        if tensor.offset != end:
            raise UserError(f"{path} has a damaged header (tensors overlap): fetch it again")
        end += tensor.nbytes
    if end > size:
        raise UserError(
            f"{path} is truncated: {size} bytes of {end} are there, fetch it again (or free disk "
            f"space first)"
        )
    if end < size:
        raise UserError(f"{path} is damaged: {size - end} bytes too long, fetch it again")


def write_whole(
    path: str | os.PathLike, tensors: Mapping[str, Pending], metadata: Mapping[str, str]
) -> None:
    """Writes a file that appears whole or not at all; arguments as of `write`.

    Raises:
      UserError: if it cannot be written, or a number is too large for its dtype.
    """
    try:
        with written_beside(path) as unfinished:
            write(unfinished, tensors, metadata)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error


def write(
    path: str | os.PathLike, tensors: Mapping[str, Pending], metadata: Mapping[str, str]
) -> None:
    """Writes a file, holding one tensor at a time.

    Args:
      path: of the new file.
      tensors: by name.
      metadata: texts for the header.

    Raises:
      UserError: if a number is larger than the dtype that it is to be written in takes.
    """
    entries, end = {"__metadata__": dict(metadata)}, 0
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
            file.write(np.ascontiguousarray(data).reshape(-1).view(np.uint8))


def _cast(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if cast is array or np.isfinite(cast).all():
        return cast
    # What is infinite before as well is no matter of the dtype.
    largest = np.max(np.abs(array.astype(np.float64)), where=np.isfinite(array), initial=0)
    limit = float(ml_dtypes.finfo(dtype).max)
    if largest <= limit:
        return cast
    wide = [d for d in ("bfloat16", "float32") if largest <= ml_dtypes.finfo(np.dtype(d)).max]
    better = " or ".join(wide) or f"{array.dtype}, as it is"
    raise UserError(
        f"{name} holds {largest:g}, and {dtype} takes at most {limit:g}: choose {better}"
    )
