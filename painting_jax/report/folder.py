"""Writes a report: a folder that appears whole or not at all."""

import json
import math
import os
import pathlib

import numpy as np

from painting_jax.data.files import folder_written_beside
from painting_jax.errors import UserError
from painting_jax.evaluation.measures import MEASURES, summary
from painting_jax.evaluation.result import Result
from painting_jax.metrics import bootstrap, pdp
from painting_jax.report import tables
from painting_jax.report.page import page

FILES = ("index.html", "metrics.json", "table.md")


def check(output: str | os.PathLike) -> None:
    """Raises `UserError` if a report cannot be written there: before hours of measuring."""
    path = pathlib.Path(output)
    if path.is_dir():
        others = sorted(entry.name for entry in path.iterdir() if entry.name not in FILES)
        if others:
            raise UserError(
                f"{path} holds {others[0]}, which is no part of a report: name a new folder"
            )
    elif path.exists():
        raise UserError(f"{path} is a file: name a folder for the report")


def write(result: Result, output: str | os.PathLike) -> pathlib.Path:
    """Writes `index.html`, `metrics.json` and `table.md`; an earlier report is replaced.

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
        (unfinished / "table.md").write_text(markdown(result), encoding="utf-8")
        (unfinished / "index.html").write_text(page(result), encoding="utf-8")
    return output / "index.html"


def markdown(result: Result) -> str:
    """The tables as markdown."""
    parts = [f"# {result.title}", result.subtitle]
    parts += [table.markdown() for table in tables.all_tables(result).values()]
    return "\n\n".join(parts)


def metrics_of(result: Result) -> dict:
    """Every number of a result, in plain types; NaN where there is nothing to compare with."""
    rows_by_method: dict[str, list] = {}
    for row in result.rows:
        rows_by_method.setdefault(row.method, []).append(row)

    def means(rows: list) -> dict:
        return {
            key: interval._asdict() for key, interval in summary(rows, seed=result.seed).items()
        }

    media = sorted({row.medium for row in result.rows if row.medium})
    return {
        "title": result.title,
        "subtitle": result.subtitle,
        "distance": result.distance,
        "settings": result.settings,
        "bootstrap": {"level": bootstrap.LEVEL, "resamples": bootstrap.RESAMPLES},
        "measures": {
            key: {"label": m.label.format(distance=result.distance), "better": m.better}
            for key, m in MEASURES.items()
        },
        "methods": {method: means(rows) for method, rows in rows_by_method.items()},
        "media": {
            medium: {
                method: means([row for row in rows if row.medium == medium])
                for method, rows in rows_by_method.items()
            }
            for medium in media
        },
        "conditions": {
            name: {"rise": effect.rise._asdict(), "loss": effect.loss}
            for name, effect in result.conditions.items()
        },
        "transfers": [
            {
                "look": transfer.look,
                "media": transfer.media,
                "given": transfer.given._asdict(),
                "painted": transfer.painted._asdict(),
                "nearer": transfer.nearer._asdict(),
            }
            for transfer in result.transfers
        ],
        "band": result.band
        and {
            "n": result.band.n,
            "mean": result.band.mean_K,
            "low": result.band.low_K,
            "high": result.band.high_K,
        },
        "profile_points": pdp.POINTS,
        "videos": [
            {
                "name": row.name,
                "method": row.method,
                "medium": row.medium,
                **row.numbers,
                "profile": row.profile_K,
                "own_profile": row.own_profile_K,
            }
            for row in result.rows
        ],
        "skipped": result.skipped,
        "notes": result.notes,
    }


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
