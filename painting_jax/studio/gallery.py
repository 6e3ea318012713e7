"""The gallery: each painting that was asked for is a folder on disk, which outlives the program.

works/ID/work.json     what was asked for, and what became of it
works/ID/picture       the picture as it came; canvas beside it, if there is one
works/ID/shown.jpg     the picture as the page shows it
works/ID/result/       what `generate` leaves
"""

import contextlib
import dataclasses
import json
import pathlib
import secrets
import shutil
import sys
import threading
import time
from typing import Any

from painting_jax import json_text
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside, remove_unfinished, written_beside
from painting_jax.studio import limits, uploads
from painting_jax.studio.answers import Refused, told
from painting_jax.studio.settings import Settings

QUEUED, PAINTING, DONE, FAILED, CANCELLED, INTERRUPTED = (
    *("queued", "painting", "done"),
    *("failed", "cancelled", "interrupted"),
)
WAITING = (QUEUED, PAINTING)
RESULT, RECORD, PICTURE, CANVAS, SHOWN = (
    *("result", "work.json"),
    *(uploads.PICTURE, "canvas", uploads.SHOWN),
)


@dataclasses.dataclass(frozen=True)
class Work:
    """A painting that was asked for.

    Attributes:
      id: Random name of its folder.
      folder: Where it lies.
      name: Name of the picture.
      shape: Height and width of the picture.
      asked: When it was asked for, in seconds since 1970.
      settings: How it is to be painted.
      state: One of the states above.
      said: What there is to say of it in a line: an error, or a warning of a finished one.
      seconds: How long it took to paint.
    """

    id: str
    folder: pathlib.Path
    name: str
    shape: tuple[int, int]
    asked: float
    settings: Settings
    state: str = QUEUED
    said: str = ""
    seconds: float = 0.0

    @property
    def result(self) -> pathlib.Path:
        """Folder of the result."""
        return self.folder / RESULT

    @property
    def record(self) -> dict[str, Any]:
        """What work.json holds."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "asked": round(self.asked, 3),
            "settings": self.settings.said,
            "state": self.state,
            "said": self.said,
            "seconds": round(self.seconds, 1),
        }


class Gallery:
    """The works on the disk. Its methods may be called by several threads.

    What was being painted when the program ended is interrupted; what waited still waits.

    Args:
      folder: Folder of the gallery, which belongs to this program alone.

    Attributes:
      version: Rises with every change.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder, self.version = folder / "works", 0
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(self._folder)
        self._lock = threading.RLock()
        self._works: dict[str, Work] = {}
        for path in sorted(self._folder.iterdir()):
            if work := _read(path):
                self._works[work.id] = work
                remove_unfinished(path)
        for work in self.all():
            if work.state == PAINTING:
                self.change(work.id, state=INTERRUPTED, said="the studio ended meanwhile")

    def touch(self) -> None:
        """Says that something has changed."""
        with self._lock:
            self.version += 1

    def all(self) -> list[Work]:
        """All works, the first that was asked for first."""
        with self._lock:
            return sorted(self._works.values(), key=lambda work: (work.asked, work.id))

    def find(self, key: object) -> Work:
        """A work by its name.

        Raises:
          Refused: If there is none.
        """
        with self._lock:
            work = self._works.get(key) if isinstance(key, str) else None
        if work is None:
            raise Refused(404, "this painting is not in the gallery any more")
        return work

    def add(
        self,
        name: str,
        shape: tuple[int, int],
        settings: Settings,
        *,
        picture: pathlib.Path,
        shown: pathlib.Path,
        canvas: pathlib.Path | None = None,
    ) -> Work:
        """Adds a work that waits, with copies of its picture and of the photo of a canvas.

        Raises:
          Refused: If there is no room on the disk.
        """
        key = uploads.new_id()
        work = Work(key, self._folder / key, name, shape, time.time(), settings)
        try:
            with folder_written_beside(work.folder) as unfinished:
                uploads.copied(picture, unfinished / PICTURE)
                uploads.copied(shown, unfinished / SHOWN)
                if canvas:
                    uploads.copied(canvas, unfinished / CANVAS)
                (unfinished / RECORD).write_text(json.dumps(work.record))
        except (OSError, UserError) as error:
            raise told(error, {str(picture): name, str(self._folder): "the gallery"}) from None
        with self._lock:
            self._works[key] = work
        self.touch()
        return work

    def change(self, key: str, **changes: Any) -> Work:
        """Changes a work, here and on the disk.

        A full disk keeps the change from the disk alone: the painting goes on, and the next change
        writes it too.
        """
        with self._lock:
            work = dataclasses.replace(self._works[key], **changes)
            self._works[key] = work
            try:
                with written_beside(work.folder / RECORD) as file:
                    file.write_text(json.dumps(work.record))
            except OSError as error:
                print(f"{work.folder} was not written: {error.strerror}", file=sys.stderr)
        self.touch()
        return work

    def remove(self, key: str) -> None:
        """Removes a work with its folder."""
        with self._lock:
            work = self._works.pop(key)
            # Its name goes first, so that nothing half removed is read back.
            aside = self._folder / f".removed_{secrets.token_hex(8)}"
            with contextlib.suppress(OSError):
                work.folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        self.touch()

    def clear(self, work: Work) -> None:
        """Removes what was written of a work that was cancelled, and may have been removed."""
        with self._lock:
            is_there = work.id in self._works
            shutil.rmtree(work.result if is_there else work.folder, ignore_errors=True)


def _read(path: pathlib.Path) -> Work | None:
    """The work of a folder; None if it is none."""
    if path.name.startswith(".removed_"):
        shutil.rmtree(path, ignore_errors=True)
        return None
    if not uploads.ID.fullmatch(path.name):
        return None
    try:
        record = json_text.read(path / RECORD)
        height, width = record["shape"]
        work = Work(
            path.name,
            path,
            uploads.name_of(record["name"])[: limits.NAME],
            (int(height), int(width)),
            float(record["asked"]),
            Settings.of(record["settings"]),
            record["state"],
            str(record["said"]),
            float(record["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        print(f"{path} is no work of the gallery: {error!s:.200}", file=sys.stderr)
        return None
    if work.state == DONE and not work.result.is_dir():
        return dataclasses.replace(work, state=FAILED, said="its files were removed")
    return work
