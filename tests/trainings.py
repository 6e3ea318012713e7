"""Trainings as programs that are started many times over."""

import os
import pathlib
import runpy
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tests import forks
from tests.forks import Fork

_SECONDS = 300.0  # until a moment has come, also on a busy machine


class Trainings:
    """Starts trainings of the same flags."""

    def __init__(
        self, folder: pathlib.Path, *flags: str, environment: Mapping[str, str] | None = None
    ):
        """Takes a folder for what they print, their flags, and additions to their environment."""
        self._folder, self._flags, self._count = folder, flags, 0
        self._environment = dict(environment or {})

    def start(self, *flags: str, devices: int = 1) -> Fork:
        """Starts one with more flags, on so many fake devices."""
        self._count += 1
        folder = self._folder / str(self._count)
        given = (self._environment, *self._flags, *flags)
        return forks.start(_train, *given, folder=folder, devices=devices)

    def start_together(self, *flags: str, count: int = 2) -> list[Fork]:
        """Starts processes that train together."""
        together = (f"--coordinator_address={forks.free_address()}", f"--process_count={count}")
        return [self.start(*flags, *together, f"--process_id={index}") for index in range(count)]


def wait_until(moment: Callable[[], bool], of: Sequence[Fork]) -> None:
    """Waits for a moment of trainings, all of which must still run then."""
    until = time.monotonic() + _SECONDS
    while not moment():
        for training in of:
            assert training.process.is_alive(), training.out + training.errors
        assert time.monotonic() < until
        time.sleep(0.005)


def _train(environment: dict[str, str], *flags: str) -> None:
    os.environ.update(environment)
    sys.argv = ["train", *flags]
    runpy.run_module("painting_jax.train", run_name="__main__", alter_sys=True)
