"""The page of a data set: what was kept of the recordings, and what was made of each."""

import html

from painting_jax.data import disk
from painting_jax.data.contents import PICTURED, Contents, Entry
from painting_jax.data.sightings import FRAMES, Sighting
from painting_jax.errors import one_line
from painting_jax.report import dataset_tables as tables
from painting_jax.report.document import data_uri, document, headline_list
from painting_jax.report.table import scrolled

_FEW = 30  # rows of a table that are shown at once
_REMARKS = 12  # remarks that are shown beside a recording


def page(contents: Contents, command: str = "") -> str:
    """Formats the whole page as HTML.

    Args:
      contents: The data set.
      command: What made it.
    """
    count, sources = len(contents.entries), len(contents.sources)
    return document(
        f"{contents.builder}/{contents.name}",
        lead=(
            f"{tables.counted(count, 'painting process', 'painting processes')} from "
            f"{tables.counted(sources, 'source')}, {disk.in_words(contents.size)} of records. "
            f"Version {contents.version}."
        ),
        headlines=_headlines(contents),
        main="\n".join(
            [
                _content(contents),
                _pictures(contents),
                _skipped(contents),
                _all(contents),
                _licences(contents),
                _made(contents, command),
            ]
        ),
        footer=(
            "<code>README.md</code> says the same for people who get the data set, and how to load "
            "it. <code>rows.json</code> lists the processes, <code>skipped.jsonl</code> what was "
            "left out."
        ),
    )


def _headlines(contents: Contents) -> str:
    noted, sources = len(contents.noted), len(contents.sources)
    items = [
        (f"{sources - noted:,}", "used as they came"),
        (f"{noted:,}", "used with remarks: in part, restored, or with something guessed"),
        (f"{len(contents.skipped):,}", "left out, each with its reason"),
        (f"{contents.frames:,}", "frames stored"),
    ]
    if contents.seconds:
        items.append((tables.duration(contents.seconds), "of recording, where its length is known"))
    return headline_list(items)


def _content(contents: Contents) -> str:
    totals = {name: sum(by_split.values()) for name, by_split in contents.counts().items()}
    bars = "".join(
        f"<span>{html.escape(tables.medium(name))}</span>"
        f'<i style="width:{100 * total / max(totals.values()):.1f}%"></i><b>{total:,}</b>'
        for name, total in totals.items()
    )
    # One bar alone says nothing.
    drawn = f'<div class="bars" aria-hidden="true">{bars}</div>' if len(totals) > 1 else ""
    return f"<section><h2>What is in it</h2>{drawn}{tables.media(contents).html()}</section>"


def _pictures(contents: Contents) -> str:
    shown = [entry for entry in contents.entries if entry.is_pictured][:PICTURED]
    if not shown:
        return ""
    recorded = any(entry.sighting and entry.sighting.measure for entry in shown)
    note = f"Shown are {len(shown):,} of {len(contents.entries):,} processes. "
    if len(shown) == len(contents.entries):
        note = ""
    elif recorded:
        note += f"The page has pictures of {PICTURED} at most; all are in the table below. "
    what = "A few frames of each, evenly spaced."
    if recorded:
        what = (
            "Above, a few frames of each recording as it came; below, the canvas of its process at "
            "the same moments, where it differs."
        )
    cards = "".join(_card(entry, contents) for entry in shown)
    return f"<section><h2>Look at them</h2><p>{note}{what}</p>{cards}</section>"


def _card(entry: Entry, contents: Contents) -> str:
    row, seen = entry.row, entry.sighting
    assert seen is not None
    facts = [f"{row.frames:,} frames of {row.width}x{row.height} pixels"]
    if seen.seconds is not None:
        facts.append(f"{tables.duration(seen.seconds)} of recording")
    if seen.measure:
        facts.append(f"progress: {tables.measure(seen)}")
    if seen.is_turned:
        facts.append("turned round")
    facts.append(f"licence: {tables.licence(entry.licence)}")
    caption = tables.plain(row.caption)
    lines = [f"“{caption}”" if caption else "No caption.", "; ".join(facts) + "."]
    if seen.quality is not None:
        reasons = ": " + ", ".join(seen.reasons) if seen.reasons else ""
        lines.append(f"Quality {seen.quality:.2f} of 1{reasons}.")
    remarks = tables.remarks(contents, entry.source) if seen.measure else []
    told = remarks[:_REMARKS]
    if len(remarks) > _REMARKS:
        told.append(f"{len(remarks) - _REMARKS:,} more remarks are in metadata.json.")
    items = "".join(f"<li>{html.escape(remark)}</li>" for remark in told)
    text = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return (
        f'<article class="recording"><header><h3>{html.escape(tables.plain(row.id))}</h3>'
        f"<span>{html.escape(tables.medium(row.medium))}</span><span>{html.escape(entry.split)}"
        f"</span></header>{_strips(seen)}{text}{f'<ul>{items}</ul>' if items else ''}</article>"
    )


def _strips(seen: Sighting) -> str:
    rows = [("as it came" if seen.measure else "painted", seen.came)]
    if seen.became:
        rows.append(("cleaned" if seen.is_cleaned else "used", seen.became))
    count = len(seen.labels)
    pictures = "".join(
        f'<span>{name}</span><img loading="lazy" src="{data_uri(strip)}" '
        f'alt="{count} frames, {name}, from the first to the last">'
        for name, strip in rows
    )
    left_out = seen.left_out or (False,) * count
    ticks = "".join(
        f"<span>{html.escape(label)}{'<s>left out</s>' if is_out else ''}</span>"
        for label, is_out in zip(seen.labels, left_out, strict=True)
    )
    grid = f"grid-template-columns:repeat({count},1fr)"
    return scrolled(
        f'<div class="strips" style="width:{100 * count / FRAMES:.0f}%;'
        f'min-width:{6 * count}rem">{pictures}<span></span>'
        f'<div class="ticks" style="{grid}">{ticks}</div></div>'
    )


def _skipped(contents: Contents) -> str:
    if not contents.skipped:
        return "<section><h2>Left out</h2><p>Nothing was left out.</p></section>"
    table = _folded(tables.skipped(contents).html(), len(contents.skipped), "sources")
    return f"<section><h2>Left out ({len(contents.skipped):,})</h2>{table}</section>"


def _all(contents: Contents) -> str:
    table = _folded(tables.processes(contents).html(), len(contents.entries), "processes")
    return (
        '<section><h2>One by one</h2><p class="sorts" hidden>Click on a heading to sort its table.'
        f"</p>{table}</section>"
    )


def _folded(table: str, count: int, what: str) -> str:
    if count <= _FEW:
        return table
    return f"<details><summary>{count:,} {what}</summary>{table}</details>"


def _licences(contents: Contents) -> str:
    return f"<section><h2>Sources and licences</h2>{tables.licences(contents).html()}</section>"


def _made(contents: Contents, command: str) -> str:
    said = [*tables.making(contents), *tables.limits(contents)]
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in said)
    typed = f"<pre><code>{html.escape(one_line(command))}</code></pre>" if command else ""
    return (
        f"<section><h2>How it was made</h2><ul>{items}</ul>{typed}"
        f"{tables.chosen(contents).html()}</section>"
    )
