"""The cache of an evaluation, from which an interrupted one resumes."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from painting_jax import buckets, json_text, remote_paths
from painting_jax.evaluation.measures import MeasuredProcess
from painting_jax.evaluation.result import Strip
from painting_jax.files import written_beside

_SUFFIX = ".measured.npz"


class Cache:
    """Entries of plain values and arrays, one file each, found by everything they depend on."""

    def __init__(self, folder: str | os.PathLike, depends_on: Mapping[str, object]):
        """Opens a cache; its folder is created with the first entry.

        Args:
          folder: Folder of the entries.
          depends_on: Plain values that every entry depends on: settings, weights, versions.
        """
        self.folder = pathlib.Path(folder)
        self._depends_on = dict(depends_on)

    def get(self, key: object) -> tuple[dict, dict[str, np.ndarray]] | None:
        """Reads an entry; None if it is missing or unreadable and has to be computed again."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json_text.parse(arrays.pop("meta").tobytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return meta, arrays

    def put(self, key: object, meta: Mapping, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes an entry atomically."""
        encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        # In memory first: on a full disk, closing a zip archive raises a second error.
        file = io.BytesIO()
        np.savez(file, meta=encoded, **arrays)  # type: ignore[arg-type]
        try:
            with written_beside(self._path(key)) as temporary:
                temporary.write_bytes(file.getbuffer())
        except OSError:
            self._remove_if_empty()
            raise

    def remove(self) -> None:
        """Removes all entries and videos, also of other settings, and the folder if then empty."""
        entries = ("*" + _SUFFIX, "videos/*.mp4", ".unfinished_*", "videos/.unfinished_*")
        for path in (path for pattern in entries for path in self.folder.glob(pattern)):
            path.unlink(missing_ok=True)
        self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        for folder in (self.folder / "videos", self.folder):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _path(self, key: object) -> pathlib.Path:
        text = json.dumps([self._depends_on, key], sort_keys=True, default=str)
        return self.folder / (hashlib.sha256(text.encode()).hexdigest()[:32] + _SUFFIX)


def file_state(path: str | os.PathLike) -> list:
    """Plain values that change when a file, or any file directly in a folder, changes.

    Only the name if the path is neither on a local disk nor in a bucket.
    """
    if remote_paths.in_bucket(path):
        return [os.fspath(path), buckets.generations(path)]
    path = pathlib.Path(path)
    if not path.exists():
        return [str(path)]
    if path.is_dir():
        return [file_state(entry) for entry in sorted(path.iterdir()) if entry.is_file()]
    state = path.stat()
    return [str(path.resolve()), state.st_size, state.st_mtime_ns]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is kept of the measured processes of one picture, once their frames are dropped.

    Attributes:
      rows: One entry per process; empty if nothing could be measured.
      strip: Frames to show, or None.
      skipped: What could not be used, one line each.
      notes: What a reader has to know, one line each.
      features: Arrays by kind and method that sets of processes are compared by.
    """

    rows: list[MeasuredProcess]
    strip: Strip | None
    skipped: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    features: Mapping[tuple[str, str], np.ndarray] = dataclasses.field(default_factory=dict)

    def pack(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Plain values and arrays, as a cache stores them."""
        rows, arrays = [], {"input": _bytes(self.strip.input)}
        for r, row in enumerate(self.rows):
            fields = dataclasses.asdict(row)
            arrays[f"profile{r}"] = fields.pop("profile_K")
            arrays[f"own{r}"] = fields.pop("own_profile_K")
            rows.append(fields)
        arrays |= {f"strip{s}": _bytes(data) for s, data in enumerate(self.strip.rows.values())}
        arrays |= {f"features{f}": array for f, array in enumerate(self.features.values())}
        meta = {
            "rows": rows,
            "strip": {
                "name": self.strip.name,
                "medium": self.strip.medium,
                "progress": [float(share) for share in self.strip.progress_S],
                "shape": list(self.strip.shape_HW),
                "methods": list(self.strip.rows),
                "video": self.strip.video,
            },
            "skipped": self.skipped,
            "notes": self.notes,
            "features": [list(key) for key in self.features],
        }
        return meta, arrays

    @classmethod
    def unpack(cls, meta: Mapping, arrays: Mapping[str, np.ndarray]) -> "Outcome":
        """Inverse of `pack`."""
        rows = [
            MeasuredProcess(**row, profile_K=arrays[f"profile{r}"], own_profile_K=arrays[f"own{r}"])
            for r, row in enumerate(meta["rows"])
        ]
        shown = meta["strip"]
        strip = Strip(
            shown["name"],
            shown["medium"],
            np.asarray(shown["progress"]),
            tuple(shown["shape"]),
            {method: arrays[f"strip{s}"].tobytes() for s, method in enumerate(shown["methods"])},
            arrays["input"].tobytes(),
            shown["video"],
        )
        features = {tuple(key): arrays[f"features{f}"] for f, key in enumerate(meta["features"])}
        return cls(rows, strip, list(meta["skipped"]), list(meta["notes"]), features)


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
