"""The page of a tutorial as HTML: one file that needs no other and no network."""

import dataclasses
import functools
import html
import importlib.resources
import json
from collections.abc import Sequence

from painting_jax.instruction.language import Words
from painting_jax.instruction.lesson import Card

_CELLS = (0, 3, 4, 6, 8)  # of the grid, along the shorter side
# Scripts and styles of the page alone, and nothing from elsewhere.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclasses.dataclass(frozen=True)
class ShownStep:
    """A step as the page shows it.

    Attributes:
      card: Its text.
      first: Position of the frame before it among the page's frames.
      last: Position of the frame that it ends in.
      outline: SVG path data around what it changes, in the frames' pixels.
    """

    card: Card
    first: int
    last: int
    outline: str


@dataclasses.dataclass(frozen=True)
class ShownColour:
    """A colour of the palette: its hexadecimal sRGB, its name, its share of the picture."""

    hex: str
    name: str
    share: float


@dataclasses.dataclass(frozen=True)
class ShownMix:
    """How to come to a colour: in words, with a remark, and the colour that it gives."""

    hex: str
    text: str
    note: str


@dataclasses.dataclass(frozen=True)
class Page:
    """What the page shows.

    Attributes:
      name: Of the picture.
      medium: In the page's language.
      model: Name of the model that painted it; "" for a recording.
      words: The language.
      shape: Height and width of the process.
      frames: Addresses of the frames, data URIs.
      picture: Address of the picture.
      progress: Progress of each frame.
      steps: The steps.
      colours: The palette, by number.
      mixes: How to mix each of its colours, by the title of a set of paints, the first of which is
        shown first; empty if nothing is mixed.
      outline: The outline as an SVG element; "" for none.
      left_out: What the outline does not show; "" if it shows all.
    """

    name: str
    medium: str
    model: str
    words: Words
    shape: tuple[int, int]
    frames: Sequence[str]
    picture: str
    progress: Sequence[float]
    steps: Sequence[ShownStep]
    colours: Sequence[ShownColour]
    mixes: dict[str, list[ShownMix]]
    outline: str = ""
    left_out: str = ""


def document(page: Page) -> str:
    """The page as HTML. Names are escaped wherever they stand."""
    say = functools.partial(page.words.say, "page")
    title = html.escape(say("title", name=page.name, medium=page.medium))
    about = say("about", model=page.model) if page.model else say("recorded")
    outline = ""
    if page.outline:
        outline = (
            f'<section class="outline"><h2>{say("outline")}</h2>'
            f"<p>{say('outline_lead')} {html.escape(page.left_out)}</p>{page.outline}</section>"
        )
    return f"""<!doctype html>
<html lang="{page.words.code}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="painting_jax">
<title>{title}</title>
<style>{_file("tutorial.css")}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="lead">{say("lead", count=len(page.steps))}</p>
<p>{html.escape(about)}</p>
<button type="button" id="print" class="scripted" hidden>{say("print")}</button>
<noscript><p>{say("no_script")}</p></noscript>
</header>
<main>
{_viewer(page)}
<section><h2>{say("steps")}</h2><ol class="steps">{_steps(page)}</ol></section>
{_palette(page)}
{outline}
</main>
<footer><p>painting_jax</p></footer>
<script type="application/json" id="lesson">{_facts(page)}</script>
<script>{_file("tutorial.js")}</script>
</body>
</html>
"""


@functools.cache
def _file(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text("utf-8")


def _viewer(page: Page) -> str:
    say = functools.partial(page.words.say, "page")
    height, width = page.shape
    cells = "".join(f'<option value="{count}">{count or "&ndash;"}</option>' for count in _CELLS)
    values = "".join(
        f'<option value="{key}">{say(f"values_{key}")}</option>' for key in ("off", "3", "5")
    )
    filters = "".join(_value_filter(count) for count in (3, 5))
    return f"""<section class="scripted" hidden>
<h2>{say("viewer")}</h2>
<div class="viewer" id="viewer" style="--aspect:{width / height:.5f}">
<svg width="0" height="0" aria-hidden="true" style="position:absolute">{filters}</svg>
<div class="pictures" id="pictures">
<figure id="beside" hidden><img id="reference" src="{page.picture}" alt="{say("picture")}"
 style="width:100%;display:block"><figcaption>{say("picture")}</figcaption></figure>
<figure><div class="frame" tabindex="0" role="group" aria-label="{say("canvas")}">
<div class="sheet" id="sheet">
<canvas id="canvas" role="img" aria-label="{say("canvas")}"></canvas>
<svg id="grid" class="grid" aria-hidden="true" preserveAspectRatio="none"></svg>
</div></div></figure>
</div>
<div class="scrub"><button type="button" id="play">{say("play")}</button>
<input type="range" id="scrub" min="0" value="0" aria-label="{say("moment")}">
<output id="told" for="scrub"></output></div>
<div class="tools">
<label><input type="checkbox" id="compare">{say("compare")}</label>
<label>{say("overlay")}<input type="range" id="overlay" min="0" max="100" value="0"></label>
<label>{say("zoom")}<input type="range" id="zoom" min="1" max="5" step="0.25" value="1"></label>
<label><input type="checkbox" id="mirror">{say("mirror")}</label>
<label>{say("grid")}<select id="cells">{cells}</select></label>
<label>{say("values")}<select id="values">{values}</select></label>
<label><input type="checkbox" id="squint">{say("squint")}</label>
</div>
<p class="picked" id="picked" role="status">{say("picker")}</p>
<p class="keys">{say("keys")}</p>
</div>
</section>"""


def _value_filter(count: int) -> str:
    """An SVG filter that shows a picture in so many greys of equal steps."""
    greys = " ".join(f"{i / (count - 1):.3f}" for i in range(count))
    transfer = "".join(
        f'<feFunc{channel} type="discrete" tableValues="{greys}"/>' for channel in "RGB"
    )
    row = ".2126 .7152 .0722 0 0 "
    return (
        f'<filter id="values{count}" color-interpolation-filters="sRGB">'
        f'<feColorMatrix values="{3 * row}0 0 0 1 0"/>'
        f"<feComponentTransfer>{transfer}</feComponentTransfer></filter>"
    )


def _steps(page: Page) -> str:
    say = functools.partial(page.words.say, "page")
    height, width = page.shape
    items = []
    for number, step in enumerate(page.steps, 1):
        card = step.card
        alt = html.escape(say("after", number=number, title=card.title))
        chips = "".join(
            f'<li><span class="swatch" style="background:{page.colours[colour - 1].hex}"></span>'
            f"{colour}</li>"
            for colour in card.colours
        )
        state = " checked" if step.outline else " disabled"
        facts = "".join(f"<li>{html.escape(fact)}</li>" for fact in card.facts)
        outline = ""
        if step.outline:
            drawn = f'<path d="{step.outline}"/>'
            outline = (
                f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{say("outlined")}">'
                f"{drawn}{drawn}</svg>"
            )
        told = [(say("why"), card.why), (say("mistake"), card.mistake)]
        reasons = "".join(
            f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in told if text
        )
        reasons = f"<dl>{reasons}</dl>" if reasons else ""
        items.append(f"""<li class="step" id="step{number}">
<div><div class="canvas"><img id="picture{number - 1}" src="{page.frames[step.last]}" alt="{alt}"
 width="{width}" height="{height}">{outline}</div>
<p class="under"><label><input type="checkbox"{state}>{say("show_change")}</label>
<button type="button" class="scripted" hidden data-moment="{step.last}">{say("go")}</button>
</p></div>
<div><h3><small>{say("step", number=number)}</small>{html.escape(card.title)}</h3>
<p>{html.escape(card.what)}</p>
<ul class="chips">{chips}</ul>
<ul class="facts">{facts}</ul>
{reasons}
</div></li>""")
    return "".join(items)


def _palette(page: Page) -> str:
    say = functools.partial(page.words.say, "page")
    chosen = next(iter(page.mixes.values()), [None] * len(page.colours))
    rows = "".join(
        f'<tr><td class="number">{number}</td>'
        f'<td><span class="swatch" style="background:{colour.hex}"></span>'
        f"{html.escape(colour.name)}<small>{colour.hex}</small></td>"
        f'<td class="number">{page.words.percent(colour.share)}</td>{_mix(mix)}</tr>'
        for number, (colour, mix) in enumerate(zip(page.colours, chosen, strict=True), 1)
    )
    columns = ("number", "colour", "share", "mix")[: 4 if page.mixes else 3]
    heads = "".join(f"<th>{say(name)}</th>" for name in columns)
    options = "".join(
        f'<option value="{html.escape(title)}">{html.escape(title)}</option>'
        for title in page.mixes
    )
    choice = (
        f'<p class="scripted" hidden><label>{say("paints")} '
        f'<select id="paints">{options}</select></label></p>'
    )
    return f"""<section id="palette"><h2>{say("palette")}</h2>
{choice if page.mixes else ""}
<div class="scroll"><table><caption>{say("palette_lead")}</caption>
<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"""


def _mix(mix: ShownMix | None) -> str:
    if mix is None:
        return ""
    return (
        f'<td class="mix"><span class="swatch" style="background:{mix.hex}"></span>'
        f"{html.escape(mix.text)}<small>{html.escape(mix.note)}</small></td>"
    )


def _facts(page: Page) -> str:
    """What the script needs, as JSON that cannot end its element."""
    place_of = {step.last: index for index, step in enumerate(page.steps)}
    facts = {
        "words": page.words.table["page"],
        "height": page.shape[0],
        "width": page.shape[1],
        "frames": [place_of.get(i, frame) for i, frame in enumerate(page.frames)],
        "progress": [round(progress, 4) for progress in page.progress],
        "steps": [step.first for step in page.steps],
        "ends": [step.last for step in page.steps],
        "palette": [dataclasses.asdict(colour) for colour in page.colours],
        "mixes": {
            title: [dataclasses.asdict(mix) for mix in mixes] for title, mixes in page.mixes.items()
        },
    }
    return json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
