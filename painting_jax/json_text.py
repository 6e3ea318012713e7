"""Parsing of JSON that others wrote: size and depth are bounded, and every failure is one error."""

import json
import os
from typing import Any

from etils import epath

# Deeper nesting is refused: code that walks the values would exhaust the stack.
MAX_DEPTH = 64
MAX_BYTES = 100_000_000

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def parse(text: str | bytes) -> Any:
    """Parses a JSON text.

    Raises:
      ValueError: If it is not JSON or not UTF-8, is nested more than `MAX_DEPTH` deep, or has a
        number of thousands of digits.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # Few brackets cannot be deep: most texts need no second look.
    count = text.count("[") + text.count("{") if isinstance(text, str) else len(text)
    if count > MAX_DEPTH:
        _check_depth(value)
    return value


def read(path: epath.PathLike) -> Any:
    """Reads and parses a JSON file.

    Raises:
      OSError: If the file cannot be read.
      ValueError: As in `parse`, or if it is not a regular file or larger than `MAX_BYTES`.
    """
    # Opening a named pipe would wait for a writer.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise ValueError("it is not a regular file")
    with epath.Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return parse(content)


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [inner for inner in level if isinstance(inner, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
