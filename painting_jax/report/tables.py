"""The tables of a report, once as HTML and once as markdown."""

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

from painting_jax.evaluation.measures import (
    GENERATED,
    MEASURES,
    RECORDED,
    Measured,
    difference,
    summary,
)
from painting_jax.evaluation.result import Result
from painting_jax.evaluation.yardsticks import CROSS_FADE
from painting_jax.metrics.bootstrap import Interval

NOTHING = "\N{EN DASH}"

# Measures that need a recorded set rather than a recorded partner.

_OF_SET = ("to_band", "in_band")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
      text: what stands in it.
      small: stands smaller behind it, such as an interval.
      strong: whether it is the best of its column.
    """

    text: str
    small: str = ""
    strong: bool = False


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
        head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in self.header)
        body = "".join(
            f'<tr><th scope="row">{_cell_html(cells[0])}</th>'
            + "".join(f"<td>{_cell_html(cell)}</td>" for cell in cells[1:])
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
            "| " + " | ".join(map(_cell_text, self.header)) + " |",
            "|---" + "|--:" * (len(self.header) - 1) + "|",
        ]
        for cells in self.rows:
            texts = [_cell_text(f"{cell.text} {cell.small}".strip()) for cell in cells]
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


def _cell_text(text: str) -> str:
    """A file's name may hold what markdown takes for the end of a cell or for HTML."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def all_tables(result: Result) -> dict[str, Table]:
    """The report's tables by a short name, those that have something to show."""
    tables = {"methods": methods(result)}
    if against(result).rows:
        tables["against"] = against(result)
    if result.conditions:
        tables["conditions"] = conditions(result)
    if result.transfers:
        tables["transfers"] = transfers(result)
    if len(_media(result.rows)) > 1:
        tables["media"] = media(result)
    tables["videos"] = videos(result)
    return tables


def methods(result: Result) -> Table:
    """Every measure of every method, means with intervals."""
    keys = _keys(result)
    found = {
        method: summary(_of(result.rows, method), seed=result.seed) for method in methods_in(result)
    }
    # The fades are handed the finished picture: only the measures of the way there are a contest.
    best = {
        key: _best(key, [found[method][key] for method in found if method != RECORDED])
        for key in ("pdp", "between")
    }
    rows = [
        [
            Cell(method),
            Cell(str(len(_of(result.rows, method)))),
            *(
                interval_cell(
                    numbers[key],
                    MEASURES[key].digits,
                    strong=len(found) > 2 and numbers[key].mean == best.get(key),
                )
                for key in keys
            ),
        ]
        for method, numbers in found.items()
    ]
    caption = "Means over the processes, in brackets their 95 % bootstrap intervals."
    if CROSS_FADE in found:
        caption += (
            " The fades are made from the recorded finished picture, so theirs is exact by "
            "construction."
        )
    return Table(caption, ["Method", "n", *(_heading(result, key) for key in keys)], rows)


def against(result: Result) -> Table:
    """The generated processes beside each yardstick, pair by pair."""
    generated = _of(result.rows, GENERATED)
    rows = []
    for method in methods_in(result):
        others = _of(result.rows, method)
        if method in (GENERATED, RECORDED):
            continue
        cells = [Cell(method)]
        for key in ("pdp", "between"):
            gap = difference(generated, others, key, seed=result.seed)
            ours = summary(generated, seed=result.seed)[key].mean
            theirs = summary(others, seed=result.seed)[key].mean
            share = ours / theirs if theirs else math.nan
            cells += [Cell(_number(share, 2)), interval_cell(gap, 3)]
        rows.append(cells)
    return Table(
        "Generated against each yardstick. Share: the generated mean over the yardstick's, below 1 "
        "is better. Ahead by: the mean paired difference, above 0 is better.",
        ["Yardstick", "PDP: share", "PDP: ahead by", "In between: share", "In between: ahead by"],
        rows,
    )


def conditions(result: Result) -> Table:
    """What the model loses when a condition comes from another example."""
    rows = [
        [
            Cell(name),
            interval_cell(effect.rise, 4, signed=True),
            Cell(_number(100 * effect.rise.mean / effect.loss, 1) + " %"),
            Cell(_number(effect.loss, 4)),
            Cell(str(effect.rise.n)),
            Cell("heeded" if effect.rise.low > 0 else "not shown"),
        ]
        for name, effect in result.conditions.items()
    ]
    return Table(
        "The rise of the held-out loss when a condition is taken from another example, at the same "
        "noise. A condition is heeded when the whole interval lies above 0.",
        ["Condition", "Rise of the loss", "Share", "Loss before", "n", "Verdict"],
        rows,
    )


def transfers(result: Result) -> Table:
    """How near the model comes to the painter's picture from other looks of it."""
    rows = [
        [
            Cell(transfer.look),
            Cell(transfer.media),
            Cell(str(transfer.nearer.n)),
            interval_cell(transfer.given, 3),
            interval_cell(transfer.painted, 3),
            interval_cell(transfer.nearer, 3, signed=True),
        ]
        for transfer in result.transfers
    ]
    return Table(
        f"Across media: the model is given another look of a held-out picture. {result.distance} "
        "to the painter's finished picture, of what was given and of what the model made of it.",
        ["Given", "Painted in", "n", "Given ↓", "Painted ↓", "Nearer by"],
        rows,
    )


def media(result: Result) -> Table:
    """The chief measures by medium."""
    keys = ("pdp", "between", "final_distance")
    generated = _of(result.rows, GENERATED)
    yardsticks = [m for m in methods_in(result) if m not in (GENERATED, RECORDED)]
    rows = []
    for medium in _media(generated):
        ours = [row for row in generated if row.medium == medium]
        numbers = summary(ours, seed=result.seed)
        cells = [Cell(medium.replace("_", " ")), Cell(str(len(ours)))]
        cells += [interval_cell(numbers[key], MEASURES[key].digits) for key in keys]
        for method in yardsticks:
            theirs = [row for row in _of(result.rows, method) if row.medium == medium]
            cells.append(Cell(_number(summary(theirs, seed=result.seed)["pdp"].mean, 3)))
        rows.append(cells)
    header = ["Medium", "n", *(_heading(result, key) for key in keys)]
    header += [f"PDP score, {method}" for method in yardsticks]
    return Table("Generated processes by medium, beside the yardsticks' PDP scores.", header, rows)


def videos(result: Result) -> Table:
    """Every generated process."""
    keys = _keys(result)
    rows = [
        [
            Cell(row.name),
            Cell(row.medium.replace("_", " ") or NOTHING),
            *(Cell(_number(row.numbers[key], MEASURES[key].digits)) for key in keys),
        ]
        for row in result.rows
        if row.method == GENERATED
    ]
    header = ["Process", "Medium", *(_heading(result, key) for key in keys)]
    return Table("Every generated process by itself.", header, rows)


def interval_cell(
    interval: Interval, digits: int, *, signed: bool = False, strong: bool = False
) -> Cell:
    """A mean with its interval, or a dash where there is none."""
    if not interval.n:
        return Cell(NOTHING)
    low, high = (_number(value, digits) for value in (interval.low, interval.high))
    sign = "+" if signed and interval.mean > 0 else ""
    return Cell(sign + _number(interval.mean, digits), f"[{low}, {high}]", strong)


def methods_in(result: Result) -> list[str]:
    """The methods of the rows: the generated first, the recorded last."""
    found = list(dict.fromkeys(row.method for row in result.rows))
    return sorted(found, key=lambda method: (method != GENERATED, method == RECORDED))


def _of(rows: Iterable[Measured], method: str) -> list[Measured]:
    return [row for row in rows if row.method == method]


def _media(rows: Iterable[Measured]) -> list[str]:
    return sorted({row.medium for row in rows if row.medium})


def _keys(result: Result) -> list[str]:
    """The measures that have a column; paired ones keep theirs, empty, without partners."""
    return [key for key in MEASURES if result.band is not None or key not in _OF_SET]


def _heading(result: Result, key: str) -> str:
    arrow = {"lower": "↓", "higher": "↑"}[MEASURES[key].better]
    return MEASURES[key].label.format(distance=result.distance) + " " + arrow


def _best(key: str, intervals: list[Interval]) -> float:
    means = [interval.mean for interval in intervals if interval.n]
    if not means:
        return math.nan
    return min(means) if MEASURES[key].better == "lower" else max(means)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING
