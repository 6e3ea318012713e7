"""Reads painting processes from disk: videos, pictures, painting programs' files, and metadata.

`prepare` and `evaluate` share this reader, so that both accept the same files.
"""

import codecs
import contextlib
import dataclasses
import glob
import hashlib
import json
import math
import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax import json_text
from painting_jax.data import (
    file_kinds,
    pickled_files,
    pictures,
    remarks,
    sightings,
    splits,
    timelapse,
    video,
)
from painting_jax.data.artwork import opening
from painting_jax.data.artwork.frame_data import FrameData
from painting_jax.data.artwork.frame_pickles import FramePickles
from painting_jax.data.artwork.states import States
from painting_jax.data.artwork.step_grid import GRIDS, StepGrid
from painting_jax.data.curation.options import TIME, Cleaning
from painting_jax.data.enrichment.enrichment import NONE, Enrichment
from painting_jax.data.file_kinds import Kind
from painting_jax.data.name_order import natural_order, painted_order
from painting_jax.data.pictures import Ancestors
from painting_jax.data.process import Process, Variant
from painting_jax.data.result_files import MOVIE, RECORD, STEPS
from painting_jax.data.skipping import Skipped
from painting_jax.errors import UserError, one_line, readable

# The aspects of scans and exports of one canvas differ by rounding and careless cropping.
_ASPECT_TOLERANCE = 0.05
# Suffixes of manifests. Those of sidecars are among them, so a file must be named itself.
_MANIFESTS = (".jsonl", ".ndjson")
_MANIFESTS_IF_NAMED = (*_MANIFESTS, ".json", ".txt")
# Frames of a recording that is cleaned, and their longer side: motion tells a hand from paint.
_WATCHED, _WATCHED_SIDE = 256, 854
_LARGEST_MANIFEST, _LARGEST_SIDECAR = 256 << 20, 16 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class ProcessFile:
    """A painting process on disk and its metadata.

    Attributes:
      path: of the video file, or of the folder that holds the pictures.
      name: its path below the source it was found in; unique among the processes found with it.
      picture: identifies the picture that is painted; its processes in several media share it. ""
        is unknown.
      medium: the name of a medium, those of a mixture joined by " + ", or "" for unknown.
      caption: what is painted; may be empty.
      licence: of the process.
      crop: (x0, y0, x1, y1) of the canvas in pixels, or None for the whole frame.
      start: first moment in seconds, or the index of the first picture; None is the beginning.
      end: last moment or index, inclusive; None is the end.
      progress: share of the painting time at each frame of the file, rising or falling within 0
        to 1; None to derive it from the times of the frames.
      pictures: names of the pictures in the folder, in painted order, if not all of them; else
        None.
      grid: "2x2" or "3x3" if the file is one picture with the steps in a grid; see `step_grid`.
      split: the split that the process was published in, one of `splits.SPLITS`; "" for any.
    """

    path: str
    name: str
    picture: str = ""
    medium: str = ""
    caption: str = ""
    licence: str = "not stated"
    crop: video.Box | None = None
    start: float | None = None
    end: float | None = None
    progress: tuple[float, ...] | None = None
    pictures: tuple[str, ...] | None = None
    grid: str = ""
    split: str = ""

    @property
    def is_artwork(self) -> bool:
        """Whether the file holds the states of a canvas rather than frames in time."""
        return bool(self.grid) or file_kinds.kind(self.path) is Kind.ARTWORK


@dataclasses.dataclass(frozen=True)
class LoadedProcess:
    """The frames of a process in the order they were painted.

    Attributes:
      frames_THWC: uint8 RGB, T >= 2.
      progress_T: float32, share of the painting time, rising: from 0 to 1 if derived from the times
        of the frames, else as the metadata states it.
      time_T: float64, when each frame was: seconds in a video, else the place in the file.
      was_reversed: whether the file runs backwards, by its stated progress or as it was found to,
        and was turned round.
      looks_reversed: whether it seems to run backwards and was left as it is.
      is_cleaned: whether it is the canvas that was found in the recording.
    """

    frames_THWC: np.ndarray
    progress_T: np.ndarray
    time_T: np.ndarray
    was_reversed: bool = False
    looks_reversed: bool = False
    is_cleaned: bool = False


def find(
    sources: Sequence[str | os.PathLike],
    *,
    medium: str = "",
    known_media: Collection[str] | None = None,
    needs_medium: bool = True,
    grid: str = "",
) -> tuple[list[ProcessFile], list[Skipped]]:
    """Finds the processes in files, folders, glob patterns and manifests.

    A folder is searched with its subfolders. A process in it is

    - a video or an animation (`video.is_video`), whatever its suffix;
    - a file of a painting program or a collection (`artwork`): psd, ora, svg, procreate and
      frame_data.h5, or frame_data.pkl with what belongs to it;
    - with `grid`, each picture;
    - a folder with a `process.json`, such as `generate` writes: its `steps`, its `process.mp4`, or
      its own pictures;
    - the numbered pictures of a folder, if there are two or more, in the order of
      `name_order.painted_order`. Pictures named after a video or a subfolder beside them
      (cat_input.png beside cat.mp4) are not steps;
    - all pictures of a folder that holds nothing else and fewer than two numbered ones, in the
      order of their names.

    The pictures that a pattern matches in one folder are one process, and so are those of one
    folder that are named one by one. Files that are neither pictures nor videos are skipped and
    named, except text, metadata and sound.

    Metadata comes from `process.json` in a folder, from `cat.json` beside `cat.mp4`, or from a
    manifest, which lists processes with a "path" relative to the manifest: one JSON object a line,
    or a JSON list (.jsonl; also .json and .txt if the file is named itself). All take the same
    keys, the attributes of `ProcessFile`; a manifest takes precedence. Unknown keys are ignored
    except in a manifest.

    Args:
      sources: paths or patterns; `~` is the user's folder.
      medium: default for processes whose metadata states none.
      known_media: names of media, one of which each process must have; None allows any or none.
      needs_medium: whether `known_media` are refused to processes without a medium.
      grid: "2x2" or "3x3" if every picture is a process whose steps lie in such a grid; "" if
        pictures are the steps of processes.

    Returns:
      The processes, in natural order within each source, and the files that are none.

    Raises:
      UserError: if a source does not exist, none holds a process or picture, a manifest has a
        mistake, or a process lacks a medium that it needs.
    """
    search = _Search(medium, known_media, grid)
    named_pictures = []
    for source in sources:
        text = os.path.expanduser(os.fspath(source))
        if os.path.lexists(text) or epath.Path(text).exists():
            named_pictures += search.add_source(epath.Path(text), is_named=True)
        else:
            stills = [still for path in _matches(text) for still in search.add_source(path)]
            search.add_pictures(stills)
    search.add_pictures(named_pictures)
    if not search.found and not search.skipped:
        names = ", ".join(os.fspath(source) for source in sources)
        raise UserError(f"{names} holds no videos ({video.TYPES}) and no folders of pictures")
    found = _with_unique_names(search.found)
    for file in found:
        if known_media is not None and needs_medium and not file.medium:
            raise UserError(
                f"{file.name} has no medium: give --medium or --guess_medium, or state it in a "
                "manifest or in cat.json beside cat.mp4"
            )
    return found, search.skipped


def _matches(pattern: str) -> list[epath.Path]:
    """What a glob pattern matches, in natural order."""
    matches = glob.glob(pattern, recursive=True)
    if not matches:
        raise UserError(
            f"{pattern} does not exist: name videos, folders, a pattern or a .jsonl manifest"
        )
    return [epath.Path(path) for path in sorted(matches, key=natural_order)]


def _with_unique_names(files: Sequence[ProcessFile]) -> list[ProcessFile]:
    """Numbers processes with the same name: parts of a video, or files of several sources."""
    count: dict[str, int] = {}
    unique = []
    for file in files:
        # Unicode writes an accent in two ways; one form lets names be compared.
        name = unicodedata.normalize("NFC", one_line(file.name))
        count[name] = count.get(name, 0) + 1
        name = name if count[name] == 1 else f"{name}#{count[name]}"
        unique.append(dataclasses.replace(file, name=name))
    return unique


class _Search:
    """Collects processes and the files that are none."""

    def __init__(self, medium: str, known_media: Collection[str] | None, grid: str):
        self.found: list[ProcessFile] = []
        self.skipped: list[Skipped] = []
        self._medium = medium
        self._known_media = known_media
        self._grid = grid

    def add_source(self, path: epath.Path, *, is_named: bool = False) -> list[epath.Path]:
        """Adds the processes in a file, a folder or a manifest.

        Args:
          path: Path of the source.
          is_named: Whether it was named itself rather than matched by a pattern.

        Returns:
          The path if it is a single picture, which may be a step of a process.
        """
        suffix, kind = path.suffix.lower(), file_kinds.kind(path)
        if path.is_dir():
            before = len(self.found)
            self._add_folder(path, path, Ancestors.of(path))
            self.found[before:] = sorted(
                self.found[before:], key=lambda file: natural_order(file.name)
            )
        elif suffix in (_MANIFESTS_IF_NAMED if is_named else _MANIFESTS):
            for row, where in _manifest_rows(path):
                stated = _parse_metadata(row, where, self._known_media)
                self._add_row(path.parent, row["path"], stated)
        elif not is_named and kind is Kind.COMPANION:
            pass
        elif reason := _why_unreadable(path, None if is_named else kind):
            self.skipped.append(Skipped(path.name, reason))
        elif kind is Kind.PICTURE and not video.is_video(path):
            return [path]
        else:
            self._add(path, path.name)
        return []

    def add_pictures(self, paths: Sequence[epath.Path]) -> None:
        """Adds pictures that were named or matched: those of one folder are one process."""
        by_folder: dict[str, list[epath.Path]] = {}
        for path in paths:
            by_folder.setdefault(os.fspath(path.parent), []).append(path)
        for folder, members in by_folder.items():
            if self._grid:
                for member in members:
                    self._add(member, member.name)
            elif len(members) == 1:
                self.skipped.append(Skipped(members[0].name, _SINGLE))
            else:
                self._add_steps(epath.Path(folder), members)

    def _add_row(self, base: epath.Path, text: str, stated: Mapping) -> None:
        path = base / os.path.expanduser(text)
        if os.path.lexists(path) or path.exists() or not glob.has_magic(text):
            self._add(path, text, stated)
            return
        matches = [epath.Path(match) for match in glob.glob(os.fspath(path), recursive=True)]
        stills = [match for match in matches if file_kinds.kind(match) is Kind.PICTURE]
        if len({os.fspath(still.parent) for still in stills}) != 1 or len(stills) < 2:
            self.skipped.append(Skipped(text, "the pattern matches no two pictures in one folder"))
        else:
            self._add_steps(stills[0].parent, stills, text, stated)

    def _add_steps(
        self,
        folder: epath.Path,
        members: Sequence[epath.Path],
        name: str | None = None,
        stated: Mapping | None = None,
    ) -> None:
        ordered, _ = painted_order([path.name for path in members])
        self._add(folder, name or folder.resolve().name, stated, tuple(ordered))

    def _add_folder(self, folder: epath.Path, root: epath.Path, ancestors: Ancestors) -> None:
        def name(path: epath.Path) -> str:
            own = path.relative_to(root) if path != root else path.resolve().name
            return os.fspath(own)

        try:
            with _readable_errors(folder):
                content = _Folder.list(folder, has_grids=bool(self._grid))
        except UserError as error:
            self.skipped.append(Skipped(name(folder), str(error)))
            return
        if content.has_record:
            self._add(folder, name(folder))
            return
        if content.steps:
            self._add(folder, name(folder))
        for path in content.folders:
            if (below := ancestors.enter(path)) is None:
                continue
            before = len(self.found) + len(self.skipped)
            self._add_folder(path, root, below)
            is_named_as_file = path.suffix.lower() in (*file_kinds.PICTURES, *file_kinds.VIDEOS)
            if is_named_as_file and len(self.found) + len(self.skipped) == before:
                self.skipped.append(Skipped(name(path), "it is a folder, and holds no process"))
        for path in content.files:
            self._add(path, name(path))
        self.skipped += [Skipped(name(path), reason) for path, reason in content.others.items()]

    def _add(
        self,
        path: epath.Path,
        name: str,
        stated: Mapping | None = None,
        steps: tuple[str, ...] | None = None,
    ) -> None:
        frames, sidecar = _with_sidecar(path)
        # A pattern says which pictures are meant.
        path = frames if steps is None else path
        values: dict[str, Any] = {"medium": self._medium, "pictures": steps}
        kind = None if path.is_dir() else file_kinds.kind(path)
        if self._grid and kind is Kind.PICTURE and not video.is_video(path):
            values["grid"] = self._grid
        try:
            if kind is Kind.ARTWORK:
                own = opening.opened(path).stated
                values |= _parse_metadata(own, str(path), self._known_media)
            if sidecar is not None:
                record = _parse_sidecar(sidecar)
                values |= _parse_metadata(record, str(sidecar), self._known_media)
            values |= stated or {}
            _check_span(values, name)
        except UserError as error:
            self.skipped.append(Skipped(name, str(error)))
            return
        self.found.append(ProcessFile(os.fspath(path), name, **values))


def _with_sidecar(path: epath.Path) -> tuple[epath.Path, epath.Path | None]:
    """The path of a process's frames, and of the JSON file with its metadata if there is one."""
    if not path.is_dir():
        sidecar = path.with_suffix(".json")
        return path, sidecar if sidecar.is_file() else None
    if not (path / RECORD).is_file():
        return path, None
    steps, movie = path / STEPS, path / MOVIE
    frames = steps if steps.is_dir() else movie if movie.is_file() else path
    return frames, path / RECORD


@dataclasses.dataclass(frozen=True)
class _Folder:
    """The content of a folder without hidden files, each list in natural order.

    Attributes:
      folders: its subfolders.
      files: its videos, animations and files of painting programs; with grids, its pictures, too.
      steps: the pictures that form a process, in painted order; empty, or two and more.
      others: for each other file that may have been meant, the reason why it is not used.
      has_record: whether a `process.json` says that the folder is one process.
      is_guess: whether the names of the steps leave their order open.
    """

    folders: list[epath.Path]
    files: list[epath.Path]
    steps: list[epath.Path]
    others: dict[epath.Path, str]
    has_record: bool
    is_guess: bool

    @classmethod
    def list(cls, folder: epath.Path, *, has_grids: bool = False) -> "_Folder":
        visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
        folders, files, stills, has_record = [], [], [], False
        is_pickled = any(path.name == pickled_files.FRAMES for path in visible)
        others: dict[epath.Path, str] = {}
        for path in sorted(visible, key=lambda path: natural_order(path.name)):
            has_record = has_record or path.name == RECORD
            if path.is_dir():
                folders.append(path)
                continue
            kind = file_kinds.kind(path)
            if kind is Kind.COMPANION or (path.name == pickled_files.REFERENCE and is_pickled):
                continue
            if reason := _why_unreadable(path, kind):
                others[path] = reason
            elif kind is Kind.ARTWORK or has_grids or video.is_video(path):
                files.append(path)
            else:
                stills.append(path)
        beside = [*(path.stem for path in files), *(path.name for path in folders)]
        # Cameras store a raw photo beside its jpg.
        developed = {path.stem for path in stills if not _is_raw(path)}
        for path in stills:
            if any(_named_after(path.stem, name) for name in beside):
                others[path] = (
                    "it is named after a video or folder beside it: move it to a folder of its own "
                    "if it is a step of a process"
                )
            elif _is_raw(path) and path.stem in developed:
                others[path] = "it is the raw photo of a picture beside it, which is read"
        steps = [path for path in stills if path not in others]
        numbered = [path for path in steps if _has_number(path)]
        if len(numbered) > 1:
            unnumbered = [path for path in steps if not _has_number(path)]
            others |= dict.fromkeys(unnumbered, "it has no number, unlike the pictures beside it")
            steps = numbered
        elif beside or len(steps) < 2:
            others |= dict.fromkeys(steps, _SINGLE)
            steps = []
        by_name = {path.name: path for path in steps}
        ordered, is_guess = painted_order(list(by_name))
        steps = [by_name[name] for name in ordered]
        return cls(folders, files, steps, others, has_record, is_guess)


_SINGLE = "a single picture is no process"


def _why_unreadable(path: epath.Path, kind: Kind | None) -> str | None:
    """Why a file is neither a picture nor a video; None if it may be one.

    Without a kind, it may be a video of one that only FFmpeg knows.
    """
    try:
        file_kinds.check_regular(path)
    except UserError:
        return "it is a pipe, a socket or a device, not a file"
    if kind is Kind.OTHER:
        return "it is neither a picture nor a video that can be read"
    return None


def _is_raw(path: epath.Path) -> bool:
    return path.suffix.lower() in file_kinds.RAW_PHOTOS


def _has_number(path: epath.Path) -> bool:
    return any(letter.isdecimal() for letter in path.stem)


def _named_after(stem: str, name: str) -> bool:
    return stem.startswith(name) and not stem[len(name) :][:1].isalnum()


def _manifest_rows(path: epath.Path) -> Iterator[tuple[dict, str]]:
    """Yields the rows of a manifest with their location for error messages."""
    # Captions may contain other line breaks (U+2028).
    with _readable_errors(path):
        data = _text_of(path, _LARGEST_MANIFEST)
    if not data.strip():
        raise UserError(f"{path} is empty: it needs one JSON object a line, with a path")
    if data.lstrip().startswith(b"[") and path.suffix.lower() not in _MANIFESTS:
        rows = _parse_json(data, str(path))
        for number, row in enumerate(rows if isinstance(rows, list) else [], start=1):
            where = f"{path.name} entry {number}"
            yield _check_row(row, where), where
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            where = f"{path.name} line {number}"
            yield _check_row(_parse_json(line, where), where), where


def _check_row(row: object, where: str) -> dict:
    if not isinstance(row, dict) or not isinstance(row.get("path"), str):
        raise UserError(f'{where} needs an object with a path, as in {{"path": "cat.mp4"}}')
    if os.path.normpath(row["path"]) == os.curdir or not _is_path(row["path"]):
        raise UserError(f"{where}: path {row['path']!r} names no video and no folder of pictures")
    for key in row.keys() - {"path", *_PARSERS}:
        raise UserError(f"{where} says {key!r}: known are {', '.join(['path', *_PARSERS])}")
    return row


def _is_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False  # half a letter


def _parse_sidecar(path: epath.Path) -> dict:
    with _readable_errors(path):
        record = _parse_json(_text_of(path, _LARGEST_SIDECAR), str(path))
    if not isinstance(record, dict):
        raise UserError(f'{path} is no record of a process: write {{"medium": "oil", ...}}')
    return record


def _text_of(path: epath.Path, most: int) -> bytes:
    """The bytes of a text file without the mark that some editors put before them."""
    file_kinds.check_regular(path)
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UserError(f"{path} has more than {most >> 20} MiB: name a text file")
    return data.removeprefix(codecs.BOM_UTF8)


def _parse_json(data: bytes, where: str) -> object:
    try:
        return json_text.parse(data.decode())
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8: save it as that") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON: {error}") from None
    except ValueError:
        raise UserError(f"{where} has a number too long or brackets too deep") from None


def _parse_metadata(
    record: Mapping[str, Any], where: str, known_media: Collection[str] | None
) -> dict[str, Any]:
    """The attributes of a `ProcessFile` that a record states; null counts as not stated.

    Raises:
      UserError: if a value has the wrong type or range, or the medium is not a known one.
    """
    # `generate` writes the picture it was given as "image".
    record = {"picture": record.get("image")} | {k: v for k, v in record.items() if v is not None}
    stated = {
        key: parse(record[key], f"{where}: {key}")
        for key, parse in _PARSERS.items()
        if record.get(key) is not None
    }
    _check_span(stated, where)
    medium = stated.get("medium", "")
    if not medium:
        stated.pop("medium", None)
    elif known_media is not None and medium not in known_media:
        what = "a mixture, one medium is needed" if "+" in medium else "unknown medium"
        raise UserError(f"{where}: {what} {medium!r}: known are {', '.join(known_media)}")
    return stated


def _check_span(values: Mapping, where: str) -> None:
    start, end = values.get("start"), values.get("end")
    if start is not None and end is not None and start >= end:
        raise UserError(f"{where}: start {start:g} must lie before end {end:g}")


def _parse_text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where} must be text")
    return readable(value)


def _parse_medium(value: Any, where: str) -> str:
    """The name of a medium in the registry's spelling; a mixture is joined by " + "."""
    if not isinstance(value, str | dict):
        raise UserError(f"{where} must be a name, or names with their weights")
    names = [value] if isinstance(value, str) else list(value)
    names = [part for name in names for part in readable(name).lower().split("+")]
    return " + ".join("_".join(name.split()) for name in names)


def _parse_crop(value: Any, where: str) -> video.Box:
    is_box = isinstance(value, list) and len(value) == 4 and all(type(x) is int for x in value)
    if not is_box or not (0 <= value[0] < value[2] and 0 <= value[1] < value[3]):
        raise UserError(f"{where} must be [x0, y0, x1, y1] in pixels, not {value}")
    return tuple(value)


def _parse_moment(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e9:
        raise UserError(f"{where} must be a number of seconds (or pictures), not {value!r}")
    return float(value)


def _parse_progress(value: Any, where: str) -> tuple[float, ...]:
    are_numbers = isinstance(value, list) and all(type(x) in (int, float) for x in value)
    try:
        progress_N = np.asarray(value if are_numbers else [math.nan], np.float64)
    except OverflowError:
        progress_N = np.full(1, math.nan)
    steps = np.diff(progress_N)
    is_monotone = len(steps) and (np.all(steps >= 0) or np.all(steps <= 0)) and np.any(steps)
    if not (is_monotone and progress_N.min() >= 0 and progress_N.max() <= 1):
        raise UserError(
            f"{where} must be a list of numbers that rise within 0 to 1, one a frame; without it "
            "the times of a video's frames are taken, and pictures are evenly spaced"
        )
    return tuple(progress_N.tolist())


def _one_of(known: Collection[str]) -> Callable[[Any, str], str]:
    def parse(value: Any, where: str) -> str:
        if value not in known:
            raise UserError(f"{where} must be one of {', '.join(known)}, not {value!r}")
        return value

    return parse


# The keys of a sidecar and of a row of a manifest.
_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "picture": _parse_text,
    "medium": _parse_medium,
    "caption": _parse_text,
    "licence": _parse_text,
    "crop": _parse_crop,
    "start": _parse_moment,
    "end": _parse_moment,
    "progress": _parse_progress,
    "grid": _one_of(tuple(GRIDS)),
    "split": _one_of(splits.SPLITS),
}


def content_key(file: ProcessFile) -> str:
    """The content hash of a process's file or pictures, regardless of crop, start and end.

    Raises:
      UserError: if the path does not exist or cannot be read.
    """
    path = epath.Path(file.path)
    file_kinds.check_regular(path)
    with _readable_errors(path):
        if not path.is_dir():
            return splits.content_hash(path)
        hashes = [
            splits.content_hash(picture)
            for picture in _steps(file)[0]
            # One that cannot be read costs itself, not the process; reading says so.
            if file_kinds.head(picture)
        ]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def load(
    file: ProcessFile, *, max_frames: int, max_side: int, edits: str = timelapse.KEEP
) -> LoadedProcess:
    """Reads a process; only one frame is held in memory besides those returned.

    What was edited in a recording (`timelapse`) is remarked on. Stated progress is believed.

    Args:
      file: from `find`.
      max_frames: maximum number of frames, evenly spread over their time, with the first and last
        among them.
      max_side: maximum length of the longer side; larger frames are scaled down to it.
      edits: what is done about edits, one of `timelapse.CHOICES`: nothing; cutting off what is not
        the process; or that, and turning round what runs backwards.

    Raises:
      UserError: if it cannot be read, has fewer than two frames, its pictures differ in aspect, or
        the stated progress has another length.
    """
    path = epath.Path(file.path)
    frames_THWC, time_T, index_T, count = _read(file, max_frames, max_side)
    in_seconds = not (file.is_artwork or path.is_dir())
    sightings.came(frames_THWC, time_T, in_seconds=in_seconds)
    looks_reversed = False
    if file.progress is None and file.is_artwork:
        # Nobody edits these: the first state is the first, however it looks.
        progress_T = (time_T - time_T[0]) / (time_T[-1] - time_T[0])
    elif file.progress is None:
        found = timelapse.examine(frames_THWC)
        looks_reversed = found.direction.sign < 0
        if found.findings:
            is_cut = edits != timelapse.KEEP
            what = "which is cut off" if is_cut else "which is kept: --edits=cut cuts it off"
            remarks.add(f"{file.name} {' and '.join(found.findings)}, {what}")
            if is_cut:
                start, end = time_T[found.first], time_T[found.last]
                cut = dataclasses.replace(file, start=float(start), end=float(end))
                # Again, for as many frames of what is left.
                del frames_THWC
                frames_THWC, time_T, index_T, count = _read(cut, max_frames, max_side)
        progress_T = np.clip((time_T - time_T[0]) / (time_T[-1] - time_T[0]), 0, 1)
        if looks_reversed and edits == timelapse.TURN:
            progress_T = 1 - progress_T
            remarks.add(f"{file.name} looks as if it ran backwards: it is turned round")
    else:
        # Some containers (gif) count a last frame that no decoder returns: it needs no value.
        if not index_T[-1] < len(file.progress) <= count:
            raise UserError(
                f"the metadata of {file.name} states the progress of {len(file.progress)} frames, "
                f"{path} has {count}: state one a frame"
            )
        progress_T = np.asarray(file.progress)[index_T]
    was_reversed = bool(progress_T[-1] < progress_T[0])
    if was_reversed:
        frames_THWC = np.ascontiguousarray(frames_THWC[::-1])
        progress_T, time_T = progress_T[::-1], time_T[::-1]
    return LoadedProcess(
        frames_THWC,
        progress_T.astype(np.float32),
        time_T,
        was_reversed,
        looks_reversed and not was_reversed,
    )


@contextlib.contextmanager
def _readable_errors(path: epath.Path) -> Iterator[None]:
    """Turns an error of the file system into a `UserError` that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


# Frames, their times, their indices in the file, and the number of frames in the file.
_Read = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def _read(file: ProcessFile, max_frames: int, max_side: int) -> _Read:
    path = epath.Path(file.path)
    read = _read_pictures if path.is_dir() else _read_artwork if file.is_artwork else _read_video
    with _readable_errors(path):
        result = read(file, max_frames, max_side)
    if len(result[0]) < 2:
        raise UserError(f"{path} has one frame: a process needs at least two")
    return result


def _read_video(file: ProcessFile, max_frames: int, max_side: int) -> _Read:
    frames_THWC, second_T = video.read(
        file.path,
        start=file.start,
        end=file.end,
        max_frames=max_frames,
        max_side=max_side,
        crop=file.crop,
    )
    second_N = second_T if file.progress is None else video.frame_times(file.path)
    # Both times come from the same ticks and are equal up to floating point. A frame may be shown
    # later than the file announced.
    index_T = np.minimum(np.searchsorted(second_N, second_T - 1e-6), len(second_N) - 1)
    return frames_THWC, second_T, index_T, len(second_N)


def frame_times(file: ProcessFile) -> Sequence[float]:
    """Moments of the frames in the file, by which `start` and `end` count, without decoding them.

    Raises:
      UserError: if it cannot be read.
    """
    path = epath.Path(file.path)
    with _readable_errors(path):
        if path.is_dir():
            return range(len(file.pictures or _steps(file)[0]))
        return range(len(_states(file))) if file.is_artwork else video.frame_times(path)


def _states(file: ProcessFile) -> States:
    return StepGrid(file.path, file.grid) if file.grid else opening.opened(file.path)


def _read_artwork(file: ProcessFile, max_frames: int, max_side: int) -> _Read:
    states = _states(file)
    index_T = _chosen(file, len(states), "states", max_frames)
    frames = []
    for picture_HWC in states.pictures(index_T):
        if file.crop is not None:
            picture_HWC = video.crop_picture(picture_HWC, file.crop, file.path)
        frames.append(video.shrink(picture_HWC, max_side))
    if not frames:
        raise UserError(f"{file.path} holds nothing that can be read")
    # A canvas may have been enlarged while it was painted: the finished picture sets the size.
    height, width = frames[-1].shape[:2]
    if any(abs(f.shape[0] / f.shape[1] * width / height - 1) > _ASPECT_TOLERANCE for f in frames):
        raise UserError(f"{file.path} changes the shape of its canvas: name a part, as in start")
    kept_T = np.array(index_T[: len(frames)])
    frames_THWC = np.stack([pictures.resize(frame_HWC, height, width) for frame_HWC in frames])
    return frames_THWC, kept_T.astype(np.float64), kept_T, len(states)


def _chosen(file: ProcessFile, count: int, what: str, max_frames: int) -> Sequence[int]:
    """Indices of so many of a file's states at most, evenly spread from its start to its end."""
    first = 0 if file.start is None else int(file.start)
    last = count - 1 if file.end is None else min(int(file.end), count - 1)
    if first > last:
        raise UserError(f"{file.path} has {count} {what}, none from {first} to {last}")
    return [first + i for i in video.evenly_spaced(last - first + 1, max_frames)]


def _reader(file: ProcessFile) -> Callable[[str], States] | None:
    """What opens a file of a painting program or an archive; None for others."""
    return opening.reader(file.path) if file.is_artwork and not file.grid else None


def _variants(file: ProcessFile) -> tuple[Variant, ...]:
    """The finished picture in other looks, if the file holds them."""
    # Others have none, and may take long to open.
    if _reader(file) is not FrameData:
        return ()
    return tuple(Variant(kind, image) for kind, image in FrameData(file.path).variants)


def reference(file: ProcessFile) -> np.ndarray | None:
    """The finished picture that lies beside the frames of a whole process, if there is one.

    Returns:
      uint8[H, W, 3]; the last frame, another file of the same picture, may have another size.

    Raises:
      UserError: if it cannot be read.
    """
    is_part = file.crop is not None or file.end is not None
    if is_part or _reader(file) is not FramePickles:
        return None
    return FramePickles(file.path).reference


def _encoded_reference(file: ProcessFile, finished: bytes) -> bytes:
    """The finished picture at the size of the frames: the one beside them, else the last frame."""
    picture_HWC = reference(file)
    if picture_HWC is None:
        return finished
    height, width = pictures.stored_size(finished)
    if abs(picture_HWC.shape[0] / picture_HWC.shape[1] * width / height - 1) > _ASPECT_TOLERANCE:
        remarks.add(
            f"{file.name}: {pickled_files.REFERENCE} has another shape than the frames, and is not "
            "used"
        )
        return finished
    return pictures.encode(pictures.resize(picture_HWC, height, width))


def _read_pictures(file: ProcessFile, max_frames: int, max_side: int) -> _Read:
    paths, is_guess = _steps(file)
    frames, kept, finished_HW = [], [], None
    for index, picture_HWC in _decoded(file, paths, max_frames):
        height, width = picture_HWC.shape[:2]
        # The finished picture is read first and sets the size of the others.
        finished_HW = finished_HW or (height, width)
        if abs(height / width * finished_HW[1] / finished_HW[0] - 1) > _ASPECT_TOLERANCE:
            raise UserError(
                f"{paths[index]} has another shape than {paths[kept[0]].name}, the last picture; "
                "--clean takes pictures of a screen whose canvas it finds"
            )
        picture_HWC = video.shrink(picture_HWC, max_side)
        frames.append(pictures.resize(picture_HWC, *(frames or [picture_HWC])[0].shape[:2]))
        kept.append(index)
    if is_guess:
        _tell_order(file, paths)
    kept_T = np.array(kept[::-1])
    return np.stack(frames[::-1]), kept_T.astype(np.float64), kept_T, len(paths)


def _tell_order(file: ProcessFile, paths: Sequence[epath.Path]) -> None:
    names = [path.name for path in paths]
    shown = names if len(names) <= 4 else [*names[:2], "...", *names[-2:]]
    remarks.add(
        f"the names of the pictures in {file.name} leave their order open; it is taken as "
        + ", ".join(shown)
    )


def _decoded(
    file: ProcessFile, paths: Sequence[epath.Path], max_frames: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Some of the pictures of a process with their indices, the last one first."""
    index_T = _chosen(file, len(paths), "pictures", max_frames)
    for index in reversed(index_T):
        try:
            picture_HWC = pictures.load(paths[index])
        except UserError as error:
            # Without its last picture a process would end with one that is not finished.
            if index == index_T[-1]:
                raise
            remarks.add(f"{error}: it is left out of {file.name}")
            continue
        if file.crop is not None:
            picture_HWC = video.crop_picture(picture_HWC, file.crop, str(paths[index]))
        yield index, picture_HWC


def _steps(file: ProcessFile) -> tuple[list[epath.Path], bool]:
    """The pictures of a process in painted order, and whether that order is a guess."""
    folder = epath.Path(file.path)
    if file.pictures is not None:
        return [folder / name for name in file.pictures], painted_order(file.pictures)[1]
    content = _Folder.list(folder)
    if not content.steps:
        raise UserError(f"{folder} holds no two pictures: a process needs at least two")
    return content.steps, content.is_guess


def to_record(
    file: ProcessFile,
    *,
    max_frames: int,
    max_side: int,
    edits: str = timelapse.KEEP,
    cleaning: Cleaning | None = None,
    enrichment: Enrichment = NONE,
) -> Process:
    """Reads a process into a record for training.

    A record's progress rises strictly from 0 to 1: that of a part of a process is rescaled, and of
    several frames at the same progress only the last is kept.

    Args:
      file: from `find`, with a medium of the registry, or with none if one is guessed.
      max_frames: as in `load`.
      max_side: as in `load`.
      edits: as in `load`; with `timelapse.CUT`, what seems to run backwards is refused, and with
        `timelapse.KEEP` it is remarked on.
      cleaning: how a video is cleaned (`curation.cleaning`), at up to 854 pixels; None for not.
        In pictures of a screen the canvas is found (`curation.screen`), and in other pictures
        hands are (`curation.step_hands`). Files of painting programs are clean.
      enrichment: which networks add to the record.

    Raises:
      UserError: as in `load`, if all frames have the same progress, if the quality of a video
        that is cleaned is too low, or if its medium is neither stated nor guessed.
    """
    if cleaning and not file.is_artwork and not epath.Path(file.path).is_dir():
        watched = max(max_frames, _WATCHED), min(max_side, _WATCHED_SIDE)
        # A hand hides in which direction a recording runs: that is judged afterwards.
        cut = timelapse.KEEP if edits == timelapse.KEEP else timelapse.CUT
        loaded = load(file, max_frames=watched[0], max_side=watched[1], edits=cut)
        loaded = _cleaned(loaded, file, max_frames, edits, cleaning)
    else:
        of_screen = _of_screen(file, max_frames, max_side) if cleaning else None
        loaded = of_screen or load(file, max_frames=max_frames, max_side=max_side, edits=edits)
        if cleaning and not of_screen and not file.is_artwork:
            loaded = _without_hands(loaded, file)
    if loaded.looks_reversed:
        backwards = f"{file.name} looks as if it ran backwards"
        if edits == timelapse.CUT:
            raise UserError(f"{backwards}: --edits=turn turns it round, --edits=keep keeps it so")
        remarks.add(f"{backwards}, and is kept so: --edits=turn turns it round")
    progress_T = loaded.progress_T - loaded.progress_T[0]
    if progress_T[-1] == 0:
        raise UserError(f"{file.path} has all its frames at the same progress")
    progress_T = progress_T / progress_T[-1]
    kept_T = np.diff(progress_T, append=np.inf) > 0
    frames_THWC, progress_T = loaded.frames_THWC[kept_T], progress_T[kept_T]
    measure = cleaning.progress if cleaning and loaded.is_cleaned else TIME
    sightings.became(
        frames_THWC,
        loaded.time_T[kept_T],
        measure=measure if file.progress is None else sightings.STATED,
        is_cleaned=loaded.is_cleaned,
        is_turned=loaded.was_reversed,
    )
    finished_HWC = frames_THWC[-1]
    # What is refused for its medium takes no other network's time.
    medium = file.medium or enrichment.medium_of(finished_HWC, file.name)
    frames = tuple(pictures.encode(frame_HWC) for frame_HWC in frames_THWC)
    variants = _variants(file)
    return Process(
        id=file.name,
        frames=frames,
        progress=progress_T,
        medium=medium,
        caption=file.caption or enrichment.caption_of(finished_HWC),
        reference=_encoded_reference(file, frames[-1]),
        variants=(*variants, *enrichment.variants_of(finished_HWC, file.name, medium, variants)),
        segments=enrichment.segments_of(finished_HWC, file.name),
        source=file.name,
        licence=file.licence,
    )


def _of_screen(file: ProcessFile, max_frames: int, max_side: int) -> LoadedProcess | None:
    """The canvas in pictures of a screen; None if they are none, or it is not found."""
    path = epath.Path(file.path)
    if file.is_artwork or not path.is_dir() or file.crop is not None or file.progress is not None:
        return None
    from painting_jax.data.curation import screen  # noqa: PLC0415

    with _readable_errors(path):
        paths, is_guess = _steps(file)
        shots = [(i, video.shrink(shot, max_side)) for i, shot in _decoded(file, paths, max_frames)]
    index_T, shots_T = zip(*reversed(shots), strict=True)
    views = screen.found(shots_T)
    if views is None:
        return None
    if is_guess:
        _tell_order(file, paths)
    told = f"{file.name}: the canvas is a part of the pictures, and is cut out"
    if others := len(shots) - len(views.kept_K):
        told += f"; {others} of {len(shots)} show less of it, or something else, and are left out"
    remarks.add(told)
    height, width = shots_T[-1].shape[:2]
    of_one_size = np.stack([pictures.fit(shot_HWC, height, width) for shot_HWC in shots_T])
    sightings.came(of_one_size, np.array(index_T, np.float64), in_seconds=False)
    time_K = np.array(index_T, np.float64)[views.kept_K]
    progress_K = ((time_K - time_K[0]) / (time_K[-1] - time_K[0])).astype(np.float32)
    return LoadedProcess(screen.shown(shots_T, views), progress_K, time_K, is_cleaned=True)


def _without_hands(loaded: LoadedProcess, file: ProcessFile) -> LoadedProcess:
    """Pictures of a process without the hands that some of them show."""
    from painting_jax.data.curation import filling, step_hands  # noqa: PLC0415

    hidden_THW = step_hands.in_steps(loaded.frames_THWC)
    if not (count := int(hidden_THW.any((1, 2)).sum())):
        return loaded
    remarks.add(
        f"{file.name}: hands hid the canvas in {count} of {len(hidden_THW)} pictures; it is taken "
        "from the pictures before or after"
    )
    return dataclasses.replace(loaded, frames_THWC=filling.filled(loaded.frames_THWC, hidden_THW))


def _cleaned(
    loaded: LoadedProcess, file: ProcessFile, max_frames: int, edits: str, cleaning: Cleaning
) -> LoadedProcess:
    """The process of the canvas alone, with so many frames at most."""
    # Imported here, since it takes a second, and only the worker that cleans needs it.
    from painting_jax.data.curation import prompted  # noqa: PLC0415
    from painting_jax.data.curation.cleaning import moving_or_shaped  # noqa: PLC0415
    from painting_jax.data.curation.recording import restored  # noqa: PLC0415

    is_stated = file.progress is not None
    result = restored(
        loaded.frames_THWC,
        loaded.progress_T,
        max_frames=max_frames,
        measure=cleaning.progress,
        is_stated=is_stated,
        occluders_in=(
            prompted.prompts(cleaning.occluders).occluded
            if cleaning.occluders
            else moving_or_shaped
        ),
    )
    for remark in result.remarks:
        remarks.add(f"{file.name}: {remark}")
    sightings.judged(result.quality.score, result.quality.reasons)
    if result.quality.score < cleaning.min_quality:
        raise UserError(
            f"its quality is {result.quality.score:.2f}, less than {cleaning.min_quality:g}: "
            + ", ".join(result.quality.reasons)
        )
    found = dataclasses.replace(
        loaded,
        frames_THWC=result.frames_KHWC,
        progress_T=result.progress_K.astype(np.float32),
        time_T=loaded.time_T[result.kept_K],
        is_cleaned=True,
    )
    if is_stated:
        return found
    looks_reversed = result.sign < 0
    if looks_reversed and edits == timelapse.TURN:
        remarks.add(f"{file.name} looks as if it ran backwards: it is turned round")
        return dataclasses.replace(
            found,
            frames_THWC=found.frames_THWC[::-1],
            progress_T=1 - found.progress_T[::-1],
            time_T=found.time_T[::-1],
            was_reversed=True,
            looks_reversed=False,
        )
    return dataclasses.replace(found, looks_reversed=looks_reversed)
