"""Where each painted process goes: a folder of its own, in which nothing of the user's is lost."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

from painting_jax import media
from painting_jax.data.result_files import ANIMATION, MOVIE, RECORD, SHEET, STEPS
from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.generation.job import Job

# An earlier result may be replaced, anything else may not.
_FILES = {RECORD, MOVIE, ANIMATION, SHEET}
_OF_BROWSERS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # left wherever somebody looks

_LONGEST = 255  # bytes of a file's name, on nearly every file system


def jobs(given: Sequence[Subject], looks: Sequence[str], output: str | os.PathLike) -> list[Job]:
    """Every picture in every medium, each with a folder of its own.

    Args:
      given: the pictures.
      looks: media or mixtures.
      output: folder of all results.

    Raises:
      UserError: if something lies in the place of a result that is no earlier result.
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
    """A name that the file system takes and no other result has."""
    # A backslash, of an escape or the name's own, is a folder of its own elsewhere.
    picture = picture.replace("\\", "_")
    parts = media.mixture(medium)
    look = "-" + "-".join(
        name if len(parts) == 1 else f"{name}{100 * weight:.0f}" for name, weight in parts.items()
    )
    while True:
        # A picture's name may be as long as names can be, before the medium's is added.
        name = picture.encode()[: _LONGEST - len(look)].decode(errors="ignore") + look
        # Pictures of one name from two folders both keep their result.
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
    foreign = sorted(names - _FILES - {STEPS})
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
