"""Reads a hostile source as `prepare` does, and says what went wrong."""

import dataclasses
import os
import pathlib
import resource
import tempfile
import time
import traceback
import unicodedata
from collections.abc import Iterator

from painting_jax import media
from painting_jax.data import processes, remarks, timelapse, video
from painting_jax.data.curation.options import Cleaning
from painting_jax.errors import UserError
from soak.hostile.cases import Case

_FRAMES, _SIDE = 8, 64


@dataclasses.dataclass
class Outcome:
    """What became of a case.

    Attributes:
      read: How many processes were read.
      refused: How many processes, or files that are none, were refused.
      faults: What must not be, one text each; none is good.
      seconds: How long it took.
      mebibytes: Most memory of the process that read it, at any time so far.
    """

    read: int = 0
    refused: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    mebibytes: int = 0


def read(case: Case, folder: pathlib.Path, *, cleans: bool = False) -> Outcome:
    """Writes a case, reads it, and looks for what must not be.

    Nothing but `UserError` may be raised. All that is said is one line. Nothing may have been
    written, neither to the case nor beside it, and the working directory is beside it.

    Args:
      case: From `cases.drawn`.
      folder: An empty folder, or none yet.
      cleans: Whether videos are cleaned, too.
    """
    outcome = Outcome()
    source = case.write(folder / "case")
    for beside in ("outside", "here", "temporary"):
        (folder / beside).mkdir(parents=True)
    (folder / "outside" / "victim").write_text("as it was")
    before, here, temporary = _tree(folder), pathlib.Path.cwd(), tempfile.tempdir
    os.chdir(folder / "here")
    tempfile.tempdir = str(folder / "temporary")
    started = time.monotonic()
    said: list[str] = []
    try:
        with remarks.collected() as notes:
            _read_all(case, source, outcome, said, cleans)
    finally:
        os.chdir(here)
        tempfile.tempdir = temporary
    outcome.seconds = time.monotonic() - started
    outcome.mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    for line in (*said, *notes):
        if not _is_a_line(line):
            outcome.faults.append(f"says what is no line: {line!r}")
    if changed := _tree(folder) ^ before:
        outcome.faults.append(f"wrote or removed {sorted(changed)[:5]!r}")
    return outcome


def _read_all(
    case: Case, source: pathlib.Path, outcome: Outcome, said: list[str], cleans: bool
) -> None:
    def attempt(what, *arguments, **options):
        try:
            return what(*arguments, **options)
        except UserError as error:
            outcome.refused += 1
            said.append(str(error))
        except Exception:
            outcome.faults.append(traceback.format_exc())
        return None

    options = {"medium": "oil", "known_media": media.MEDIA, "grid": case.grid}
    found, skipped = attempt(processes.find, [source], **options) or ([], [])
    outcome.refused += len(skipped)
    said += [part for skip in skipped for part in (skip.name, skip.reason)]
    for file in found:
        said.append(file.name)
        if attempt(processes.content_key, file) is None:
            continue
        sizes = {"max_frames": _FRAMES, "max_side": _SIDE, "edits": timelapse.CUT}
        outcome.read += attempt(processes.to_record, file, **sizes) is not None
        if cleans and not file.is_artwork and video.is_video(file.path):
            outcome.read += (
                attempt(processes.to_record, file, cleaning=Cleaning(), **sizes) is not None
            )


def _is_a_line(text: str) -> bool:
    # Control characters move the cursor, and some others turn the direction of writing.
    kinds = map(unicodedata.category, text)
    return bool(text.strip()) and not {"Cc", "Cs", "Zl", "Zp"} & set(kinds)


def _tree(folder: pathlib.Path) -> set[tuple[str, int, int]]:
    """Path, size and time of all that lies in a folder; no times of folders."""

    def walk(path: str) -> Iterator[tuple[str, int, int]]:
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                yield entry.path, 0, 0
                yield from walk(entry.path)
            else:
                about = entry.stat(follow_symlinks=False)
                yield entry.path, about.st_size, about.st_mtime_ns

    return set(walk(os.fspath(folder)))
