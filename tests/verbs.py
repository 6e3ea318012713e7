"""Runs a verb as a program many times over, without importing it anew: see `tests.programs`."""

import os
import pathlib
import subprocess

from tests import tiny
from tests.programs import Programs


class Verb:
    """A verb, ready to be run."""

    def __init__(self, name: str, folder: pathlib.Path):
        """Takes the verb's module name and an empty folder for what its runs print."""
        self._name, self._folder = name, folder

    def __call__(
        self, *arguments: str | os.PathLike, file_limit: int | None = None
    ) -> subprocess.CompletedProcess:
        """Runs it; with `file_limit` no file can grow beyond so many bytes, as on a full disk."""
        out, err = self._folder / "out", self._folder / "err"
        program = ("-m", f"painting_jax.{self._name}", *map(str, arguments))
        status = Programs(tiny.ROOT).run(*program, out=out, err=err, file_limit=file_limit)
        return subprocess.CompletedProcess(program, status, out.read_text(), err.read_text())

    def refuses(
        self, *arguments: str | os.PathLike, said: str, file_limit: int | None = None
    ) -> None:
        """Asserts that a run ends as it does on a user's mistake, naming what is wrong."""
        tiny.assert_one_line(self(*arguments, file_limit=file_limit), said)
