"""What an evaluation has done so far, kept so that an interrupted one goes on from it."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from painting_jax.files import written_beside

_SUFFIX = ".measured.npz"


class Store:
    """Entries of plain values and arrays, a file each, found again by all that they depend on."""

    def __init__(self, folder: str | os.PathLike, depends_on: Mapping[str, object]):
        """Opens a store; its folder appears with the first entry.

        Args:
          folder: of the entries.
          depends_on: what every entry depends on, in plain types: settings, weights, versions.
        """
        self.folder = pathlib.Path(folder)
        self._depends_on = dict(depends_on)

    def get(self, key: object) -> tuple[dict, dict[str, np.ndarray]] | None:
        """The entry of a key in plain types, or None: what cannot be read has to be done again."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(arrays.pop("meta").tobytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return meta, arrays

    def put(self, key: object, meta: Mapping, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps an entry; it appears whole or not at all."""
        encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        # In memory first: on a full disk an archive cannot even be closed without complaint.
        file = io.BytesIO()
        np.savez(file, meta=encoded, **arrays)
        try:
            with written_beside(self._path(key)) as temporary:
                temporary.write_bytes(file.getbuffer())
        except OSError:
            self._remove_if_empty()
            raise

    def remove(self) -> None:
        """Removes entries and videos, also of other settings, and the folder if that empties it."""
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
    """What tells that a file, or the files directly in a folder, were changed: plain types.

    Of what is on no local disk it is the name alone.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return [str(path)]
    if path.is_dir():
        return [file_state(entry) for entry in sorted(path.iterdir()) if entry.is_file()]
    state = path.stat()
    return [str(path.resolve()), state.st_size, state.st_mtime_ns]
