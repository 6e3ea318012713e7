"""Output folders: each painted process gets its own, and no file of the user is overwritten."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence

from painting_jax import media
from painting_jax.data.result_files import (
    ANIMATION,
    MOVIE,
    OUTLINE,
    OUTLINE_PDF,
    RECORD,
    REGIONS,
    SHEET,
    STEPS,
    TUTORIAL,
)
from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.generation.job import Job

# Files of an earlier result, which may be replaced. No other file may be.
_FILES = {RECORD, MOVIE, ANIMATION, SHEET, REGIONS, TUTORIAL, OUTLINE_PDF}
_OUTLINE = re.compile(re.escape(OUTLINE).replace(r"\{\}", r"(-[A-Z]+\d+)?"))
_OF_BROWSERS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # written by file browsers

_LONGEST = 255  # maximum bytes of a file name on nearly every file system


def jobs(given: Sequence[Subject], looks: Sequence[str], output: str | os.PathLike) -> list[Job]:
    """Jobs for every picture in every medium, each with its own folder.

    Args:
      given: Pictures to paint.
      looks: Media or mixtures.
      output: Folder for all results.

    Raises:
      UserError: If something other than an earlier result exists where a result would go.
    """
    made, taken = [], set()
    for subject in _with_own_origins(given):
        for medium in looks:
            name = _name(subject.name, medium, taken)
            taken.add(name)
            made.append(Job(subject, medium, pathlib.Path(output) / name))
    for job in made:
        _check_replaceable(job.folder)
    return made


def _with_own_origins(given: Sequence[Subject]) -> list[Subject]:
    """The pictures, numbered where several files of different folders have the same name.

    Results state the file's name alone, by which `evaluate` knows processes of the same picture.
    """
    count: collections.Counter[str] = collections.Counter()
    own = []
    for subject in given:
        count[subject.origin] += 1
        number = count[subject.origin]
        origin = subject.origin if number == 1 else f"{subject.origin} ({number})"
        own.append(dataclasses.replace(subject, origin=origin))
    return own


def _name(picture: str, medium: str, taken: set[str]) -> str:
    """A unique folder name that the file system accepts."""
    # A backslash separates folders on other systems.
    picture = picture.replace("\\", "_")
    parts = media.mixture(medium)
    look = "-" + "-".join(
        name if len(parts) == 1 else f"{name}{100 * weight:.0f}" for name, weight in parts.items()
    )
    while True:
        # The picture's name may fill the maximum length, so it is cut to make room for the medium.
        name = picture.encode()[: _LONGEST - len(look)].decode(errors="ignore") + look
        # Pictures with the same name from two folders get different names.
        if name not in taken:
            return name
        look += "+"


def _check_replaceable(folder: pathlib.Path) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise UserError(
            f"{folder} is a file where a result would go: move it, or name another --output"
        )
    names = _names(folder)
    if not names:
        return
    steps = folder / STEPS
    foreign = sorted(name for name in names - _FILES - {STEPS} if not _OUTLINE.fullmatch(name))
    if steps.is_dir():
        foreign += [f"{STEPS}/{name}" for name in sorted(_names(steps)) if not _is_step(name)]
    if foreign or RECORD not in names:
        what = f"holds {foreign[0]}" if foreign else f"has no {RECORD}"
        raise UserError(
            f"{folder} {what} and is no earlier result, which alone would be replaced: "
            "move it, or name another --output"
        )


def _names(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - _OF_BROWSERS


def _is_step(name: str) -> bool:
    return name.endswith(".png") and name.removesuffix(".png").isdecimal()
