"""The table that a benchmark prints, and its progress messages."""

import sys
import time
from collections.abc import Callable, Sequence

from benchmarks import machine
from benchmarks.timing import Row


def show(measure: Callable[[], Sequence[Row]]) -> None:
    """Measures, then prints the rows in markdown and a description of the machine."""
    start, described = time.monotonic(), machine.describe()
    rows = measure()
    print("| measured | median | least - most | |\n|---|---|---|---|")
    for row in rows:
        print(row.markdown())
    print()
    for line in [*described, f"measured in {time.monotonic() - start:.0f} s"]:
        print(f"- {line}")


def tell(what: str) -> None:
    """Prints progress on standard error, so that the table can be redirected into a file."""
    print(f"{what} ...", file=sys.stderr, flush=True)
