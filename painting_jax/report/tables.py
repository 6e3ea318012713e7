"""The tables of a report."""

import math
from collections.abc import Iterable

from painting_jax.evaluation.measures import (
    GROUPS,
    MEASURES,
    RECORDED,
    REVERSED,
    Measure,
    Measured,
    interval,
)
from painting_jax.evaluation.measures import against as held_against
from painting_jax.evaluation.result import Result
from painting_jax.evaluation.sets import BINS
from painting_jax.evaluation.yardsticks import CROSS_FADE
from painting_jax.metrics.bootstrap import Interval, Paired
from painting_jax.report.table import NOTHING, Cell, Table, interval_cell, number, number_cell

# What similarities are called where no weights were named.
_SIMILARITIES = {"clip": "CLIP", "dino": "DINO"}

# By these methods are held against each other, picture by picture.
_CONTESTED = {
    "pdp": "PDP",
    "between": "In between",
    "final_distance": "Final",
    "to_band": "To the band",
}


def all_tables(result: Result) -> dict[str, Table]:
    """The report's tables by a short name, those that have something to show."""
    tables = {}
    if _keys(result, "final"):
        tables["paper"] = paper(result)
    for group in GROUPS:
        if _keys(result, group):
            tables[group] = methods(result, group)
    if any(math.isfinite(found.kid) for found in result.sets.values()):
        tables["sets"] = sets(result)
    held = against(result)
    if held.rows:
        tables["against"] = held
    if result.conditions:
        tables["conditions"] = conditions(result)
    if result.across:
        tables["across"] = across(result)
    if result.transfers:
        tables["transfers"] = transfers(result)
    if len(_media(result.rows)) > 1 and _keys(result, "final"):
        tables["media"] = media(result)
    tables["videos"] = videos(result)
    return tables


def paper(result: Result) -> Table:
    """The finished picture and the pace in the columns that the literature has."""
    keys = ("final_distance", "final_clip", "final_dino", "pdp")
    of_perception = f"{result.distance} ↓"
    header = ["Method", "n", f"FID ({_sets_label(result)}) ↓", of_perception]
    header += [f"{result.labels.get(key, name)} ↑" for key, name in _SIMILARITIES.items()]
    header += [f"PDP ({result.distance}) ↓"]
    rows = [
        [
            Cell(method),
            _count_cell(result, method),
            _frechet(result, method),
            *(_mean_cell(result, method, key) for key in keys),
        ]
        for method in methods_in(result)
        if method != RECORDED
    ]
    return Table(
        "The columns of the paper's table. A dash: no such weights were named (see --backbones). "
        "An asterisk: too few pictures for FID, which is too large then. "
        "For Loomis Painter, on other data and with official weights, FID 151.04, LPIPS 0.38, "
        "CLIP 0.86, DINO 0.76 and PDP (LPIPS) 0.098 are reported (by a secondary source): numbers "
        "of other data or other weights do not compare.",
        header,
        rows,
    )


def sets(result: Result) -> Table:
    """Methods beside the recorded processes as sets: the realism that distances do not see."""
    label = _sets_label(result)
    header = ["Method", "n", f"FID, final ({label}) ↓", f"KID x 1000, final ({label}) ↓"]
    bins = [f"{100 * q // BINS}-{100 * (q + 1) // BINS} %" for q in range(BINS)]
    header += [f"KID x 1000, frames at {span} ↓" for span in bins]
    rows = [
        [
            Cell(method),
            Cell(str(found.n), value=found.n),
            _frechet(result, method),
            number_cell(1000 * found.kid, 2),
            *(number_cell(1000 * float(kid), 2) for kid in found.kid_Q),
        ]
        for method in methods_in(result)
        if (found := result.sets.get(method))
    ]
    return Table(
        "Realism: the frames of each method and the recorded ones as sets of features, those in "
        "between at the same progress. Blurred or invented frames show here, whatever their "
        "distance. An asterisk: fewer pictures than features, so that FID is too large and "
        "compares only with others of as many pictures. KID is unbiased and may "
        "fall below 0; where both sets show the same few pictures, it does. Where they show "
        "different ones, it is also what they show that differs.",
        header,
        rows,
    )


def _frechet(result: Result, method: str) -> Cell:
    found = result.sets.get(method)
    if found is None or not math.isfinite(found.fid):
        return Cell(NOTHING)
    return Cell(number(found.fid, 2) + ("*" if found.deficient else ""), value=found.fid)


def _sets_label(result: Result) -> str:
    return result.labels.get("features", "Inception")


def methods(result: Result, group: str) -> Table:
    """A group of measures for every method, means with intervals."""
    keys = _keys(result, group)
    found = {
        method: {key: _mean(result, method, key) for key in keys} for method in methods_in(result)
    }
    # Where one method is judged, it contends with the yardsticks; but the fades are handed the
    # finished picture, so only the measures of the way there are a contest then.
    alone = len(result.judged) == 1
    contenders = [m for m in found if (m != RECORDED if alone else m in result.judged)]
    contested = [key for key in keys if not alone or key in ("pdp", "between")]
    best = {key: _best(key, [found[method][key] for method in contenders]) for key in contested}
    rows = [
        [
            Cell(method),
            _count_cell(result, method),
            *(
                interval_cell(
                    numbers[key],
                    MEASURES[key].digits,
                    strong=len(contenders) > 1
                    and method in contenders
                    and numbers[key].mean == best.get(key),
                    of=_count(result, method),
                )
                for key in keys
            ),
        ]
        for method, numbers in found.items()
        if any(mean.n for mean in numbers.values())
    ]
    caption = (
        f"{GROUPS[group].format_map(labels(result))} Means over the processes, in brackets their "
        "95 % bootstrap intervals over pictures."
    )
    if CROSS_FADE in found and group == "final":
        caption += (
            " The fades are made from the recorded finished picture, so theirs is exact by "
            "construction."
        )
    return Table(caption, ["Method", "n", *(_heading(result, key) for key in keys)], rows)


def contests(result: Result) -> dict[tuple[str, str], dict[str, tuple[Paired, float]]]:
    """Methods held against each other and against each yardstick, as `measures.against` does.

    By the two methods, then by measure; pairs without a common picture are left out.
    """
    keys = [key for key in _CONTESTED if key in _keys(result)]
    yardsticks = [m for m in methods_in(result) if m not in (*result.judged, RECORDED)]
    found = {}
    for place, ours in enumerate(result.judged):
        for theirs in [*result.judged[place + 1 :], *yardsticks]:
            rows, others = (_of(result.rows, method) for method in (ours, theirs))
            by_key = {key: held_against(rows, others, key, seed=result.seed) for key in keys}
            if any(contest.difference.n for contest, _ in by_key.values()):
                found[ours, theirs] = by_key
    return found


def against(result: Result) -> Table:
    """`contests` as a table."""
    held = contests(result)
    rows = []
    for (ours, theirs), by_key in held.items():
        count = max(contest.difference.n for contest, _ in by_key.values())
        cells = [Cell(f"{ours} against {theirs}"), Cell(str(count), value=count)]
        for contest, share in by_key.values():
            gap = interval_cell(contest.difference, 3, signed=True)
            cells += [number_cell(share, 2), gap, number_cell(contest.first_better, 2)]
        rows.append(cells)
    header = ["Pair", "n"]
    for key in next(iter(held.values()), ()):
        label = _CONTESTED[key]
        header += [f"{label}: share", f"{label}: ahead by", f"{label}: P(ahead)"]
    return Table(
        "Held against each other on the same pictures. Share: the first one's mean over the "
        "second one's, below 1 is better. Ahead by: the mean paired difference with its interval, "
        "above 0 is better. P(ahead): the share of resamples of pictures in which it is.",
        header,
        rows,
    )


def conditions(result: Result) -> Table:
    """What the model loses when a condition comes from another example."""
    rows = [
        [
            Cell(name),
            interval_cell(effect.rise, 4, signed=True),
            Cell(number(100 * effect.rise.mean / effect.loss, 1) + " %"),
            Cell(number(effect.loss, 4)),
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


def across(result: Result) -> Table:
    """The same pictures in several media."""
    rows = [
        [
            Cell(found.method),
            Cell(str(found.pace.n), value=found.pace.n),
            interval_cell(found.edges, 2),
            interval_cell(found.structure, 3),
            interval_cell(found.pace, 3),
            interval_cell(found.recognised, 2),
            interval_cell(found.named, 2),
            number_cell(found.chance, 2),
            interval_cell(found.gained, 2),
        ]
        for found in result.across
    ]
    named = labels(result)
    return Table(
        "Across media: one picture painted in several. Edges: do they lie in the same places, 1 = "
        "yes. Structure: how far apart two media are in which parts of the picture are alike to "
        f"{named['dino']}, 0 = composed alike. Pace: area between the relative profiles of two "
        "media, 0 = paced alike. Recognised: share whose medium a linear probe names, trained on "
        f"recorded pictures that it does not judge ({_sets_label(result)} features), and the share "
        f"whose medium {named['clip']} names, told the recorded media in words. Medium gained: "
        f"does a painting of a photo differ from it as the medium differs from photos in "
        f"{named['clip']}'s words, 1 = just so; media with colour alone. A dash: no such weights "
        "were named (see --backbones), or there are no such pictures. What recorded processes "
        "reach is the mark.",
        [
            "Method",
            "Pictures",
            "Edges",
            f"Structure ({named['dino']}) ↓",
            "Pace",
            f"Recognised, probe ({_sets_label(result)}) ↑",
            f"Recognised, words ({named['clip']}) ↑",
            "By chance",
            f"Medium gained ({named['clip']}) ↑",
        ],
        rows,
    )


def transfers(result: Result) -> Table:
    """How near the model comes to the painter's picture from other looks of it."""
    rows = [
        [
            Cell(transfer.look),
            Cell(transfer.media),
            Cell(transfer.measure),
            Cell(str(transfer.nearer.n)),
            interval_cell(transfer.given, 3),
            interval_cell(transfer.painted, 3),
            interval_cell(transfer.nearer, 3, signed=True),
        ]
        for transfer in result.transfers
    ]
    return Table(
        "Other looks: the model is given another look of a held-out picture. Its distance to the "
        "painter's finished picture, and that of what the model made of it.",
        ["Given", "Painted in", "Distance", "n", "Given ↓", "Painted ↓", "Nearer by"],
        rows,
    )


def media(result: Result) -> Table:
    """The chief measures by medium."""
    keys = [key for key in ("pdp", "between", "final_distance") if key in _keys(result)]
    yardsticks = [m for m in methods_in(result) if m not in (*result.judged, RECORDED)]
    rows = []
    for method in result.judged:
        for medium in _media(_of(result.rows, method)):
            cells = [Cell(medium.replace("_", " "))]
            cells += [Cell(method)] if len(result.judged) > 1 else []
            cells.append(_count_cell(result, method, medium))
            cells += [_mean_cell(result, method, key, medium) for key in keys]
            cells += [number_cell(_mean(result, m, "pdp", medium).mean, 3) for m in yardsticks]
            rows.append(cells)
    header = ["Medium", *(["Method"] if len(result.judged) > 1 else []), "n"]
    header += [_heading(result, key) for key in keys]
    header += [f"PDP score, {method}" for method in yardsticks]
    return Table("Generated processes by medium, beside the yardsticks' PDP scores.", header, rows)


def videos(result: Result) -> Table:
    """Every generated process."""
    keys = _keys(result)
    several = len(result.judged) > 1
    judged = [row for row in result.rows if row.method in result.judged]
    # A column that says the same of all says nothing.
    told = any(row.medium for row in judged)
    ordered = any(row.order == REVERSED for row in judged)
    rows = [
        [
            Cell(row.name),
            *([Cell(row.method)] if several else []),
            *([Cell(row.medium.replace("_", " ") or NOTHING)] if told else []),
            *([Cell(row.order)] if ordered else []),
            *(number_cell(row.numbers[key], MEASURES[key].digits) for key in keys),
        ]
        for row in judged
    ]
    header = ["Process", *(["Method"] if several else []), *(["Medium"] if told else [])]
    header += ["Order of the file"] if ordered else []
    header += [_heading(result, key) for key in keys]
    return Table("Every generated process by itself.", header, rows)


def methods_in(result: Result) -> list[str]:
    """The methods of the rows: the judged first, the recorded last."""
    found = list(dict.fromkeys(row.method for row in result.rows))
    order = {method: place for place, method in enumerate(result.judged)}
    return sorted(found, key=lambda m: (m == RECORDED, order.get(m, len(order))))


def _mean(result: Result, method: str, key: str, medium: str = "") -> Interval:
    rows = _of(result.rows, method)
    rows = [row for row in rows if row.medium == medium] if medium else rows
    return interval(rows, key, seed=result.seed)


def _mean_cell(result: Result, method: str, key: str, medium: str = "") -> Cell:
    if key not in MEASURES:
        return Cell(NOTHING)
    found = _mean(result, method, key, medium)
    return interval_cell(found, MEASURES[key].digits, of=_count(result, method, medium))


def _count_cell(result: Result, method: str, medium: str = "") -> Cell:
    count = _count(result, method, medium)
    return Cell(str(count), value=count)


def _count(result: Result, method: str, medium: str = "") -> int:
    return sum(row.method == method and (not medium or row.medium == medium) for row in result.rows)


def _of(rows: Iterable[Measured], method: str) -> list[Measured]:
    return [row for row in rows if row.method == method]


def _media(rows: Iterable[Measured]) -> list[str]:
    return sorted({row.medium for row in rows if row.medium})


def _keys(result: Result, group: str = "") -> list[str]:
    """The measures of a group, or of all, that were taken of any process."""
    return [
        key
        for key, measure in MEASURES.items()
        if group in ("", measure.group) and any(math.isfinite(r.numbers[key]) for r in result.rows)
    ]


def _heading(result: Result, key: str) -> str:
    arrow = {"lower": " ↓", "higher": " ↑", "": ""}[MEASURES[key].better]
    return MEASURES[key].label.format_map(labels(result)) + arrow


def labels(result: Result) -> dict[str, str]:
    """What stands for the backbones in the labels of measures."""
    return {**_SIMILARITIES, **result.labels}


def shown_measures(result: Result) -> dict[str, Measure]:
    """The measures that a table has a column for."""
    return {key: MEASURES[key] for key in _keys(result)}


def _best(key: str, intervals: list[Interval]) -> float:
    means = [found.mean for found in intervals if found.n]
    if not means or not MEASURES[key].better:
        return math.nan
    return min(means) if MEASURES[key].better == "lower" else max(means)
