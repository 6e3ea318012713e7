"""What readers have to say about a file that they could use only in part, or had to guess about.

A file that cannot be used raises a `UserError`. One that can be used, but not as it was meant (a
damaged frame was left out, an order was guessed, colours could not be converted), is used and gets
a remark, so that nothing is dropped in silence.
"""

import contextlib
import contextvars
import functools
import sys
from collections.abc import Iterator

from painting_jax.errors import one_line, shortened

_collected: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("remarks")


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """Collects the remarks that are made in the block, each once, in a list that it yields."""
    remarks: list[str] = []
    token = _collected.set(remarks)
    try:
        yield remarks
    finally:
        _collected.reset(token)


def add(remark: str) -> None:
    """Makes a remark, one line. Where nobody collects them, it is printed to standard error."""
    remark = shortened(one_line(remark))
    remarks = _collected.get(None)
    if remarks is None:
        _print_once(remark)
    elif remark not in remarks:
        remarks.append(remark)


# A picture is read again for each medium that it is painted in.
@functools.cache
def _print_once(remark: str) -> None:
    print(f"note: {remark}", file=sys.stderr)
