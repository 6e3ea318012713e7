"""Writes a report: a folder that appears whole or not at all.

  index.html    the page a person looks at; needs nothing else
  metrics.json  every number, as below
  metrics.csv   a row for every measured video: its numbers by the names that metrics.json explains
  table.md      the tables
  videos/       what was generated, where the evaluation generated it

metrics.json is an object of

  schema      "painting_jax.metrics/2"; the number rises when a field changes its meaning or goes
  title, subtitle, settings, notes
  backbones   what numbers were measured with, by "distance", "clip", "dino", ...
  stand_ins   of these, the ones that take the place of the published weights
  measures    by name: label, better ("lower", "higher" or "", for those that only describe), group
  methods     by method, then measure: mean, low, high (the bootstrap interval), n
  judged      the methods that the evaluation is about; the others are yardsticks or recordings
  media       the same by medium, then method
  sets        by method: FID and KID to the recorded processes, n, and whether n is too small for
              FID; by part of the progress as fid_Q, kid_Q, count_Q
  across      by method, of pictures painted in several media: agreement of edges, structure (DINO)
              and pace between them; the share whose medium a probe recognised, and CLIP named,
              beside chance; medium gained from photos (CLIP). Null without the weights
  against     of two methods on the same pictures, by measure: share (the first one's mean over the
              other's), mean, low, high and n of how far the first is ahead (above 0 is better), and
              first_better (the share of resamples in which it is)
  conditions, transfers   where they were measured
  band        of the recorded set, where videos are unpaired: n, mean, low, high of the profiles to
              the own last frame; bands has the same by medium, of those recorded often enough
  videos      of every process: name, method, medium, order of the file, frames, cut (the share of
              its picture that was cropped away to compare it), its measures, and its profiles over
              `profile_points` evenly spread moments
  skipped     what could not be used, a line each

A number that there is not is null; in metrics.csv its place is empty.
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

from painting_jax.errors import UserError
from painting_jax.evaluation.measures import MEASURES, Measured, interval
from painting_jax.evaluation.result import Result
from painting_jax.files import folder_written_beside
from painting_jax.metrics import bootstrap, pdp
from painting_jax.report import reading, tables
from painting_jax.report.page import page
from painting_jax.report.table import in_markdown

_SCHEMAS = "painting_jax.metrics/"
SCHEMA = _SCHEMAS + "2"
FILES = ("index.html", "metrics.csv", "metrics.json", "table.md", "videos")


def check(output: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Whether a report can be written there: asked before hours of measuring.

    Args:
      output: a folder that is new, empty or an earlier report's, which is replaced.
      inputs: folders that the report is about.

    Raises:
      UserError: if it cannot, would take something else with it, or be taken for an input.
    """
    path = pathlib.Path(output)
    if not path.name:
        raise UserError(f"--output={output} is no new folder: name one for the report")
    for folder in map(pathlib.Path, inputs):
        ours, theirs = path.resolve(), folder.resolve()
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            raise UserError(
                f"{path} and {folder} lie one in the other: name a folder for the report apart "
                "from what it is about"
            )
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir())
        others = [name for name in inside if name not in FILES]
        if others or (inside and not _is_report(path)):
            raise UserError(
                f"{path} holds {(others or inside)[0]}, which is no part of a report: name a new "
                "folder"
            )
    elif path.exists():
        raise UserError(f"{path} is a file: name a folder for the report")


def _is_report(folder: pathlib.Path) -> bool:
    try:
        schema = json.loads((folder / "metrics.json").read_text("utf-8"))["schema"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False
    return str(schema).startswith(_SCHEMAS)


def write(result: Result, output: str | os.PathLike) -> pathlib.Path:
    """Writes the report; an earlier one is replaced.

    Returns:
      The path of the page.

    Raises:
      UserError: as `check`.
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
    """The tables as markdown."""
    parts = [f"# {result.title}", result.subtitle]
    parts += [table.markdown() for table in tables.all_tables(result).values()]
    parts += ["## How to read this", _list(reading.notes(result))]
    if result.skipped:
        parts += [f"## Left out ({len(result.skipped)})", _list(result.skipped)]
    return "\n\n".join(parts) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)


def rows_of(result: Result) -> str:
    """A row for every measured process, as comma-separated values (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["method", "name", "medium", "order", "frames", "cut", *MEASURES])
    for row in result.rows:
        numbers = [row.numbers[key] for key in MEASURES]
        told = [row.method, row.name, row.medium, row.order, row.frames, f"{row.cut:.3g}"]
        writer.writerow(told + [f"{x:.9g}" if math.isfinite(x) else "" for x in numbers])
    return text.getvalue()


def metrics_of(result: Result) -> dict:
    """Every number of a result, in plain types; NaN where there is nothing to compare with."""
    rows_by_method: dict[str, list[Measured]] = {}
    for row in result.rows:
        rows_by_method.setdefault(row.method, []).append(row)
    labels = tables.labels(result)

    def means(rows: list[Measured]) -> dict:
        return {key: interval(rows, key, seed=result.seed)._asdict() for key in MEASURES}

    media = sorted({row.medium for row in result.rows if row.medium})
    return {
        "schema": SCHEMA,
        "title": result.title,
        "subtitle": result.subtitle,
        "backbones": result.labels,
        "stand_ins": result.stand_ins,
        "settings": result.settings,
        "bootstrap": {"level": bootstrap.LEVEL, "resamples": bootstrap.RESAMPLES},
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
        "sets": {method: dataclasses.asdict(found) for method, found in result.sets.items()},
        "across": {
            found.method: {
                "edges": found.edges._asdict(),
                "pace": found.pace._asdict(),
                "recognised": found.recognised._asdict(),
                "chance": found.chance,
                "structure": found.structure._asdict(),
                "named": found.named._asdict(),
                "gained": found.gained._asdict(),
            }
            for found in result.across
        },
        "against": [
            {"method": ours, "other": theirs, **{key: _contest(*c) for key, c in by_key.items()}}
            for (ours, theirs), by_key in tables.contests(result).items()
        ],
        "conditions": {
            name: {"rise": effect.rise._asdict(), "loss": effect.loss}
            for name, effect in result.conditions.items()
        },
        "transfers": [
            {
                "look": transfer.look,
                "media": transfer.media,
                "measure": transfer.measure,
                "given": transfer.given._asdict(),
                "painted": transfer.painted._asdict(),
                "nearer": transfer.nearer._asdict(),
            }
            for transfer in result.transfers
        ],
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
        "notes": reading.notes(result),
    }


def _contest(found: bootstrap.Paired, share: float) -> dict:
    return {"share": share, **found.difference._asdict(), "first_better": found.first_better}


def _band(band: pdp.Band) -> dict:
    return {"n": band.n, "mean": band.mean_K, "low": band.low_K, "high": band.high_K}


def _finite(value):
    """Plain JSON types, with None for what is not a finite number."""
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
