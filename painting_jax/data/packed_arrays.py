"""Arrays by name as one byte string, in the layout of a safetensors file."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
# Their names in the layout. The library's own reader for numpy knows no bfloat16.
_READ = {"F32": DTYPES["float32"], "BF16": DTYPES["bfloat16"]}


def pack(arrays: Mapping[str, np.ndarray], dtype: str) -> bytes:
    """Packs arrays of numbers.

    Args:
      arrays: Arrays by name.
      dtype: A key of `DTYPES` that they are stored in.
    """
    return save(
        {name: np.asarray(array, DTYPES[dtype], order="C") for name, array in arrays.items()}
    )


def unpack(packed: bytes) -> dict[str, np.ndarray]:
    """Reverses `pack`. The arrays cannot be written to.

    Raises:
      ValueError: If the bytes are damaged.
    """
    try:
        return {
            name: np.frombuffer(found["data"], _READ[found["dtype"]]).reshape(found["shape"])
            for name, found in deserialize(packed)
        }
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"no packed arrays: {error!s:.200}") from None
