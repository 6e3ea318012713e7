"""Functions that run as programs: each call is a fork of a server that has imported the package.

Importing what a training needs takes seconds. A fork has its own devices, output, signals and
status, and ends as the interpreter does.
"""

import atexit
import dataclasses
import multiprocessing
import os
import pathlib
import socket
import sys
import threading
import traceback
from collections.abc import Callable

import jax

from tests import compiler, garbage

_SECONDS = 300.0  # limit of a fork, also on a busy machine
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["painting_jax.cli", "painting_jax.training.loop"])


@dataclasses.dataclass(frozen=True)
class Fork:
    """A fork that runs or has ended.

    Attributes:
      folder: Folder of its output.
      process: Its process.
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


def start(
    function: Callable[..., None], *arguments, folder: pathlib.Path, devices: int = 1
) -> Fork:
    """Calls a function of a module in a fork.

    Args:
      function: Function. If it raises SystemExit, this is the fork's status.
      *arguments: Its arguments.
      folder: New folder for its output.
      devices: Number of fake devices.
    """
    folder.mkdir()
    process = _context.Process(target=_run, args=(function, arguments, str(folder), devices))
    process.start()
    return Fork(folder, process)


def free_address() -> str:
    """HOST:PORT on this machine, where processes can meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _run(function: Callable[..., None], arguments: tuple, folder: str, devices: int) -> None:
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ["XLA_FLAGS"] = compiler.flags(devices)
    garbage.look_less()
    # Even what compiles in an instant is compiled by each.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    status = 0
    try:
        function(*arguments)
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
