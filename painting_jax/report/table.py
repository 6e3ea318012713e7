"""A table of a report: its cells, and how it is written as HTML and as markdown."""

import dataclasses
import html
import math
from collections.abc import Sequence

from painting_jax.metrics.bootstrap import Interval

NOTHING = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
      text: what stands in it.
      small: stands smaller behind it, such as an interval.
      strong: whether it is the best of its column.
      value: what the column is sorted by; None sorts by the text.
    """

    text: str
    small: str = ""
    strong: bool = False
    value: float | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: the first cell of each row is its heading.

    Attributes:
      caption: what it shows, in a sentence or two.
      header: one heading a column.
      rows: cells, as many as there are headings.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def html(self) -> str:
        """As an HTML table below its caption, which stays put when a wide table is scrolled."""
        # An arrow alone in a line would stand for nothing.
        joined = [text.replace(" ↓", "\N{NO-BREAK SPACE}↓") for text in self.header]
        joined = [text.replace(" ↑", "\N{NO-BREAK SPACE}↑") for text in joined]
        head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in joined)
        body = "".join(
            f'<tr><th scope="row">{_cell_html(cells[0])}</th>'
            + "".join(f"<td{_sorted_by(cell)}>{_cell_html(cell)}</td>" for cell in cells[1:])
            + "</tr>"
            for cells in self.rows
        )
        return (
            f'<figure><figcaption>{html.escape(self.caption)}</figcaption><div class="scroll">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
        )

    def markdown(self) -> str:
        """As a markdown table below its caption."""
        lines = [
            self.caption,
            "",
            "| " + " | ".join(map(in_markdown, self.header)) + " |",
            "|---" + "|--:" * (len(self.header) - 1) + "|",
        ]
        for cells in self.rows:
            texts = [in_markdown(f"{cell.text} {cell.small}".strip()) for cell in cells]
            texts = [
                f"**{text}**" if cell.strong else text
                for text, cell in zip(texts, cells, strict=True)
            ]
            lines.append("| " + " | ".join(texts) + " |")
        return "\n".join(lines) + "\n"


def _cell_html(cell: Cell) -> str:
    text = html.escape(cell.text)
    text = f"<strong>{text}</strong>" if cell.strong else text
    return text + (f" <small>{html.escape(cell.small)}</small>" if cell.small else "")


def _sorted_by(cell: Cell) -> str:
    return "" if cell.value is None else f' data-value="{cell.value:.9g}"'


def in_markdown(text: str) -> str:
    """A text in one line: a file's name may hold what markdown takes for a cell's end or HTML."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def interval_cell(
    found: Interval,
    digits: int,
    *,
    signed: bool = False,
    strong: bool = False,
    of: int | None = None,
) -> Cell:
    """A mean with its interval, if it has one, or a dash where there is no mean.

    Args:
      found: the mean.
      digits: behind the point.
      signed: whether a plus stands before what is above 0.
      strong: whether it is the best of its column.
      of: how many the row is about: a mean of fewer says of how many.
    """
    if not found.n:
        return Cell(NOTHING)
    low, high = (number(value, digits) for value in (found.low, found.high))
    beside = [f"[{low}, {high}]"] if math.isfinite(found.low) else []
    beside += [f"n {found.n}"] if of is not None and found.n != of else []
    text = number(found.mean, digits)
    sign = "+" if signed and float(text) > 0 else ""
    return Cell(sign + text, ", ".join(beside), strong, found.mean)


def number_cell(value: float, digits: int) -> Cell:
    """A number, or a dash where it is not finite."""
    finite = math.isfinite(value)
    return Cell(number(value, digits), value=value if finite else None)


def number(value: float, digits: int) -> str:
    """A number with so many digits behind the point, or a dash where it is not finite."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    # What rounds to nothing has no sign.
    return text.removeprefix("-") if float(text) == 0 else text
