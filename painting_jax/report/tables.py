"""The tables of a report."""

import math
from collections.abc import Iterable

from painting_jax.evaluation import measures
from painting_jax.evaluation.measures import (
    CROSS_FADE,
    GROUPS,
    MEASURES,
    OTHER_PICTURE,
    RECORDED,
    REVERSED,
    Measure,
    MeasuredProcess,
    interval,
)
from painting_jax.evaluation.result import BINS, Result
from painting_jax.evaluation.sets import MIN_PICTURES
from painting_jax.metrics import bootstrap
from painting_jax.metrics.bootstrap import Interval, Paired
from painting_jax.report.table import MISSING, Cell, Table, interval_cell, number, number_cell

# Labels of similarities that were not measured.
_SIMILARITIES = {"clip": "CLIP", "dino": "DINO"}

# Measures in which two methods are compared picture by picture, and their headings.
_CONTESTED = {
    "pdp": "PDP",
    "between": "In between",
    "final_distance": "Final",
    "to_band": "To the band",
}


def all_tables(result: Result) -> dict[str, Table]:
    """The tables of a report that are not empty, by a short name."""
    tables = {}
    if _keys(result, "final"):
        tables["paper"] = paper(result)
    for group in GROUPS:
        if _keys(result, group):
            tables[group] = methods(result, group)
    if any(math.isfinite(distances.kid) for distances in result.sets.values()):
        tables["sets"] = sets(result)
    pairs = against(result)
    if pairs.rows:
        tables["against"] = pairs
    if result.conditions:
        tables["conditions"] = conditions(result)
    if result.tones:
        tables["tones"] = tones(result)
    if result.words:
        tables["words"] = words(result)
    if result.across:
        tables["across"] = across(result)
    if result.transfers:
        tables["transfers"] = transfers(result)
    if len(_media(result.rows)) > 1 and _keys(result, "final"):
        tables["media"] = media(result)
    tables["videos"] = videos(result)
    return tables


def few(intervals: Iterable[Interval]) -> str:
    """What a caption says of intervals over few pictures, after a space; "" if there are enough."""
    pictures = min((each.pictures for each in intervals if each.n), default=bootstrap.FEW)
    if pictures >= bootstrap.FEW:
        return ""
    plural = "s" if pictures != 1 else ""
    text = f" Few pictures ({pictures} picture{plural} at the least): intervals are rough."
    if pictures < bootstrap.FEWEST_FOR_A_CLAIM:
        fewest = bootstrap.FEWEST_FOR_A_CLAIM
        text += f" From fewer than {fewest} pictures, nothing is called better or used."
    return text


def paper(result: Result) -> Table:
    """The finished picture and the pace, in the columns of the literature."""
    keys = ("final_distance", "final_clip", "final_dino", "pdp")
    methods = [method for method in methods_in(result) if method != RECORDED]
    means = [_mean(result, m, key) for m in methods for key in keys if key in MEASURES]
    header = ["Method", "n", f"FID ({_sets_label(result)}) ↓", f"{result.distance} ↓"]
    header += [f"{result.labels.get(key, name)} ↑" for key, name in _SIMILARITIES.items()]
    header += [f"PDP ({result.distance}) ↓"]
    rows = [
        [
            Cell(method),
            _count_cell(result, method),
            _fid_cell(result, method),
            *(_mean_cell(result, method, key) for key in keys),
        ]
        for method in methods
    ]
    by_construction = ""
    if CROSS_FADE in methods:
        by_construction += "The fades end at the recorded finished picture by construction. "
    if OTHER_PICTURE in methods:
        by_construction += (
            "Processes of other pictures have no FID: as a set they are the recorded ones. "
        )
    return Table(
        "The columns of the paper's table. A dash: no such network was named (see --backbones), or "
        "the number would say nothing. An asterisk: too few pictures for FID, which is biased "
        f"upwards. {by_construction}"
        "For Loomis Painter, a secondary source reports FID 151.04, LPIPS 0.38, CLIP 0.86, DINO "
        "0.76 and PDP (LPIPS) 0.098, on other data and with official weights: such numbers do not "
        "compare with these." + few(means),
        header,
        rows,
    )


def sets(result: Result) -> Table:
    """Distances to the recorded processes as sets: realism, which other distances do not see."""
    label = _sets_label(result)
    header = ["Method", "n", f"FID, final ({label}) ↓", f"KID x 1000, final ({label}) ↓"]
    bins = [f"{100 * q // BINS}-{100 * (q + 1) // BINS} %" for q in range(BINS)]
    header += [f"KID x 1000, frames at {span} ↓" for span in bins]
    rows = [
        [
            Cell(method),
            Cell(str(distances.n), value=distances.n),
            _fid_cell(result, method),
            number_cell(1000 * distances.kid, 2),
            *(number_cell(1000 * float(kid), 2) for kid in distances.kid_Q),
        ]
        for method in methods_in(result)
        if (distances := result.sets.get(method))
    ]
    return Table(
        "Realism: distances between the frames of each method and the recorded ones as sets of "
        "features; frames in between are compared at the same progress. They detect blurred or "
        "invented frames. An asterisk: fewer pictures than features, so that FID is biased upwards "
        "and compares only with others of as many pictures. KID is an unbiased estimate: between "
        "sets that are alike it scatters around 0, also below it. Frames of the same picture at "
        "the same place of its process are not compared with each other, so that a perfect copy "
        f"gets 0. It is left out for fewer than {MIN_PICTURES} frames on a side. If the sets show "
        "different pictures, both distances include that difference.",
        header,
        rows,
    )


def _fid_cell(result: Result, method: str) -> Cell:
    distances = result.sets.get(method)
    if distances is None or not math.isfinite(distances.fid):
        return Cell(MISSING)
    mark = "*" if distances.deficient else ""
    return Cell(number(distances.fid, 2) + mark, value=distances.fid)


def _sets_label(result: Result) -> str:
    return result.labels.get("features", "Inception")


def methods(result: Result, group: str) -> Table:
    """The measures of a group for every method: means with intervals."""
    keys = _keys(result, group)
    means = {
        method: {key: _mean(result, method, key) for key in keys} for method in methods_in(result)
    }
    # The best is shown, from enough pictures. A single method is compared with the baselines; the
    # fades are given the finished picture, so only measures of the process are compared then.
    alone = len(result.judged) == 1
    contenders = [m for m in means if (m != RECORDED if alone else m in result.judged)]
    contested = [key for key in keys if not alone or key in ("pdp", "between")]
    best = {key: _best(key, [means[method][key] for method in contenders]) for key in contested}
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
                    and numbers[key].supports_claims
                    and numbers[key].mean == best.get(key),
                    of=_count(result, method),
                )
                for key in keys
            ),
        ]
        for method, numbers in means.items()
        if any(mean.n for mean in numbers.values())
    ]
    caption = (
        f"{GROUPS[group].format_map(labels(result))} Means over the processes, with 95 % bootstrap "
        "intervals over pictures in brackets."
    )
    if CROSS_FADE in means and group == "final":
        caption += " The fades end at the recorded finished picture by construction."
    caption += few(each for numbers in means.values() for each in numbers.values())
    return Table(caption, ["Method", "n", *(_heading(result, key) for key in keys)], rows)


def contests(result: Result) -> dict[tuple[str, str], dict[str, tuple[Paired, float]]]:
    """Compares the evaluated methods with each other and with the baselines (`measures.against`).

    Returns:
      The comparisons by the two methods, then by measure; without pairs that share no picture.
    """
    keys = [key for key in _CONTESTED if key in _keys(result)]
    pairs = {}
    for place, ours in enumerate(result.judged):
        for theirs in [*result.judged[place + 1 :], *_baselines(result)]:
            rows, others = (_of(result.rows, method) for method in (ours, theirs))
            by_key = {key: measures.against(rows, others, key, seed=result.seed) for key in keys}
            if any(contest.difference.n for contest, _ in by_key.values()):
                pairs[ours, theirs] = by_key
    return pairs


def against(result: Result) -> Table:
    """The `contests` as a table."""
    pairs = contests(result)
    rows = []
    for (ours, theirs), by_key in pairs.items():
        count = max(contest.difference.n for contest, _ in by_key.values())
        cells = [Cell(f"{ours} against {theirs}"), Cell(str(count), value=count)]
        for contest, share in by_key.values():
            gap = interval_cell(contest.difference, 3, signed=True)
            cells += [number_cell(share, 2), gap, number_cell(contest.first_better, 2)]
        rows.append(cells)
    header = ["Pair", "n"]
    for key in next(iter(pairs.values()), ()):
        label = _CONTESTED[key]
        header += [f"{label}: ratio", f"{label}: lead", f"{label}: P(lead)"]
    return Table(
        "Compared on the same pictures. Ratio: mean of the first over mean of the second, below 1 "
        "is better. Lead: mean paired difference with its interval, above 0 is better. P(lead): "
        "share of resamples of the pictures in which the first leads."
        + few(contest.difference for by_key in pairs.values() for contest, _ in by_key.values()),
        header,
        rows,
    )


def conditions(result: Result) -> Table:
    """The rise of the loss when a condition comes from another example."""
    rows = [
        [
            Cell(name),
            interval_cell(effect.rise, 4, signed=True),
            Cell(number(100 * effect.rise.mean / effect.loss, 1) + " %"),
            Cell(number(effect.loss, 4)),
            Cell(str(effect.rise.n)),
            Cell(str(effect.rise.pictures)),
            Cell(effect.verdict),
        ]
        for name, effect in result.conditions.items()
    ]
    return Table(
        "The rise of the held-out loss when a condition is taken from another example, at the same "
        "noise, with its interval over pictures. A condition is used if the whole interval lies "
        "above 0." + few(effect.rise for effect in result.conditions.values()),
        ["Condition", "Rise of the loss", "Share", "Loss before", "n", "Pictures", "Verdict"],
        rows,
    )


def tones(result: Result) -> Table:
    """How well the final picture keeps pictures of each tone."""
    rows = [
        [
            Cell(tone),
            Cell(str(error.n), value=error.n),
            Cell(str(error.pictures), value=error.pictures),
            interval_cell(error, MEASURES["final_error"].digits),
        ]
        for tone, error in result.tones.items()
    ]
    return Table(
        "Tones: held-out photos as they are, and changed to bright, dark, flat, contrasty ones, on "
        "white, and to line drawings that are to stay drawings. The error of the last frame says "
        "whether the model keeps pictures of that kind." + few(result.tones.values()),
        ["Tone", "n", "Pictures", _heading(result, "final_error")],
        rows,
    )


def words(result: Result) -> Table:
    """What each word of a prompt changes."""
    by_painter = any(effect.painter.n for effect in result.words)
    compared = (
        " The last column is the same change in processes of the stroke painter, which follows "
        "every word: no model can be expected to do more."
        if by_painter
        else ""
    )
    rows = [
        [
            Cell(effect.word),
            Cell(effect.opposite),
            Cell(effect.measure),
            Cell(str(effect.change.n)),
            interval_cell(effect.asked, 2),
            interval_cell(effect.other, 2),
            interval_cell(effect.change, 2, signed=True),
            *([interval_cell(effect.painter, 2, signed=True)] if by_painter else []),
        ]
        for effect in result.words
    ]
    return Table(
        "Words of the prompt: held-out pictures are painted with a word and with its opposite, "
        "from the same noise. The score says how much of what the word asks for is seen. A "
        "change above 0 means that the word is followed." + compared,
        [
            *("Word", "Opposite", "Score", "n", "With the word", "With the opposite", "Change"),
            *(["Painter's change"] if by_painter else []),
        ],
        rows,
    )


def across(result: Result) -> Table:
    """Pictures painted in several media."""
    rows = [
        [
            Cell(each.method),
            Cell(str(each.pace.n), value=each.pace.n),
            interval_cell(each.edges, 2),
            interval_cell(each.structure, 3),
            interval_cell(each.pace, 3),
            interval_cell(each.recognised, 2),
            interval_cell(each.named, 2),
            number_cell(each.chance, 2),
            interval_cell(each.gained, 2),
        ]
        for each in result.across
    ]
    named = labels(result)
    failed = ""
    if any(each.probe_failed for each in result.across):
        failed = (
            " The probe's column is empty: it does not tell the media of the recorded pictures "
            "apart, so it judges no other."
        )
    intervals = [getattr(each, name) for each in result.across for name in ("edges", "recognised")]
    return Table(
        "Across media: one picture painted in several. Edges: agreement of their positions, 1 = "
        f"the same. Structure: distance between the self-similarities of {named['dino']}'s "
        "features, 0 = the same composition. Pace: area between the relative profiles of two "
        "media, 0 = the same pace. Recognised: share of pictures whose medium is named by a linear "
        f"probe of {_sets_label(result)} features, trained on other recorded pictures, and by "
        f"{named['clip']} zero-shot. Medium gained: cosine between the change from photo to "
        f"painting and that from photos to the medium in {named['clip']}'s text space, 1 = the "
        "same direction; only media with colour. A dash: no such network was named (see "
        "--backbones), or there are no such pictures. Recorded processes are the reference."
        + failed
        + few(intervals),
        [
            "Method",
            "Pictures",
            "Edges",
            f"Structure ({named['dino']}) ↓",
            "Pace",
            f"Recognised, probe ({_sets_label(result)}) ↑",
            f"Recognised, zero-shot ({named['clip']}) ↑",
            "Chance",
            f"Medium gained ({named['clip']}) ↑",
        ],
        rows,
    )


def transfers(result: Result) -> Table:
    """How close the model comes to the painter's picture from other looks of the input."""
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
        "Other looks: the model's input is another look of a held-out picture. Distance of the "
        "input, and of the model's painting of it, to the painter's finished picture."
        + few(transfer.nearer for transfer in result.transfers),
        ["Input", "Painted in", "Distance", "n", "Input ↓", "Painting ↓", "Closer by"],
        rows,
    )


def media(result: Result) -> Table:
    """The main measures by medium."""
    keys = [key for key in ("pdp", "between", "final_distance") if key in _keys(result)]
    baselines = _baselines(result)
    rows, means = [], []
    for method in result.judged:
        for medium in _media(_of(result.rows, method)):
            means += [_mean(result, method, key, medium) for key in keys]
            cells = [Cell(medium.replace("_", " "))]
            cells += [Cell(method)] if len(result.judged) > 1 else []
            cells.append(_count_cell(result, method, medium))
            cells += [_mean_cell(result, method, key, medium) for key in keys]
            cells += [number_cell(_mean(result, m, "pdp", medium).mean, 3) for m in baselines]
            rows.append(cells)
    header = ["Medium", *(["Method"] if len(result.judged) > 1 else []), "n"]
    header += [_heading(result, key) for key in keys]
    header += [f"PDP score, {method}" for method in baselines]
    caption = "Generated processes by medium, beside the baselines' PDP scores." + few(means)
    return Table(caption, header, rows)


def videos(result: Result) -> Table:
    """Every generated process."""
    keys = _keys(result)
    several = len(result.judged) > 1
    judged = [row for row in result.rows if row.method in result.judged]
    # Columns that would be the same for all are omitted.
    media_known = any(row.medium for row in judged)
    ordered = any(row.order == REVERSED for row in judged)
    rows = [
        [
            Cell(row.name),
            *([Cell(row.method)] if several else []),
            *([Cell(row.medium.replace("_", " ") or MISSING)] if media_known else []),
            *([Cell(row.order)] if ordered else []),
            *(number_cell(row.numbers[key], MEASURES[key].digits) for key in keys),
        ]
        for row in judged
    ]
    header = ["Process", *(["Method"] if several else []), *(["Medium"] if media_known else [])]
    header += ["Order of the file"] if ordered else []
    header += [_heading(result, key) for key in keys]
    return Table("Every generated process by itself.", header, rows)


def methods_in(result: Result) -> list[str]:
    """The methods of the rows: the evaluated ones first, the recorded one last."""
    methods = list(dict.fromkeys(row.method for row in result.rows))
    order = {method: place for place, method in enumerate(result.judged)}
    return sorted(methods, key=lambda m: (m == RECORDED, order.get(m, len(order))))


def _baselines(result: Result) -> list[str]:
    return [m for m in methods_in(result) if m not in (*result.judged, RECORDED)]


def _mean(result: Result, method: str, key: str, medium: str = "") -> Interval:
    rows = _of(result.rows, method)
    rows = [row for row in rows if row.medium == medium] if medium else rows
    return interval(rows, key, seed=result.seed)


def _mean_cell(result: Result, method: str, key: str, medium: str = "") -> Cell:
    if key not in MEASURES:
        return Cell(MISSING)
    mean = _mean(result, method, key, medium)
    return interval_cell(mean, MEASURES[key].digits, of=_count(result, method, medium))


def _count_cell(result: Result, method: str, medium: str = "") -> Cell:
    count = _count(result, method, medium)
    return Cell(str(count), value=count)


def _count(result: Result, method: str, medium: str = "") -> int:
    return sum(row.method == method and (not medium or row.medium == medium) for row in result.rows)


def _of(rows: Iterable[MeasuredProcess], method: str) -> list[MeasuredProcess]:
    return [row for row in rows if row.method == method]


def _media(rows: Iterable[MeasuredProcess]) -> list[str]:
    return sorted({row.medium for row in rows if row.medium})


def _keys(result: Result, group: str = "") -> list[str]:
    """The measures of a group, or of all groups, that have a value for any process."""
    return [
        key
        for key, measure in MEASURES.items()
        if group in ("", measure.group) and any(math.isfinite(r.numbers[key]) for r in result.rows)
    ]


def _heading(result: Result, key: str) -> str:
    arrow = {"lower": " ↓", "higher": " ↑", "": ""}[MEASURES[key].better]
    return MEASURES[key].label.format_map(labels(result)) + arrow


def labels(result: Result) -> dict[str, str]:
    """The networks' labels, which replace the placeholders in the labels of measures."""
    return {**_SIMILARITIES, **result.labels}


def shown_measures(result: Result) -> dict[str, Measure]:
    """The measures that have a column in a table."""
    return {key: MEASURES[key] for key in _keys(result)}


def _best(key: str, intervals: list[Interval]) -> float:
    means = [each.mean for each in intervals if each.n]
    if not means or not MEASURES[key].better:
        return math.nan
    return min(means) if MEASURES[key].better == "lower" else max(means)
