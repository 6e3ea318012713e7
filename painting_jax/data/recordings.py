"""Real recordings of people painting: where they are, and from file to record."""

import codecs
import dataclasses
import glob
import hashlib
import json
import os

import numpy as np
from etils import epath

from painting_jax import media
from painting_jax.data import pictures, segmentation, splits, video
from painting_jax.data.building import Skipped
from painting_jax.data.process import Process
from painting_jax.errors import UserError, readable

# A recording's pictures may differ by the odd pixel, not in what they frame.
_ASPECT_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True)
class Recording:
    """One recorded painting process.

    Attributes:
      path: a video file or a folder of numbered pictures.
      name: for messages and ids; unique.
      medium: a name from `media.MEDIA`.
      caption: what is painted; may be empty.
      licence: of the recording.
      crop: (x0, y0, x1, y1) of the canvas, in pixels, or None for the whole frame.
      start: seconds, or the place in the sequence of pictures from 0; None is the beginning.
      end: the same, included; None is the end.
    """

    path: str
    name: str
    medium: str
    caption: str = ""
    licence: str = "not stated"
    crop: video.Box | None = None
    start: float | None = None
    end: float | None = None


def find(sources: tuple[str, ...], medium: str | None) -> tuple[list[Recording], list[Skipped]]:
    """The recordings that some paths stand for.

    A video file is a recording. So is a folder that holds numbered pictures; any other folder is
    searched for both, with its subfolders. A `.jsonl` file lists recordings: one JSON object a
    line with "path" (relative to the file) and optionally "medium", "caption", "licence", "crop",
    "start" and "end".

    Args:
      sources: the paths, or glob patterns.
      medium: of recordings for which nothing else is said.

    Returns:
      the recordings, and what was found beside them that is none.

    Raises:
      UserError: for a path that does not exist, a mistake in a manifest, or a recording without a
        medium.
    """
    found: list[Recording] = []
    skipped: list[Skipped] = []
    for root in (path for source in sources for path in _paths(source)):
        if root.suffix.lower() == ".jsonl":
            found += _manifest(root, medium)
        elif root.is_dir():
            _search(root, root, pictures.Way.to(root), medium or "", found, skipped)
        else:
            found.append(Recording(os.fspath(root), root.name, medium or ""))
    if not found and not skipped:
        raise UserError(f"{', '.join(sources)}: no recordings there (videos, numbered pictures)")
    for recording in found:
        if not recording.medium:
            raise UserError(
                f"{recording.name} has no medium: give --medium or name it in a manifest"
            )
    return _named_apart(found), skipped


def _paths(source: str) -> list[epath.Path]:
    """The path that is named, or those that a glob pattern stands for, in natural order."""
    if epath.Path(source).exists():
        return [epath.Path(source)]
    found = glob.glob(source, recursive=True)
    if not found:
        raise UserError(
            f"{source} does not exist: name videos, folders, a pattern or a .jsonl manifest"
        )
    return [epath.Path(path) for path in sorted(found, key=pictures.natural_order)]


def _search(
    folder: epath.Path,
    root: epath.Path,
    way: pictures.Way,
    medium: str,
    found: list[Recording],
    skipped: list[Skipped],
) -> None:
    numbered, others = [], []
    for path in sorted(folder.iterdir(), key=lambda path: pictures.natural_order(path.name)):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if (on := way.into(path)) is not None:
                _search(path, root, on, medium, found, skipped)
        elif path.suffix.lower() in video.SUFFIXES and not _still(path):
            found.append(Recording(os.fspath(path), _name(path, root), medium))
        elif path.suffix.lower() in pictures.SUFFIXES:
            (numbered if any(c.isdecimal() for c in path.stem) else others).append(path)
    if len(numbered) > 1:
        found.append(Recording(os.fspath(folder), _name(folder, root), medium))
    else:
        others += numbered
    skipped += [Skipped(_name(path, root), "a single picture is no process") for path in others]


def _still(path: epath.Path) -> bool:
    """Whether a .webp is a picture rather than an animation, as its header says."""
    if path.suffix.lower() != ".webp":
        return False
    with path.open("rb") as file:
        return b"ANIM" not in file.read(64)


def _name(path: epath.Path, root: epath.Path) -> str:
    return root.name if path == root else os.fspath(path.relative_to(root))


def _named_apart(recordings: list[Recording]) -> list[Recording]:
    """Numbers recordings of one name: several parts of a video, or files of several folders."""
    seen: dict[str, int] = {}
    apart = []
    for recording in recordings:
        name = readable(recording.name)
        count = seen[name] = seen.get(name, 0) + 1
        name = name if count == 1 else f"{name}#{count}"
        apart.append(dataclasses.replace(recording, name=name))
    return apart


def _manifest(path: epath.Path, medium: str | None) -> list[Recording]:
    recordings = []
    # Line breaks of other kinds (U+2028) may stand in a caption, and some editors put a mark first.
    lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            entry = json.loads(line.decode())
        except UnicodeDecodeError:
            raise UserError(f"{where} is not UTF-8: save the manifest as that") from None
        except json.JSONDecodeError as error:
            raise UserError(f"{where} is not JSON: {error}") from None
        except (ValueError, RecursionError):
            raise UserError(f"{where} has a number too long or brackets too deep") from None
        recordings.append(_entry(entry, where, path.parent, medium))
    if not recordings:
        raise UserError(f"{path} is empty: it needs one JSON object a line, with a path")
    return recordings


def _entry(entry: object, where: str, folder: epath.Path, medium: str | None) -> Recording:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise UserError(f'{where} needs an object with a path, as in {{"path": "cat.mp4"}}')
    if os.path.normpath(entry["path"]) == os.curdir:
        raise UserError(f"{where}: path {entry['path']!r} names no video and no folder of pictures")
    known = {field.name for field in dataclasses.fields(Recording)} - {"name"}
    for key in entry.keys() - known:
        raise UserError(f"{where} says {key!r}: known are {', '.join(sorted(known))}")
    for key in ("medium", "caption", "licence"):
        if not isinstance(entry.get(key, ""), str):
            raise UserError(f"{where}: {key} must be text")
        if readable(entry.get(key, "")) != entry.get(key, ""):
            raise UserError(f"{where}: {key} has half a letter in it (a lone surrogate)")
    chosen = entry.get("medium") or medium or ""
    if chosen and chosen not in media.MEDIA:
        raise UserError(f"{where}: unknown medium {chosen!r}: known are {', '.join(media.MEDIA)}")
    start, end = _number(entry, "start", where), _number(entry, "end", where)
    if start is not None and end is not None and start >= end:
        raise UserError(f"{where}: start {start:g} must lie before end {end:g}")
    crop = entry.get("crop")
    if crop is not None:
        whole = isinstance(crop, list) and len(crop) == 4 and all(type(c) is int for c in crop)
        if not whole or not (0 <= crop[0] < crop[2] and 0 <= crop[1] < crop[3]):
            raise UserError(f"{where}: crop must be [x0, y0, x1, y1] in pixels, not {crop}")
    return Recording(
        path=os.fspath(folder / entry["path"]),
        name=entry["path"],
        medium=chosen,
        caption=entry.get("caption", ""),
        licence=entry.get("licence", "not stated"),
        crop=tuple(crop) if crop else None,
        start=start,
        end=end,
    )


def _number(entry: dict, key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise UserError(f"{where}: {key} must be a number of seconds (or pictures), not {value!r}")
    return float(value)


def content_key(recording: Recording) -> str:
    """The content hash of what a recording was made from, whichever part of it is used.

    Raises:
      UserError: if there is nothing at its path.
    """
    path = epath.Path(recording.path)
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not path.is_dir():
        return splits.content_hash(path)
    hashes = [splits.content_hash(file) for file in _numbered(path)]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _numbered(folder: epath.Path) -> list[epath.Path]:
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in pictures.SUFFIXES
        and not file.name.startswith(".")
        and any(character.isdecimal() for character in file.stem)
    ]
    return sorted(files, key=lambda file: pictures.natural_order(file.name))


def to_process(recording: Recording, max_frames: int, max_side: int) -> Process:
    """Reads a recording, as streamed, into a record whose progress is its share of the time.

    Args:
      recording: what to read.
      max_frames: at most so many are kept, evenly spread.
      max_side: longer sides are scaled down to it.

    Raises:
      UserError: if it cannot be read or holds a single frame.
    """
    read = _read_folder if epath.Path(recording.path).is_dir() else _read_video
    frames_THWC, times_T = read(recording, max_frames, max_side)
    if len(frames_THWC) < 2:
        raise UserError(f"{recording.path} holds a single frame: a process needs two or more")
    progress_T = (times_T - times_T[0]) / (times_T[-1] - times_T[0])
    frames = tuple(pictures.encode(frame_HWC) for frame_HWC in frames_THWC)
    return Process(
        id=recording.name,
        frames=frames,
        progress=progress_T.astype(np.float32),
        medium=recording.medium,
        caption=recording.caption,
        reference=frames[-1],
        segments=segmentation.segment(frames_THWC[-1]),
        source=recording.name,
        licence=recording.licence,
    )


def _read_video(
    recording: Recording, max_frames: int, max_side: int
) -> tuple[np.ndarray, np.ndarray]:
    return video.read(
        recording.path,
        start=recording.start,
        end=recording.end,
        max_frames=max_frames,
        max_side=max_side,
        crop=recording.crop,
    )


def _read_folder(
    recording: Recording, max_frames: int, max_side: int
) -> tuple[np.ndarray, np.ndarray]:
    files = _numbered(epath.Path(recording.path))
    first = 0 if recording.start is None else int(recording.start)
    last = len(files) - 1 if recording.end is None else min(int(recording.end), len(files) - 1)
    if first > last:
        raise UserError(f"{recording.path} has {len(files)} pictures, none from {first} to {last}")
    chosen = [first + index for index in video.evenly(last - first + 1, max_frames)]
    frames = []
    for index in reversed(chosen):
        picture_HWC = pictures.load(files[index])
        if recording.crop is not None:
            picture_HWC = video.cut(picture_HWC, recording.crop, recording.name)
        picture_HWC = video.shrink(picture_HWC, max_side)
        # The finished picture comes first and sets the size of the others.
        frames.append(_sized_as(frames[0] if frames else picture_HWC, picture_HWC, files[index]))
    return np.stack(frames[::-1]), np.array(chosen, np.float64)


def _sized_as(finished_HWC: np.ndarray, picture_HWC: np.ndarray, name: epath.Path) -> np.ndarray:
    height, width = finished_HWC.shape[:2]
    aspect = (picture_HWC.shape[1] / picture_HWC.shape[0]) / (width / height)
    if abs(aspect - 1) > _ASPECT_TOLERANCE:
        raise UserError(f"{name} has another shape than the last picture of its sequence")
    return pictures.resize(picture_HWC, height, width)
