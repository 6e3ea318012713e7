"""Repeated measurements and their summary."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

Seconds = float


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      what: Name of the measurement.
      unit: Unit of the values, such as "frames/s".
      values: Values, one per run, in the order of the runs.
      note: Remark for the table.
    """

    what: str
    unit: str
    values: Sequence[float]
    note: str = ""

    def markdown(self) -> str:
        """A row of four cells: name, median with unit, minimum to maximum, note."""
        low, high = number(min(self.values)), number(max(self.values))
        return (
            f"| {self.what} | {number(statistics.median(self.values))} {self.unit} "
            f"| {low} - {high} ({len(self.values)} runs) | {self.note} |"
        )


def number(value: float) -> str:
    """Formats a value with three significant digits and thousands separators."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def seconds(work: Callable[[], object]) -> Seconds:
    """Duration of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
