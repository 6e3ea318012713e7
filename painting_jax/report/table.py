"""A table of a report: its cells, and its HTML and markdown."""

import dataclasses
import html
import math
from collections.abc import Sequence

from painting_jax.metrics.bootstrap import Interval

MISSING = "\N{EN DASH}"
_CLASS = ' class="words"'


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
      text: Text.
      small: Smaller text after it, such as an interval.
      strong: Whether it is the best of its column.
      value: Sort key; None = the text.
      is_words: Whether it is words rather than a number: they begin at the left.
    """

    text: str
    small: str = ""
    strong: bool = False
    value: float | None = None
    is_words: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its heading.

    Attributes:
      caption: Caption, in a sentence or two.
      header: One heading per column.
      rows: Cells of each row, as many as headings.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def html(self) -> str:
        """Formats it as HTML below its caption, which does not scroll with a wide table."""
        # Keep arrows on the line of their text.
        joined = [text.replace(" ↓", "\N{NO-BREAK SPACE}↓") for text in self.header]
        joined = [text.replace(" ↑", "\N{NO-BREAK SPACE}↑") for text in joined]
        head = "".join(
            f'<th scope="col"{_CLASS if words else ""}>{html.escape(text)}</th>'
            for text, words in zip(joined, [False, *self._words()], strict=True)
        )
        body = "".join(
            f'<tr><th scope="row">{_cell_html(cells[0])}</th>'
            + "".join(f"<td{_attributes(cell)}>{_cell_html(cell)}</td>" for cell in cells[1:])
            + "</tr>"
            for cells in self.rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        caption = html.escape(self.caption)
        return f"<figure><figcaption>{caption}</figcaption>{scrolled(table)}</figure>"

    def _words(self) -> list[bool]:
        """Whether each column but the first holds words."""
        columns = range(1, len(self.header))
        return [any(cells[column].is_words for cells in self.rows) for column in columns]

    def markdown(self) -> str:
        """Formats it as markdown below its caption."""
        lines = [
            self.caption,
            "",
            "| " + " | ".join(map(in_markdown, self.header)) + " |",
            "|---" + "".join("|---" if words else "|--:" for words in self._words()) + "|",
        ]
        for cells in self.rows:
            texts = [in_markdown(f"{cell.text} {cell.small}".strip()) for cell in cells]
            texts = [
                f"**{text}**" if cell.strong else text
                for text, cell in zip(texts, cells, strict=True)
            ]
            lines.append("| " + " | ".join(texts) + " |")
        return "\n".join(lines) + "\n"


def scrolled(content: str) -> str:
    """Wraps HTML that may be wider than the page: it scrolls, and a line below it says so.

    The line is shown where the page is narrow; the script shows it for whatever is too wide.
    """
    return (
        f'<div class="wide"><div class="scroll" tabindex="0">{content}</div>'
        '<p class="more" aria-hidden="true">Scroll sideways for the rest '
        "\N{RIGHTWARDS ARROW}</p></div>"
    )


def _cell_html(cell: Cell) -> str:
    text = html.escape(cell.text)
    text = f"<strong>{text}</strong>" if cell.strong else text
    return text + (f" <small>{html.escape(cell.small)}</small>" if cell.small else "")


def _attributes(cell: Cell) -> str:
    value = "" if cell.value is None else f' data-value="{cell.value:.9g}"'
    return value + (_CLASS if cell.is_words else "")


def in_markdown(text: str) -> str:
    """A text on one line, with what ends a cell, starts HTML or makes a link escaped."""
    escaped = html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
    return escaped.replace("](", "]\\(")


def interval_cell(
    mean: Interval,
    digits: int,
    *,
    signed: bool = False,
    strong: bool = False,
    of: int | None = None,
) -> Cell:
    """A mean with its interval, if it has one, or a dash without a mean.

    Args:
      mean: The mean.
      digits: Number of decimals.
      signed: Whether to write a plus before positive numbers.
      strong: Whether it is the best of its column.
      of: Number of processes in the row; the cell states its n if that differs.
    """
    if not mean.n:
        return Cell(MISSING)
    low, high = (number(value, digits) for value in (mean.low, mean.high))
    beside = [f"[{low}, {high}]"] if math.isfinite(mean.low) else []
    beside += [f"n {mean.n}"] if of is not None and mean.n != of else []
    text = number(mean.mean, digits)
    sign = "+" if signed and float(text) > 0 else ""
    return Cell(sign + text, ", ".join(beside), strong, mean.mean)


def number_cell(value: float, digits: int) -> Cell:
    """A number, or a dash if it is not finite."""
    finite = math.isfinite(value)
    return Cell(number(value, digits), value=value if finite else None)


def number(value: float, digits: int) -> str:
    """Formats a number with so many decimals, or a dash if it is not finite."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    # Rounded to 0: no sign.
    return text.removeprefix("-") if float(text) == 0 else text
