"""Reads hostile files in a process of its own, which may crash, hang or take all memory."""

import faulthandler
import multiprocessing
import os
import pathlib
import resource
import signal
import tempfile
from multiprocessing.connection import Connection

from soak.hostile import cases, reading
from soak.hostile.reading import Outcome

SECONDS = 60  # for one case
MEBIBYTES = 1500  # of memory in use
_ADDRESSES = 24 << 30  # bytes; beyond, there is no memory to be had


class Guard:
    """A process that reads cases one after the other, and is replaced when one ends it."""

    def __enter__(self) -> "Guard":
        self._context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._process = None
        return self

    def __exit__(self, *_) -> None:
        self._stop()
        self._folder.cleanup()

    def outcome(self, seed: int, number: int, *, cleans: bool = False) -> Outcome:
        """Reads a case. A crash, a hang and a blow-up of memory are faults like others."""
        if self._process is None:
            self._start()
        self._connection.send((seed, number, cleans))
        if not self._connection.poll(SECONDS):
            stack = self._stack()
            self._stop()
            return Outcome(faults=[f"takes more than {SECONDS} s\n{stack}"], seconds=SECONDS)
        try:
            outcome = self._connection.recv()
        except EOFError:
            self._process.join()
            fault = f"ended its process with {self._process.exitcode}\n{self._stack()}"
            self._stop()
            return Outcome(faults=[fault])
        if outcome.mebibytes > MEBIBYTES:
            outcome.faults.append(f"takes {outcome.mebibytes} MiB of memory")
            self._stop()
        return outcome

    def _start(self) -> None:
        self._said = pathlib.Path(self._folder.name) / "said"
        self._connection, other = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(other, self._said), daemon=True)
        self._process.start()
        other.close()
        self._connection.recv()

    def _stack(self) -> str:
        """Where the process is, or was when it crashed."""
        if self._process.is_alive():
            os.kill(self._process.pid, signal.SIGABRT)
            self._process.join()
        return self._said.read_text(errors="replace").partition("Extension")[0]

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


def _serve(connection: Connection, said: pathlib.Path) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    with said.open("w") as errors:
        faulthandler.enable(errors)
        connection.send(None)
        while True:
            seed, number, cleans = connection.recv()
            with tempfile.TemporaryDirectory() as folder:
                case = cases.drawn(seed, number)
                connection.send(reading.read(case, pathlib.Path(folder), cleans=cleans))
