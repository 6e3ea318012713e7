"""Reads painting processes from disk: videos, animations and folders of pictures, with metadata.

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
from painting_jax.data import pictures, segmentation, splits, video
from painting_jax.data.building import Skipped
from painting_jax.data.pictures import Ancestors
from painting_jax.data.process import Process
from painting_jax.data.result_files import MOVIE, RECORD, STEPS
from painting_jax.errors import UserError, readable

# The aspects of scans and exports of one canvas differ by rounding and careless cropping.
_ASPECT_TOLERANCE = 0.05


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


@dataclasses.dataclass(frozen=True)
class LoadedProcess:
    """The frames of a process in the order they were painted.

    Attributes:
      frames_THWC: uint8 RGB, T >= 2.
      progress_T: float32, share of the painting time, rising: from 0 to 1 if derived from the times
        of the frames, else as the metadata states it.
      was_reversed: whether the file runs backwards by its stated progress.
    """

    frames_THWC: np.ndarray
    progress_T: np.ndarray
    was_reversed: bool = False


def find(
    sources: Sequence[str | os.PathLike],
    *,
    medium: str = "",
    known_media: Collection[str] | None = None,
) -> tuple[list[ProcessFile], list[Skipped]]:
    """Finds the processes in files, folders, glob patterns and manifests.

    A folder is searched with its subfolders. A process in it is

    - a video or an animation (`video.is_video`);
    - a folder with a `process.json`, such as `generate` writes: its `steps`, its `process.mp4`, or
      its own pictures;
    - the numbered pictures of a folder, if there are two or more, in natural order. Pictures named
      after a video or a subfolder beside them (cat_input.png beside cat.mp4) are not steps;
    - all pictures of a folder that holds nothing else and fewer than two numbered ones, in natural
      order of their names.

    Metadata comes from `process.json` in a folder, from `cat.json` beside `cat.mp4`, or from a
    `.jsonl` manifest, which lists processes as one JSON object a line with a "path" relative to the
    manifest. All take the same keys, the attributes of `ProcessFile`; a manifest takes precedence.
    Unknown keys are ignored except in a manifest.

    Args:
      sources: paths or patterns.
      medium: default for processes whose metadata states none.
      known_media: names of media, one of which each process must have; None allows any or none.

    Returns:
      The processes, in natural order within each source, and the files that are none.

    Raises:
      UserError: if a source does not exist, none holds a process or picture, a manifest has a
        mistake, or a process lacks a medium although `known_media` is given.
    """
    search = _Search(medium, known_media)
    for source in sources:
        for path in _expand(os.fspath(source)):
            search.add_source(path)
    if not search.found and not search.skipped:
        names = ", ".join(os.fspath(source) for source in sources)
        raise UserError(f"{names} holds no videos ({video.TYPES}) and no folders of pictures")
    found = _with_unique_names(search.found)
    for file in found:
        if known_media is not None and not file.medium:
            raise UserError(
                f"{file.name} has no medium: give --medium, or state it in a manifest or in "
                "cat.json beside cat.mp4"
            )
    return found, search.skipped


def _expand(source: str) -> list[epath.Path]:
    """The path itself if it exists, else the matches of a glob pattern in natural order."""
    if epath.Path(source).exists():
        return [epath.Path(source)]
    matches = glob.glob(source, recursive=True)
    if not matches:
        raise UserError(
            f"{source} does not exist: name videos, folders, a pattern or a .jsonl manifest"
        )
    return [epath.Path(path) for path in sorted(matches, key=pictures.natural_order)]


def _with_unique_names(files: Sequence[ProcessFile]) -> list[ProcessFile]:
    """Numbers processes with the same name: parts of a video, or files of several sources."""
    count: dict[str, int] = {}
    unique = []
    for file in files:
        # Unicode writes an accent in two ways; one form lets names be compared.
        name = unicodedata.normalize("NFC", readable(file.name))
        count[name] = count.get(name, 0) + 1
        name = name if count[name] == 1 else f"{name}#{count[name]}"
        unique.append(dataclasses.replace(file, name=name))
    return unique


class _Search:
    """Collects processes and the files that are none."""

    def __init__(self, medium: str, known_media: Collection[str] | None):
        self.found: list[ProcessFile] = []
        self.skipped: list[Skipped] = []
        self._medium = medium
        self._known_media = known_media

    def add_source(self, path: epath.Path) -> None:
        """Adds the processes in a file, a folder or a manifest."""
        if path.suffix.lower() == ".jsonl" and not path.is_dir():
            for row, where in _manifest_rows(path):
                stated = _parse_metadata(row, where, self._known_media)
                self._add(path.parent / row["path"], row["path"], stated)
        elif path.is_dir():
            before = len(self.found)
            self._add_folder(path, path, Ancestors.of(path))
            self.found[before:] = sorted(
                self.found[before:], key=lambda file: pictures.natural_order(file.name)
            )
        else:
            self._add(path, path.name)

    def _add_folder(self, folder: epath.Path, root: epath.Path, ancestors: Ancestors) -> None:
        def name(path: epath.Path) -> str:
            own = path.relative_to(root) if path != root else path.resolve().name
            return os.fspath(own)

        try:
            with _readable_errors(folder):
                content = _Folder.list(folder)
        except UserError as error:
            self.skipped.append(Skipped(name(folder), str(error)))
            return
        if content.has_record:
            self._add(folder, name(folder))
            return
        if content.steps:
            self._add(folder, name(folder))
        for path in content.folders:
            if (below := ancestors.enter(path)) is not None:
                self._add_folder(path, root, below)
        for path in content.videos:
            self._add(path, name(path))
        self.skipped += [Skipped(name(path), reason) for path, reason in content.others.items()]

    def _add(self, path: epath.Path, name: str, stated: Mapping | None = None) -> None:
        path, sidecar = _with_sidecar(path)
        values: dict[str, Any] = {"medium": self._medium}
        try:
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
      videos: its videos and animations.
      steps: the pictures that form a process; empty, or two and more.
      others: for each other picture, the reason why it is not a step.
      has_record: whether a `process.json` says that the folder is one process.
    """

    folders: list[epath.Path]
    videos: list[epath.Path]
    steps: list[epath.Path]
    others: dict[epath.Path, str]
    has_record: bool

    @classmethod
    def list(cls, folder: epath.Path) -> "_Folder":
        visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
        folders, videos, stills, has_record = [], [], [], False
        for path in sorted(visible, key=lambda path: pictures.natural_order(path.name)):
            if path.is_dir():
                folders.append(path)
            elif video.is_video(path):
                videos.append(path)
            elif path.suffix.lower() in (*pictures.SUFFIXES, *video.ANIMATIONS):
                stills.append(path)
            has_record = has_record or path.name == RECORD
        beside = [*(path.stem for path in videos), *(path.name for path in folders)]
        others = {
            path: "it is named after a video or folder beside it: move it to a folder of its own "
            "if it is a step of a process"
            for path in stills
            if any(_named_after(path.stem, name) for name in beside)
        }
        steps = [path for path in stills if path not in others]
        numbered = [path for path in steps if _has_number(path)]
        if len(numbered) > 1:
            unnumbered = [path for path in steps if not _has_number(path)]
            others |= dict.fromkeys(unnumbered, "it has no number, unlike the pictures beside it")
            steps = numbered
        elif beside or len(steps) < 2:
            others |= dict.fromkeys(steps, "a single picture is no process")
            steps = []
        return cls(folders, videos, steps, others, has_record)


def _has_number(path: epath.Path) -> bool:
    return any(letter.isdecimal() for letter in path.stem)


def _named_after(stem: str, name: str) -> bool:
    return stem.startswith(name) and not stem[len(name) :][:1].isalnum()


def _manifest_rows(path: epath.Path) -> Iterator[tuple[dict, str]]:
    """Yields the rows of a manifest with their location for error messages."""
    # Captions may contain other line breaks (U+2028), and some editors write a byte order mark.
    with _readable_errors(path):
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    if not any(line.strip() for line in lines):
        raise UserError(f"{path} is empty: it needs one JSON object a line, with a path")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path.name} line {number}"
            yield _check_row(_parse_json(line, where), where), where


def _check_row(row: object, where: str) -> dict:
    if not isinstance(row, dict) or not isinstance(row.get("path"), str):
        raise UserError(f'{where} needs an object with a path, as in {{"path": "cat.mp4"}}')
    if os.path.normpath(row["path"]) == os.curdir:
        raise UserError(f"{where}: path {row['path']!r} names no video and no folder of pictures")
    for key in row.keys() - {"path", *_PARSERS}:
        raise UserError(f"{where} says {key!r}: known are {', '.join(['path', *_PARSERS])}")
    return row


def _parse_sidecar(path: epath.Path) -> dict:
    with _readable_errors(path):
        record = _parse_json(path.read_bytes().removeprefix(codecs.BOM_UTF8), str(path))
    if not isinstance(record, dict):
        raise UserError(f'{path} is no record of a process: write {{"medium": "oil", ...}}')
    return record


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
}


def content_key(file: ProcessFile) -> str:
    """The content hash of a process's file or pictures, regardless of crop, start and end.

    Raises:
      UserError: if the path does not exist or cannot be read.
    """
    path = epath.Path(file.path)
    with _readable_errors(path):
        if not path.is_dir():
            return splits.content_hash(path)
        hashes = [splits.content_hash(picture) for picture in _steps(path)]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def load(file: ProcessFile, *, max_frames: int, max_side: int) -> LoadedProcess:
    """Reads a process; only one frame is held in memory besides those returned.

    Args:
      file: from `find`.
      max_frames: maximum number of frames, evenly spaced, with the first and last among them.
      max_side: maximum length of the longer side; larger frames are scaled down to it.

    Raises:
      UserError: if it cannot be read, has fewer than two frames, its pictures differ in aspect, or
        the stated progress has another length.
    """
    path = epath.Path(file.path)
    read = _read_pictures if path.is_dir() else _read_video
    with _readable_errors(path):
        frames_THWC, time_T, index_T, count = read(file, max_frames, max_side)
    if len(frames_THWC) < 2:
        raise UserError(f"{path} has one frame: a process needs at least two")
    if file.progress is None:
        progress_T = (time_T - time_T[0]) / (time_T[-1] - time_T[0])
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
        frames_THWC, progress_T = np.ascontiguousarray(frames_THWC[::-1]), progress_T[::-1]
    return LoadedProcess(frames_THWC, progress_T.astype(np.float32), was_reversed)


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
    # Both times come from the same ticks and are equal up to floating point.
    index_T = np.searchsorted(second_N, second_T - 1e-6)
    return frames_THWC, second_T, index_T, len(second_N)


def _read_pictures(file: ProcessFile, max_frames: int, max_side: int) -> _Read:
    paths = _steps(epath.Path(file.path))
    first = 0 if file.start is None else int(file.start)
    last = len(paths) - 1 if file.end is None else min(int(file.end), len(paths) - 1)
    if first > last:
        raise UserError(f"{file.path} has {len(paths)} pictures, none from {first} to {last}")
    index_T = np.array([first + i for i in video.evenly_spaced(last - first + 1, max_frames)])
    frames, finished_HW = [], None
    for index in reversed(index_T):
        picture_HWC = pictures.load(paths[index])
        if file.crop is not None:
            picture_HWC = video.crop_picture(picture_HWC, file.crop, str(paths[index]))
        height, width = picture_HWC.shape[:2]
        # The finished picture is read first and sets the size of the others.
        finished_HW = finished_HW or (height, width)
        if abs(height / width * finished_HW[1] / finished_HW[0] - 1) > _ASPECT_TOLERANCE:
            raise UserError(
                f"{paths[index]} has another shape than {paths[last].name}, the last picture"
            )
        picture_HWC = video.shrink(picture_HWC, max_side)
        frames.append(pictures.resize(picture_HWC, *(frames or [picture_HWC])[0].shape[:2]))
    return np.stack(frames[::-1]), index_T.astype(np.float64), index_T, len(paths)


def _steps(folder: epath.Path) -> list[epath.Path]:
    steps = _Folder.list(folder).steps
    if not steps:
        raise UserError(f"{folder} holds no two pictures: a process needs at least two")
    return steps


def to_record(file: ProcessFile, *, max_frames: int, max_side: int) -> Process:
    """Reads a process into a record for training.

    A record's progress rises strictly from 0 to 1: that of a part of a process is rescaled, and of
    several frames at the same progress only the last is kept.

    Args:
      file: from `find`, with a medium of the registry.
      max_frames: as in `load`.
      max_side: as in `load`.

    Raises:
      UserError: as in `load`, or if all frames have the same progress.
    """
    loaded = load(file, max_frames=max_frames, max_side=max_side)
    progress_T = loaded.progress_T - loaded.progress_T[0]
    if progress_T[-1] == 0:
        raise UserError(f"{file.path} has all its frames at the same progress")
    progress_T = progress_T / progress_T[-1]
    kept_T = np.diff(progress_T, append=np.inf) > 0
    frames_THWC, progress_T = loaded.frames_THWC[kept_T], progress_T[kept_T]
    frames = tuple(pictures.encode(frame_HWC) for frame_HWC in frames_THWC)
    return Process(
        id=file.name,
        frames=frames,
        progress=progress_T,
        medium=file.medium,
        caption=file.caption,
        reference=frames[-1],
        segments=segmentation.segment(frames_THWC[-1]),
        source=file.name,
        licence=file.licence,
    )
