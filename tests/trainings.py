"""Trainings as programs that are started many times over: each is a fork of a server.

Importing what a training needs takes seconds. A fork has its own devices, signals and status, and
ends as the interpreter does.
"""

import atexit
import dataclasses
import gc
import multiprocessing
import os
import pathlib
import runpy
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

import jax

from tests import compiler

_SECONDS = 300.0  # limit of a training, also on a busy machine
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["painting_jax.cli", "painting_jax.training.loop"])


@dataclasses.dataclass(frozen=True)
class Training:
    """A training that runs or has ended.

    Attributes:
      folder: Folder of its output.
      process: The fork.
    """

    folder: pathlib.Path
    process: multiprocessing.process.BaseProcess

    @property
    def out(self) -> str:
        """What it has printed."""
        return (self.folder / "out").read_text()

    @property
    def errors(self) -> str:
        """What it has printed on standard error."""
        return (self.folder / "err").read_text()

    def kill(self, number: int) -> None:
        """Sends it a signal."""
        os.kill(self.process.pid, number)

    def status(self, seconds: float = _SECONDS) -> int:
        """Waits for its end; minus the number of a signal that has killed it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"{self.folder} still ran after {seconds} s: {self.errors}")
        return self.process.exitcode


class Trainings:
    """Starts trainings of the same flags."""

    def __init__(self, folder: pathlib.Path, *flags: str):
        """Takes a folder for what they print, and their flags."""
        self._folder, self._flags, self._count = folder, flags, 0

    def start(self, *flags: str, devices: int = 1) -> Training:
        """Starts one with more flags, on so many fake devices."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        arguments = [*self._flags, *flags]
        process = _context.Process(target=_train, args=(arguments, str(folder), devices))
        process.start()
        return Training(folder, process)

    def start_together(self, *flags: str, count: int = 2, devices: int = 1) -> list[Training]:
        """Starts processes that train together."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        together = (f"--coordinator_address={address}", f"--process_count={count}")
        return [
            self.start(*flags, *together, f"--process_id={index}", devices=devices)
            for index in range(count)
        ]


def wait_until(moment: Callable[[], bool], of: Sequence[Training]) -> None:
    """Waits for a moment of trainings, all of which must still run then."""
    until = time.monotonic() + _SECONDS
    while not moment():
        for training in of:
            assert training.process.is_alive(), training.out + training.errors
        assert time.monotonic() < until
        time.sleep(0.005)


def _train(arguments: list[str], folder: str, devices: int) -> None:
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ["XLA_FLAGS"] = compiler.flags(devices)
    # Tracing makes millions of objects that stay, as tests.conftest says.
    gc.set_threshold(50_000, 20, 50)
    gc.freeze()
    # Even what compiles in an instant is compiled by each.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    sys.argv = ["train", *arguments]
    status = 0
    try:
        runpy.run_module("painting_jax.train", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    # What the interpreter does at its end, and forks of multiprocessing do not.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
