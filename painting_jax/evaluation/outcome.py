"""What measuring the processes of one picture gives: all that is kept of their frames."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from painting_jax.evaluation.measures import Measured
from painting_jax.evaluation.strips import Strip


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The measured processes of one picture.

    Attributes:
      rows: one for each of them.
      strip: to look at.
      skipped: what of the picture could not be used, one line each.
      notes: what a reader has to know of it, one line each.
      features: by what they are and the method: what sets of processes are compared by.
    """

    rows: list[Measured]
    strip: Strip
    skipped: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    features: Mapping[tuple[str, str], np.ndarray] = dataclasses.field(default_factory=dict)


def pack(outcome: Outcome) -> tuple[dict, dict[str, np.ndarray]]:
    """An outcome in plain values and arrays, as a store keeps them."""
    rows = [
        {
            "name": row.name,
            "method": row.method,
            "medium": row.medium,
            "order": row.order,
            "frames": row.frames,
            "picture": row.picture,
            "cut": row.cut,
            "numbers": row.numbers,
        }
        for row in outcome.rows
    ]
    shown = outcome.strip
    meta = {
        "rows": rows,
        "strip": {
            "name": shown.name,
            "medium": shown.medium,
            "progress": [float(share) for share in shown.progress_S],
            "shape": list(shown.shape_HW),
            "methods": list(shown.rows),
            "video": shown.video,
        },
        "skipped": outcome.skipped,
        "notes": outcome.notes,
        "features": [list(key) for key in outcome.features],
    }
    arrays = {"given": _bytes(shown.given)}
    for r, row in enumerate(outcome.rows):
        arrays |= {f"profile{r}": row.profile_K, f"own{r}": row.own_profile_K}
    arrays |= {f"strip{s}": _bytes(data) for s, data in enumerate(shown.rows.values())}
    arrays |= {f"features{f}": array for f, array in enumerate(outcome.features.values())}
    return meta, arrays


def unpack(meta: Mapping, arrays: Mapping[str, np.ndarray]) -> Outcome:
    """The reverse of `pack`."""
    rows = [
        Measured(**row, profile_K=arrays[f"profile{r}"], own_profile_K=arrays[f"own{r}"])
        for r, row in enumerate(meta["rows"])
    ]
    shown = meta["strip"]
    strip = Strip(
        shown["name"],
        shown["medium"],
        np.asarray(shown["progress"]),
        tuple(shown["shape"]),
        {method: arrays[f"strip{s}"].tobytes() for s, method in enumerate(shown["methods"])},
        arrays["given"].tobytes(),
        shown["video"],
    )
    features = {tuple(key): arrays[f"features{f}"] for f, key in enumerate(meta["features"])}
    return Outcome(rows, strip, list(meta["skipped"]), list(meta["notes"]), features)


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
