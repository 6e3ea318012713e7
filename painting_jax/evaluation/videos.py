"""Painting processes as any method leaves them on disk: videos, folders of numbered pictures."""

import collections
import dataclasses
import json
import math
import os
import pathlib
import unicodedata
from collections.abc import Iterator

import numpy as np
from PIL import Image

from painting_jax.data import pictures, video
from painting_jax.data.pictures import Way
from painting_jax.data.result_files import MOVIE, RECORD, STEPS
from painting_jax.errors import UserError, readable
from painting_jax.evaluation.measures import PAINTED, REVERSED


@dataclasses.dataclass(frozen=True)
class Video:
    """One painting process, in the order it was painted.

    Attributes:
      name: what pairs it with a process of another set.
      frames_THWC: uint8 RGB, T >= 2.
      progress_T: float32, share of the painting time, rising from 0 to 1.
      medium: a name from the registry, those of a mixture joined by " + ", or "" where it is not
        known.
      order: how the file had it: `PAINTED`, or `REVERSED`, and then it was turned round.
      stated: whether its progress is stated, and so its order known.
      cut: the share of the picture that was cropped away to compare it with another.
      picture: what tells which picture is painted, "" where it is not known; its processes in
        several media share it.

    Raises:
      UserError: for frames of another type, or a progress that is not finite.
    """

    name: str
    frames_THWC: np.ndarray
    progress_T: np.ndarray
    medium: str = ""
    order: str = PAINTED
    stated: bool = False
    cut: float = 0.0
    picture: str = ""

    def __post_init__(self):
        if self.frames_THWC.dtype != np.uint8:
            raise UserError(
                f"{self.name} has frames of {self.frames_THWC.dtype} where uint8 is measured: "
                "round them first, and see that none is NaN"
            )
        if not np.isfinite(self.progress_T).all():
            raise UserError(f"{self.name} has a progress that is no number")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where one process lies: a video file, or a folder of numbered pictures.

    Attributes:
      name: the file's name without its suffix, or the folder's, with the folders above it.
      path: of the video file or of the folder that holds the pictures.
      record: the JSON that tells its picture, medium and progress, if there is one: the
        `process.json` in its folder, or beside cat.mp4 a cat.json.
    """

    name: str
    path: pathlib.Path
    record: pathlib.Path | None = None


def find(folder: str | os.PathLike) -> list[Source]:
    """The processes below a folder, in natural order of their names.

    A process is a video file, a folder with a `process.json` (its `steps`, its `process.mp4` or its
    own pictures), or a folder that holds nothing but pictures. Pictures that lie beside videos are
    not processes.

    Raises:
      UserError: if the folder is missing, is a file, or holds no process.
    """
    root = pathlib.Path(folder)
    if not root.exists():
        raise UserError(f"{root} does not exist: name a folder of videos or numbered pictures")
    if not root.is_dir():
        raise UserError(f"{root} is a file: name the folder that holds the videos")
    found = list(_within(root, root, Way.to(root)))
    if not found:
        raise UserError(
            f"{root} holds no videos ({', '.join(video.SUFFIXES)}) and no folders of pictures"
        )
    count = collections.Counter(source.name for source in found)
    # cat.mp4 and cat.gif are two processes: where names collide, the suffix tells them apart.
    found = [
        dataclasses.replace(source, name=source.name + source.path.suffix)
        if count[source.name] > 1
        else source
        for source in found
    ]
    return sorted(found, key=lambda source: pictures.natural_order(source.name))


def _within(folder: pathlib.Path, root: pathlib.Path, way: Way) -> Iterator[Source]:
    def name(path: pathlib.Path) -> str:
        own = path.relative_to(root).as_posix() if path != root else path.resolve().name
        # Of two ways to write an accent, one: names are compared.
        return unicodedata.normalize("NFC", readable(own))

    record = folder / RECORD
    if record.is_file():
        steps, movie = folder / STEPS, folder / MOVIE
        path = steps if steps.is_dir() else movie if movie.is_file() else folder
        yield Source(name(folder), path, record)
        return
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in inside if path.is_dir()]
    files = [path for path in inside if path.is_file()]
    stills = [path for path in files if path.suffix.lower() in pictures.SUFFIXES]
    videos = [path for path in files if path.suffix.lower() in video.SUFFIXES]
    # A still webp is a picture; among numbered pictures it is one of them.
    moving = any(path.suffix.lower() != ".webp" or _moves(path) for path in videos)
    if stills and not folders and not moving:
        yield Source(name(folder), folder)
        return
    for path in folders:
        if (on := way.into(path)) is not None:
            yield from _within(path, root, on)
    for path in videos:
        told = path.with_suffix(".json")
        yield Source(name(path.with_suffix("")), path, told if told.is_file() else None)


def _moves(path: pathlib.Path) -> bool:
    """Whether a webp is an animation."""
    try:
        with Image.open(path, formats=("WEBP",)) as image:
            return getattr(image, "is_animated", False)
    except (OSError, ValueError, SyntaxError):
        return False


def load(source: Source, *, frames: int, size: int) -> Video:
    """Reads a process.

    Args:
      source: from `find`.
      frames: at most so many, evenly spread, the first and the last among them.
      size: a longer side with more pixels is scaled down to this.

    Raises:
      UserError: if it cannot be read, has fewer than two frames, its pictures differ in shape, or
        the progress that is stated is not that of its frames.
    """
    record = {} if source.record is None else _record(source.record)
    stated = record.get("progress")
    if source.path.is_dir():
        paths = _numbered(source.path)
        frames_THWC, when_T = _pictures(paths, frames, size)
        when_N = range(len(paths))
    else:
        frames_THWC, when_T = video.read(source.path, max_frames=frames, max_side=size)
        when_N = () if stated is None else video.times(source.path)
    if len(frames_THWC) < 2:
        raise UserError(f"{source.path} has one frame: a process needs at least two")
    order = PAINTED
    if stated is None:
        progress_T = (when_T - when_T[0]) / max(when_T[-1] - when_T[0], 1e-9)
    else:
        progress_T = _stated(stated, source, np.searchsorted(when_N, when_T - 1e-6), len(when_N))
        if progress_T[-1] < progress_T[0]:
            frames_THWC, progress_T, order = frames_THWC[::-1], progress_T[::-1], REVERSED
    return Video(
        source.name,
        np.ascontiguousarray(frames_THWC),
        progress_T.astype(np.float32),
        _medium(record, source),
        order,
        stated is not None,
        picture=_picture(record, source),
    )


def _numbered(folder: pathlib.Path) -> list[pathlib.Path]:
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in pictures.SUFFIXES and not path.name.startswith(".")
    ]
    if not paths:
        raise UserError(f"{folder} holds no pictures")
    return sorted(paths, key=lambda path: pictures.natural_order(path.name))


def _pictures(paths: list[pathlib.Path], frames: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many of them, and which."""
    chosen = video.evenly(len(paths), frames)
    loaded = [video.shrink(pictures.load(paths[i]), size) for i in chosen]
    height, width = loaded[-1].shape[:2]
    for i, picture in zip(chosen, loaded, strict=True):
        # A pixel of rounding is no other shape: scans and exports differ by that.
        if abs(picture.shape[0] / picture.shape[1] * width / height - 1) > 0.02:
            raise UserError(
                f"{paths[i].parent}: {paths[i].name} has another shape than {paths[-1].name}"
            )
    frames_THWC = np.stack([pictures.resize(picture, height, width) for picture in loaded])
    return frames_THWC, np.asarray(chosen)


def _record(path: pathlib.Path) -> dict:
    try:
        record = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(record, dict):
        raise UserError(f'{path} is no record of a process: write {{"medium": "oil", ...}}')
    return record


def _stated(progress: object, source: Source, at_T: np.ndarray, count: int) -> np.ndarray:
    """The progress of some of the frames as a record states it: float64[T], rising or falling."""
    numbers = isinstance(progress, list) and all(type(x) in (int, float) for x in progress)
    try:
        progress_N = np.asarray(progress if numbers else [math.nan], np.float64)
    except OverflowError:
        progress_N = np.full(1, np.nan)
    steps = np.diff(progress_N)
    monotone = len(steps) and (np.all(steps >= 0) or np.all(steps <= 0)) and np.any(steps)
    if not (monotone and progress_N.min() >= 0 and progress_N.max() <= 1):
        raise UserError(
            f'{source.record}: "progress" has to be a list of numbers that rise within 0 to 1, one '
            "a frame; without it a video's times are taken, and pictures to be evenly spread"
        )
    # Some containers (gif) count a frame at the end that no decoder gives: it may have none.
    if not at_T[-1] < len(progress_N) <= count:
        raise UserError(
            f"{source.record} states the progress of {len(progress_N)} frames, {source.path} has "
            f"{count}: state one a frame"
        )
    return progress_N[at_T]


def _medium(record: dict, source: Source) -> str:
    """The name of a medium as the registry writes it, or those of a mixture joined."""
    stated = record.get("medium") or ""
    if not isinstance(stated, str | dict):
        raise UserError(f'{source.record}: "medium" has to be a name, or names with their weights')
    names = [stated] if isinstance(stated, str) else list(stated)
    names = [part for name in names for part in readable(name).lower().split("+")]
    return " + ".join("_".join(name.split()) for name in names)


def _picture(record: dict, source: Source) -> str:
    """The picture that is stated, else the one that `generate` was given."""
    stated = record.get("picture", record.get("image")) or ""
    if not isinstance(stated, str):
        raise UserError(f'{source.record}: "picture" has to be a text: what its videos share')
    return readable(stated)


_LONG_SIDES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
_ASPECTS = (1.0, 7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 1 / 4)


def common_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """The shape at which a video is compared, near its own and one of few.

    Every new shape costs a compilation, so sides and aspects are rounded to a short list. The
    longer side is the largest listed one that neither the video nor `size` falls short of, but at
    least 64.
    """
    at_most = min(max(height, width), size)
    long = max((side for side in _LONG_SIDES if side <= at_most), default=_LONG_SIDES[0])
    aspect = min(height, width) / max(height, width)
    shorts = [round(long * listed / 16) * 16 for listed in _ASPECTS]
    short = min(shorts, key=lambda listed: abs(np.log(listed / long / aspect)))
    return (short, long) if height <= width else (long, short)


def fit(frames_THWC: np.ndarray, shape_HW: tuple[int, int]) -> np.ndarray:
    """Frames cropped around their centre to an aspect and resized to it: uint8[T, H, W, C]."""
    return np.stack([pictures.fit(frame_HWC, *shape_HW) for frame_HWC in frames_THWC])
