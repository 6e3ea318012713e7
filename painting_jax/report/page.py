"""The page a person looks at: one HTML file that needs nothing else."""

import base64
import html
import io
import json
import math

import numpy as np
from PIL import Image

from painting_jax.evaluation.measures import GENERATED, MEASURES, RECORDED
from painting_jax.evaluation.result import Result, Strip
from painting_jax.evaluation.yardsticks import BLUR_TO_SHARP, CROSS_FADE
from painting_jax.report import figures, tables
from painting_jax.report.style import CSS, SCRIPT

# Frames are shown at most so high; larger ones would only make the page heavy.
_FRAME_HEIGHT = 192


def page(result: Result) -> str:
    """The whole page, as HTML."""
    title = html.escape(result.title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="lead">{html.escape(result.subtitle)}</p>
{_headlines(result)}
</header>
<main>
{_processes(result)}
{_curves(result)}
{_numbers(result)}
{_reading(result)}
</main>
<footer>{_settings(result)}</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _headlines(result: Result) -> str:
    """The numbers to look at first, each in plain words."""
    items = []

    def mean(method: str, key: str) -> float:
        values = [row.numbers[key] for row in result.rows if row.method == method]
        values = [value for value in values if math.isfinite(value)]
        return float(np.mean(values)) if values else math.nan

    for yardstick in (CROSS_FADE, BLUR_TO_SHARP):
        for key, what in (("pdp", "distance-profile error"), ("between", "in-between distance")):
            share = mean(GENERATED, key) / (mean(yardstick, key) or math.nan)
            if math.isfinite(share):
                items.append(
                    (
                        f"{share:.2f}\N{MULTIPLICATION SIGN}",
                        f"the {yardstick}'s {what}; below 1 is better",
                    )
                )
    if result.conditions:
        heeded = sum(effect.rise.low > 0 for effect in result.conditions.values())
        items.append(
            (
                f"{heeded} of {len(result.conditions)}",
                "conditions are heeded: given another example's, the model does worse",
            )
        )
    if result.band is not None:
        share = mean(GENERATED, "in_band")
        items.append((f"{100 * share:.0f} %", "of the generated profiles lie in the recorded band"))
        items.append((f"{mean(GENERATED, 'monotonicity'):.2f}", "monotonicity; 1 = never back"))
    cards = "".join(
        f"<li><b>{html.escape(number)}</b><span>{html.escape(text)}</span></li>"
        for number, text in items
    )
    return f'<ul class="headlines">{cards}</ul>' if items else ""


def _processes(result: Result) -> str:
    cards = [_card(strip, f"p{index}") for index, strip in enumerate(result.strips)]
    judged = [card for card, s in zip(cards, result.strips, strict=True) if GENERATED in s.rows]
    others = [card for card, s in zip(cards, result.strips, strict=True) if GENERATED not in s.rows]
    count = len({row.name for row in result.rows if row.method == GENERATED})
    note = "All are measured; these are some of them. " if count > len(judged) else ""
    recorded = f"<h3>The recorded set</h3>{''.join(others)}" if others else ""
    return (
        f"<section><h2>Watch them being painted</h2><p>{note}Press Paint, or pull the slider: "
        f"every canvas stands at the same progress.</p>{''.join(judged)}{recorded}</section>"
    )


def _card(strip: Strip, key: str) -> str:
    chief = [method for method in (RECORDED, GENERATED) if method in strip.rows]
    rest = [method for method in strip.rows if method not in chief]
    height, width = strip.rows[chief[0]].shape[1:3]
    easel = ""
    if strip.input_HWC is not None:
        source = _data_uri(strip.input_HWC)
        easel += (
            f'<figure><img src="{source}" alt="The picture to paint">'
            "<figcaption>the picture</figcaption></figure>"
        )
    for method in chief:
        easel += (
            f'<figure hidden><div class="canvas" data-strip="{key}-{_slug(method)}" '
            f'style="aspect-ratio:{width}/{height}"></div>'
            f"<figcaption>{html.escape(method)}</figcaption></figure>"
        )
    others = ""
    if rest:
        others = (
            "<details><summary>The yardsticks, for comparison</summary>"
            f"{_strips(strip, rest, key)}</details>"
        )
    medium = html.escape(strip.medium.replace("_", " "))
    last = len(strip.progress_S) - 1
    alone = " alone" if len(strip.rows) == 1 and strip.input_HWC is None else ""
    return f"""<article class="process{alone}">
<header><h3>{html.escape(strip.name)}</h3><span>{medium}</span></header>
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
        f'<span>{html.escape(method)}</span><img id="{key}-{_slug(method)}" loading="lazy" '
        f'src="{_data_uri(_side_by_side(strip.rows[method]))}" '
        f'alt="{columns} frames, {html.escape(method)}, from the first to the last">'
        for method in methods
    )
    grid = f"grid-template-columns:repeat({columns},1fr)"
    return (
        f'<div class="scroll"><div class="strips">{rows}<span></span>'
        f'<div class="ticks" style="{grid}">{ticks}</div></div></div>'
    )


def _curves(result: Result) -> str:
    if any(np.isfinite(row.profile_K).all() for row in result.rows):
        drawing = figures.profiles(
            result.rows, distance=result.distance, title="Distance profiles of all methods"
        )
        text = (
            "How far each frame is from the recorded finished picture, over painting progress. "
            "Thick: recorded and generated, with the range that 80 % of the processes keep to. "
            "Dotted lines: where the stages begin, as the built-in painter times them."
        )
    else:
        drawing = figures.own_profiles(
            result.rows,
            result.band,
            distance=result.distance,
            title="Distance profiles of the videos, over the band of the recorded set",
        )
        text = (
            "How far each frame is from the video's own last frame, over the video's time. "
            "Shaded: where 80 % of the recorded processes run. They paint other pictures: this "
            "compares the pace, nothing else. Dotted lines: where the stages begin, as the "
            "built-in painter times them."
        )
    media = figures.by_medium(result) if result.conditions or _several_media(result) else {}
    small = "".join(
        f"<figure>{svg}<figcaption>{html.escape(medium.replace('_', ' '))}</figcaption></figure>"
        for medium, svg in media.items()
    )
    grid = f'<h3>By medium</h3><div class="media">{small}</div>' if small else ""
    return (
        f'<section class="curves"><h2>The pace of painting</h2><figure>'
        f'<div class="scroll">{drawing}</div>'
        f"<figcaption>{text}</figcaption></figure>{grid}</section>"
    )


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
        f"<section><h2>The numbers</h2>{body}"
        f"{rest + '</details>' if many else videos.html()}</section>"
    )


def _reading(result: Result) -> str:
    terms = "".join(
        f"<dt>{html.escape(measure.label.format(distance=result.distance))}</dt>"
        f"<dd>{html.escape(measure.explanation.format(distance=result.distance))}</dd>"
        for measure in MEASURES.values()
    )
    notes = [
        f"{result.distance} is a stand-in: the layers and the linear weights of LPIPS over a VGG16 "
        "that was fine-tuned for finding edges. Compare its numbers with each other, not with "
        "published LPIPS."
        if "HED" in result.distance
        else f"The perceptual distance is {result.distance}.",
        "The PDP follows the published description; its formula was not at hand. A profile can be "
        "won by a well-timed fade, so read it beside the frames in between and the final picture.",
        *result.notes,
    ]
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
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
        "Every number stands in <code>metrics.json</code>, the tables in <code>table.md</code>. "
        f"<details><summary>Settings and versions</summary><code>{settings}</code></details>"
    )


def _side_by_side(frames_SHWC: np.ndarray) -> np.ndarray:
    return np.concatenate(list(frames_SHWC), axis=1)


def _data_uri(picture_HWC: np.ndarray) -> str:
    image = Image.fromarray(picture_HWC)
    if image.height > _FRAME_HEIGHT:
        width = round(image.width * _FRAME_HEIGHT / image.height)
        image = image.resize((width, _FRAME_HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _slug(method: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in method)
