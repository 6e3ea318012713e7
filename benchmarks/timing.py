"""Repeated measurements and what is said of them."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

Seconds = float


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      what: is measured.
      unit: of the values, as in "frames/s".
      values: one a run, in the order they were measured.
      note: what else there is to know.
    """

    what: str
    unit: str
    values: Sequence[float]
    note: str = ""

    def markdown(self) -> str:
        """A row of four cells: what, median with unit, least to most, note."""
        low, high = number(min(self.values)), number(max(self.values))
        return (
            f"| {self.what} | {number(statistics.median(self.values))} {self.unit} "
            f"| {low} - {high} ({len(self.values)} runs) | {self.note} |"
        )


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def seconds(work: Callable[[], object]) -> Seconds:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
