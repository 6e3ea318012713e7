"""Writes the report: a folder that appears whole or not at all.

  index.html    the page to read; self-contained
  metrics.json  every number, as described below
  metrics.csv   one row per measured video, with the measures that metrics.json describes
  table.md      the tables
  videos/       the generated videos, if the evaluation generated them

metrics.json is an object with the fields

  schema      "painting_jax.metrics/4"; the number rises when a field is removed or its meaning
              changes
  title, subtitle, settings, notes
  backbones   labels of the networks, by "distance", "clip", "dino", ...
  proxies     keys of those networks that replace the published ones
  measures    by name: label, better ("lower", "higher", or "" if it only describes), group
  bootstrap   kind, level and number of resamples of the intervals, which are over pictures
  methods     by method, then measure: mean, low, high (the interval), n (of processes), and the
              number of their pictures
  judged      the evaluated methods; the others are baselines or recordings
  media       the same as methods, by medium, then method
  sets        by method: FID and KID to the recorded processes, n, and whether n is too small for
              FID (deficient); by part of the progress as fid_Q, kid_Q, count_Q
  across      by method, for pictures painted in several media: agreement of edges, structure (DINO)
              and pace between media; the share whose medium a probe (recognised) and CLIP (named)
              tell, and chance; the medium gained from photos (CLIP). Null without the weights;
              recognised also if the probe fails on recorded pictures (probe_failed)
  against     for two methods on the same pictures, by measure: share (mean of the first over that
              of the other), mean, low, high and n of the lead of the first (above 0 is better), and
              first_better (the share of resamples in which it leads; null for few pictures)
  conditions, words,
  transfers, tones        if they were measured
  band        band of the recorded set if videos are unpaired: n, mean, low, high of the profiles to
              the own last frame; bands has the same by medium, for media with enough recordings
  videos      for every process: name, method, medium, order of the file, frames, cut (the share of
              its picture that was cropped away to compare it), its measures, and its profiles at
              `profile_points` evenly spaced times
  skipped     what could not be used, one line each

Missing numbers are null; in metrics.csv they are empty.
"""

import csv
import dataclasses
import io
import json
import math
import os
import pathlib
import shutil
from collections.abc import Iterable, Sequence

import numpy as np

from painting_jax import json_text
from painting_jax.errors import UserError
from painting_jax.evaluation.measures import MEASURES, MeasuredProcess, interval
from painting_jax.evaluation.result import Result
from painting_jax.files import folder_written_beside
from painting_jax.metrics import bootstrap, pdp
from painting_jax.report import tables
from painting_jax.report.page import notes, page
from painting_jax.report.table import in_markdown

_SCHEMAS = "painting_jax.metrics/"
SCHEMA = _SCHEMAS + "4"
FILES = ("index.html", "metrics.csv", "metrics.json", "table.md", "videos")


def check(output: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Checks that a report can be written, before hours of measuring.

    Args:
      output: A new or empty folder, or an earlier report, which is replaced.
      inputs: Folders that are evaluated.

    Raises:
      UserError: If it cannot, would replace other files, or overlaps an input.
    """
    path = pathlib.Path(output)
    if not path.name:
        raise UserError(f"--output={output} is no new folder: name a new one for the report")
    for folder in map(pathlib.Path, inputs):
        ours, theirs = path.resolve(), folder.resolve()
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            raise UserError(
                f"{path} and {folder} lie one in the other: name a folder for the report outside "
                "of what is evaluated"
            )
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir())
        others = [name for name in inside if name not in FILES]
        if others or (inside and not _is_report(path)):
            raise UserError(
                f"{path} holds {(others or inside)[0]}, which is not part of a report: name a new "
                "folder"
            )
    elif path.exists():
        raise UserError(f"{path} is a file: name a folder for the report")


def _is_report(folder: pathlib.Path) -> bool:
    try:
        schema = json_text.read(folder / "metrics.json")["schema"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return str(schema).startswith(_SCHEMAS)


def write(result: Result, output: str | os.PathLike) -> pathlib.Path:
    """Writes the report; an earlier one is replaced.

    Returns:
      Path of the page.

    Raises:
      UserError: As in `check`.
    """
    check(output)
    output = pathlib.Path(output)
    with folder_written_beside(output) as unfinished:
        metrics = json.dumps(_finite(metrics_of(result)), indent=1, allow_nan=False)
        (unfinished / "metrics.json").write_text(metrics + "\n", encoding="utf-8")
        (unfinished / "metrics.csv").write_text(rows_of(result), encoding="utf-8", newline="")
        (unfinished / "table.md").write_text(markdown(result), encoding="utf-8")
        (unfinished / "index.html").write_text(page(result), encoding="utf-8")
        if result.videos is not None and result.videos.is_dir():
            shutil.copytree(result.videos, unfinished / "videos")
    return output / "index.html"


def markdown(result: Result) -> str:
    """Formats the tables and notes as markdown."""
    parts = [f"# {result.title}", result.subtitle]
    parts += [table.markdown() for table in tables.all_tables(result).values()]
    parts += ["## How to read this", _list(notes(result))]
    if result.skipped:
        parts += [f"## Left out ({len(result.skipped)})", _list(result.skipped)]
    return "\n\n".join(parts) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)


def rows_of(result: Result) -> str:
    """Formats one row per measured process as comma-separated values (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["method", "name", "medium", "order", "frames", "cut", *MEASURES])
    for row in result.rows:
        numbers = [row.numbers[key] for key in MEASURES]
        facts = [row.method, row.name, row.medium, row.order, row.frames, f"{row.cut:.3g}"]
        writer.writerow(facts + [f"{x:.9g}" if math.isfinite(x) else "" for x in numbers])
    return text.getvalue()


def metrics_of(result: Result) -> dict:
    """Every number of a result, in plain types; NaN where it is missing."""
    rows_by_method: dict[str, list[MeasuredProcess]] = {}
    for row in result.rows:
        rows_by_method.setdefault(row.method, []).append(row)
    labels = tables.labels(result)

    def means(rows: list[MeasuredProcess]) -> dict:
        return {key: interval(rows, key, seed=result.seed)._asdict() for key in MEASURES}

    media = sorted({row.medium for row in result.rows if row.medium})
    return {
        "schema": SCHEMA,
        "title": result.title,
        "subtitle": result.subtitle,
        "backbones": result.labels,
        "proxies": result.proxies,
        "settings": result.settings,
        "bootstrap": {
            "kind": "bootstrap-t",
            "level": bootstrap.LEVEL,
            "resamples": bootstrap.RESAMPLES,
        },
        "measures": {
            key: {"label": m.label.format_map(labels), "better": m.better, "group": m.group}
            for key, m in MEASURES.items()
        },
        "judged": result.judged,
        "methods": {method: means(rows) for method, rows in rows_by_method.items()},
        "media": {
            medium: {
                method: means([row for row in rows if row.medium == medium])
                for method, rows in rows_by_method.items()
            }
            for medium in media
        },
        "sets": {method: dataclasses.asdict(each) for method, each in result.sets.items()},
        "across": {
            comparison.method: _plain_fields(comparison, "method") for comparison in result.across
        },
        "against": [
            {"method": ours, "other": theirs, **{key: _contest(*c) for key, c in by_key.items()}}
            for (ours, theirs), by_key in tables.contests(result).items()
        ],
        "conditions": {
            name: {**_plain_fields(effect), "verdict": effect.verdict}
            for name, effect in result.conditions.items()
        },
        "transfers": [_plain_fields(transfer) for transfer in result.transfers],
        "words": [_plain_fields(word) for word in result.words],
        "tones": {tone: error._asdict() for tone, error in result.tones.items()},
        "band": result.band and _band(result.band),
        "bands": {medium: _band(band) for medium, band in result.bands.items()},
        "profile_points": pdp.POINTS,
        "videos": [
            {
                "name": row.name,
                "method": row.method,
                "medium": row.medium,
                "order": row.order,
                "frames": row.frames,
                "cut": row.cut,
                **row.numbers,
                "profile": row.profile_K,
                "own_profile": row.own_profile_K,
            }
            for row in result.rows
        ],
        "skipped": result.skipped,
        "notes": notes(result),
    }


def _plain_fields(entry, *left_out: str) -> dict:
    """The fields of a dataclass, with intervals as objects."""
    fields = {f.name: getattr(entry, f.name) for f in dataclasses.fields(entry)}
    return {
        name: value._asdict() if isinstance(value, bootstrap.Interval) else value
        for name, value in fields.items()
        if name not in left_out
    }


def _contest(paired: bootstrap.Paired, share: float) -> dict:
    return {"share": share, **paired.difference._asdict(), "first_better": paired.first_better}


def _band(band: pdp.Band) -> dict:
    return {"n": band.n, "mean": band.mean_K, "low": band.low_K, "high": band.high_K}


def _finite(value):
    """Converts to plain JSON types, with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
