"""Results that are kept for pictures that come again.

A photo is painted in many media one after the other, and a training sees each picture many times.
"""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

_BYTES = 256 << 20  # of the pictures whose results are kept


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of arrays alone, which keeps its results for the last pictures.

    The results are shared and must not be changed. Threads may call it at the same time.
    """
    results: OrderedDict[tuple, tuple[Any, int]] = OrderedDict()
    lock, total = threading.Lock(), 0

    @functools.wraps(function)
    def keeping(*arrays: np.ndarray) -> Any:
        nonlocal total
        key = tuple(
            (array.shape, array.dtype.str, hashlib.sha256(array.tobytes()).digest())
            for array in arrays
        )
        with lock:
            if key in results:
                results.move_to_end(key)
                return results[key][0]
        result, size = function(*arrays), sum(array.nbytes for array in arrays)
        with lock:
            if key not in results:
                results[key] = result, size
                total += size
            while total > _BYTES and len(results) > 1:
                total -= results.popitem(last=False)[1][1]
        return result

    return keeping
