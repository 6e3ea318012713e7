"""Files of a finished painting, as they are sent to a browser, one by one or in a zip."""

import pathlib
import re
import zipfile
from collections.abc import Iterator

from starlette.responses import FileResponse, Response, StreamingResponse

from painting_jax import json_text
from painting_jax.data.result_files import (
    ANIMATION,
    MOVIE,
    OUTLINE_PDF,
    RECORD,
    REGIONS,
    SEGMENTS,
    SHEET,
    STEPS,
    TUTORIAL,
)
from painting_jax.studio.answers import Refused
from painting_jax.studio.gallery import Work
from painting_jax.studio.uploads import SHOWN

_MOST = 5000  # files of a result
_TYPES = {
    ".mp4": "video/mp4",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".pdf": "application/pdf",
}
# A drawing of a result runs no script, and speaks to nobody.
_POLICY = (
    "default-src 'none'; img-src 'self' data:; media-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
# The tutorial has a script of its own. It runs in a sandbox that is no part of the studio: what a
# name or a prompt might do there, it could not do here.
_IN_A_SANDBOX = (
    "sandbox allow-scripts allow-modals allow-downloads; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_KNOWN = (TUTORIAL, OUTLINE_PDF, MOVIE, ANIMATION, SHEET, REGIONS, RECORD)


def listed(work: Work) -> dict[str, pathlib.Path]:
    """The files of a work that may be sent, by their names below its folder."""
    files: dict[str, pathlib.Path] = {}
    if work.result.is_dir():
        for path in sorted(work.result.rglob("*"))[:_MOST]:
            if path.is_file() and not path.is_symlink():
                files[path.relative_to(work.result).as_posix()] = path
    # Older works have their map beside the result.
    for name in (SHOWN, SEGMENTS):
        if (work.folder / name).is_file():
            files[name] = work.folder / name
    return files


def told(work: Work) -> dict:
    """The files for the page: the known ones, the steps, and whatever else there is."""
    names = listed(work)
    steps = sorted(name for name in names if name.startswith(f"{STEPS}/"))
    known = [name for name in _KNOWN if name in names]
    others = [name for name in names if name not in known and not name.startswith(f"{STEPS}/")]
    return {
        "known": known,
        "steps": steps,
        "others": [name for name in others if name != SHOWN],
        "progress": _progress(work, len(steps)),
    }


def sent(work: Work, name: str, *, download: bool) -> Response:
    """One file.

    Raises:
      Refused: If there is none.
    """
    path = listed(work).get(name)
    if path is None:
        raise Refused(404, "this painting has no such file")
    policy = _IN_A_SANDBOX if name == TUTORIAL else _POLICY
    headers = {"Content-Security-Policy": policy, "Cache-Control": "private, no-cache"}
    kind = _TYPES.get(path.suffix.lower())
    if kind is None or download:
        kind, headers["Content-Disposition"] = kind or "application/octet-stream", "attachment"
    return FileResponse(path, media_type=kind, headers=headers)


def zipped(work: Work) -> Response:
    """All files in a zip."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{work.name.rpartition('.')[0]}-{work.settings.medium}")
    headers = {"Content-Disposition": f'attachment; filename="{name.strip("_")[:80]}.zip"'}
    return StreamingResponse(_zip(listed(work)), media_type="application/zip", headers=headers)


class _Pipe:
    """A file that passes on what is written to it."""

    def __init__(self):
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Does nothing: all is passed on."""

    def taken(self) -> bytes:
        data, self.waiting = bytes(self.waiting), bytearray()
        return data


def _zip(files: dict[str, pathlib.Path]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, path in files.items():
            with path.open("rb") as source, archive.open(name, "w") as target:
                while data := source.read(1 << 18):
                    target.write(data)
                    yield pipe.taken()
    yield pipe.taken()


def _progress(work: Work, count: int) -> list[float]:
    """The progress of each step, as its record states it."""
    try:
        progress = json_text.read(work.result / RECORD)["progress"]
        if len(progress) == count:
            return [round(float(share), 4) for share in progress]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return [round(n / max(1, count - 1), 4) for n in range(count)]
