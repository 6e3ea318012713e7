"""The page of an evaluation's report: one self-contained HTML file."""

import html
import json
import math
from collections.abc import Sequence

import numpy as np

from painting_jax.evaluation.measures import BLUR_TO_SHARP, CROSS_FADE, MEASURES, RECORDED
from painting_jax.evaluation.result import Result, Strip
from painting_jax.metrics import bootstrap
from painting_jax.report import figures, tables
from painting_jax.report.document import data_uri, document, headline_list
from painting_jax.report.table import scrolled


def page(result: Result) -> str:
    """Formats the whole page as HTML."""
    return document(
        result.title,
        lead=result.subtitle,
        headlines=_headlines(result),
        main="\n".join([_processes(result), _curves(result), _numbers(result), _reading(result)]),
        footer=_settings(result),
    )


def _headlines(result: Result) -> str:
    """The most important numbers, each with an explanation; no claims from a few pictures."""
    items = []
    ours = result.judged[0]
    pictures = _pictures(result)
    enough = pictures >= bootstrap.FEWEST_FOR_A_CLAIM
    over_few = f" (over {pictures} pictures)" if pictures < bootstrap.FEW else ""

    def mean(method: str, key: str) -> float:
        values = [row.numbers[key] for row in result.rows if row.method == method]
        values = [value for value in values if math.isfinite(value)]
        return float(np.mean(values)) if values else math.nan

    if len(result.judged) > 1 and enough:
        for key in ("pdp", "between", "final_distance", "to_band"):
            means = {m: mean(m, key) for m in result.judged if math.isfinite(mean(m, key))}
            if means:
                first = min(means, key=means.get)
                items.append((first, f"comes first in {MEASURES[key].short}: {means[first]:.3f}"))
    for baseline in (CROSS_FADE, BLUR_TO_SHARP) if len(result.judged) == 1 else ():
        for key in ("pdp", "between"):
            share = mean(ours, key) / (mean(baseline, key) or math.nan)
            if math.isfinite(share):
                text = f"of the {baseline}'s {MEASURES[key].short}; below 1 is better{over_few}"
                items.append((f"{share:.2f}\N{MULTIPLICATION SIGN}", text))
    verdicts = [
        effect.verdict for effect in result.conditions.values() if effect.rise.supports_claims
    ]
    if verdicts:
        items.append(
            (
                f"{verdicts.count('used')} of {len(verdicts)}",
                "conditions are used: the model's loss rises with another example's",
            )
        )
    if result.band is not None and len(result.judged) == 1:
        share, reference = mean(ours, "in_band"), mean(RECORDED, "in_band")
        text = "of the generated profiles lie in the recorded band"
        if math.isfinite(reference):
            text += f"; of each recorded one, in the band of the others, {100 * reference:.0f} %"
        items.append((f"{100 * share:.0f} %", text))
        items.append(
            (f"{mean(ours, 'monotonicity'):.2f}", "monotonicity; 1 = never away from the picture")
        )
    return headline_list(items)


def _pictures(result: Result) -> int:
    """Number of pictures of the evaluated processes."""
    judged = [row for row in result.rows if row.method in result.judged]
    return len({row.picture or row.name for row in judged})


def _processes(result: Result) -> str:
    cards: dict[bool, list[str]] = {True: [], False: []}
    for index, strip in enumerate(result.strips):
        judged = any(method in result.judged for method in strip.rows)
        cards[judged].append(_card(strip, f"p{index}", result.judged))
    count = len({row.name for row in result.rows if row.method in result.judged})
    note = "All are measured; some are shown. " if count > len(cards[True]) else ""
    recorded = f"<h3>The recorded set</h3>{''.join(cards[False])}" if cards[False] else ""
    return (
        f"<section><h2>Watch them being painted</h2><p>{note}Press Paint, or move the slider: "
        f"all canvases show the same progress.</p>{''.join(cards[True])}{recorded}</section>"
    )


def _card(strip: Strip, key: str, judged: Sequence[str]) -> str:
    chief = [method for method in (RECORDED, *judged) if method in strip.rows]
    rest = [method for method in strip.rows if method not in chief]
    height, width = strip.shape_HW
    easel = ""
    if strip.input:
        easel += (
            f'<figure><img src="{data_uri(strip.input)}" alt="The input picture">'
            "<figcaption>input</figcaption></figure>"
        )
    for method in chief:
        easel += (
            f'<figure hidden><div class="canvas" data-strip="{_strip_id(key, strip, method)}" '
            f'style="aspect-ratio:{width}/{height}"></div>'
            f"<figcaption>{html.escape(method)}</figcaption></figure>"
        )
    others = ""
    if rest:
        others = f"<details><summary>Baselines</summary>{_strips(strip, rest, key)}</details>"
    medium = html.escape(strip.medium.replace("_", " "))
    last = len(strip.progress_S) - 1
    alone = " alone" if len(strip.rows) == 1 and not strip.input else ""
    why = f'<p class="why">{html.escape(strip.why)}</p>' if strip.why else ""
    movie = f'<a href="{html.escape(strip.video)}">video</a>' if strip.video else ""
    return f"""<article class="process{alone}">
<header><h3>{html.escape(strip.name)}</h3><span>{medium}</span>{movie}{why}</header>
<div class="easel">{easel}</div>
<div class="scrub" hidden><button type="button">Paint</button>
<input type="range" min="0" max="{last}" value="{last}" aria-label="progress"><output></output>
</div>
{_strips(strip, chief, key)}
{others}
</article>"""


def _strips(strip: Strip, methods: list[str], key: str) -> str:
    columns = len(strip.progress_S)
    ticks = "".join(f"<span>{100 * share:.0f} %</span>" for share in strip.progress_S)
    rows = "".join(
        f'<span>{html.escape(method)}</span><img id="{_strip_id(key, strip, method)}" '
        f'loading="lazy" src="{data_uri(strip.rows[method])}" '
        f'alt="{columns} frames, {html.escape(method)}, from the first to the last">'
        for method in methods
    )
    grid = f"grid-template-columns:repeat({columns},1fr)"
    return scrolled(
        f'<div class="strips">{rows}<span></span>'
        f'<div class="ticks" style="{grid}">{ticks}</div></div>'
    )


def _strip_id(key: str, strip: Strip, method: str) -> str:
    # By index: names may differ only in characters that an id cannot contain.
    return f"{key}-{list(strip.rows).index(method)}"


def _curves(result: Result) -> str:
    bends = ""
    if figures.bends_of(result.rows):
        bends = "Dotted lines: where the recorded profiles bend, on average."
    if any(np.isfinite(row.profile_K).all() for row in result.rows):
        drawing = figures.profiles(
            result.rows,
            result.judged,
            distance=result.distance,
            title="Distance profiles of all methods",
        )
        text = (
            "How far each frame is from the recorded finished picture, over painting progress. "
            "Thick: recorded and generated, with the range of 80 % of the processes. "
            f"{bends}"
        )
    else:
        drawing = figures.own_profiles(
            result, title="Distance profiles of the videos, over the band of the recorded set"
        )
        text = (
            "How far each frame is from the video's own last frame, over the video's time. "
            "Shaded: the range of 80 % of all recorded processes. They paint other pictures: only "
            f"the pace is compared. {bends}"
        )
    several = result.conditions or result.bands or _several_media(result)
    small = "".join(
        f"<figure>{svg}<figcaption>{html.escape(_named(medium, result))}</figcaption></figure>"
        for medium, svg in (figures.by_medium(result) if several else {}).items()
    )
    caption = ""
    if result.bands:
        caption = (
            "<p>Each medium's band, with which its videos are compared, and the videos. All at one "
            "scale.</p>"
        )
    grid = f'<h3>By medium</h3>{caption}<div class="media">{small}</div>' if small else ""
    return (
        f'<section class="curves"><h2>The pace of painting</h2><figure>'
        f"{scrolled(drawing)}"
        f"<figcaption>{text}</figcaption></figure>{grid}</section>"
    )


def _named(medium: str, result: Result) -> str:
    """A medium in words, with the number of recorded processes of its band, if it has one."""
    count = f", {result.bands[medium].n} recorded" if medium in result.bands else ""
    return medium.replace("_", " ") + count


def _several_media(result: Result) -> bool:
    paired = [row.medium for row in result.rows if np.isfinite(row.profile_K).all()]
    return len(set(filter(None, paired))) > 1


def _numbers(result: Result) -> str:
    shown = tables.all_tables(result)
    videos = shown.pop("videos")
    body = "".join(table.html() for table in shown.values())
    many = len(videos.rows) > 12
    rest = f"<details><summary>{len(videos.rows)} processes, one by one</summary>{videos.html()}"
    return (
        '<section><h2>The numbers</h2><p class="sorts" hidden>Click on a heading to sort its '
        f"table.</p>{body}"
        f"{rest + '</details>' if many else videos.html()}</section>"
    )


def _reading(result: Result) -> str:
    labels = tables.labels(result)
    terms = "".join(
        f"<dt>{html.escape(measure.label.format_map(labels))}</dt>"
        f"<dd>{html.escape(measure.explanation.format_map(labels))}</dd>"
        for measure in tables.shown_measures(result).values()
    )
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes(result))
    skipped = ""
    if result.skipped:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in result.skipped)
        skipped = f"<h3>Left out ({len(result.skipped)})</h3><ul>{lines}</ul>"
    return (
        f"<section><h2>How to read this</h2><ul>{items}</ul><details><summary>What each number "
        f"means</summary><dl>{terms}</dl></details>{skipped}</section>"
    )


def _settings(result: Result) -> str:
    settings = html.escape(json.dumps(result.settings, default=str))
    return (
        "All numbers are in <code>metrics.json</code> and, one row per video, in "
        "<code>metrics.csv</code>; the tables are in <code>table.md</code>. "
        f"<details><summary>Settings and versions</summary><code>{settings}</code></details>"
    )


def notes(result: Result) -> list[str]:
    """What a reader has to know before trusting the numbers, one sentence or two each."""
    networks = [f"The perceptual distance is {result.distance}."]
    if "distance" in result.proxies:
        networks = [
            f"{result.distance} is a proxy: the layers and linear heads of LPIPS over a VGG16 that "
            "was fine-tuned for edge detection. Compare its numbers with each other, not with "
            "published LPIPS."
        ]
    if "features" in result.proxies and result.sets:
        networks.append(
            f"FID and KID use {result.labels['features']} features as a proxy for Inception's: "
            "compare them with each other, not with published FID."
        )
    few = []
    if (pictures := _pictures(result)) < bootstrap.FEW:
        few.append(
            f"Few pictures ({pictures}): intervals over fewer than {bootstrap.FEW} are rough, and "
            f"from fewer than {bootstrap.FEWEST_FOR_A_CLAIM} nothing is called better or used."
        )
    return [
        *networks,
        *few,
        "The PDP follows the published description; its formula was not available. A well-timed "
        "fade can win it, so read it beside the frames in between and the final picture.",
        *result.notes,
    ]
