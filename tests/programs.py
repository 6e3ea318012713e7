"""Runs modules and scripts as programs, importing what they share once: each is a fork of a server.

Unlike `tests.verbs`, one server runs any verb, as `python -m` does.
"""

import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import traceback

from tests import garbage, tiny

_SECONDS = 300  # limit of a program, also on a busy machine


class Programs:
    """A server of programs; use it as a context."""

    def __init__(self, folder: pathlib.Path, preloaded: tuple[str, ...]):
        """Starts the server.

        Args:
          folder: Working folder of the programs.
          preloaded: Modules that it imports once; they may not define flags.
        """
        self._server = subprocess.Popen(
            # JAX warns of forks; the server itself does not compute.
            [sys.executable, "-W", "ignore", "-m", "tests.programs", *preloaded],
            cwd=folder,
            env=tiny.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *_) -> None:
        self._server.communicate()

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Runs `python ARGUMENTS`, "-m" and a module or a script; status and all its output."""
        self._server.stdin.write(json.dumps(arguments) + "\n")
        self._server.stdin.flush()
        status, output = json.loads(self._server.stdout.readline())
        return status, output


def _serve(preloaded: list[str]) -> None:
    for name in preloaded:
        importlib.import_module(name)
    garbage.look_less()
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os.dup2(write, 1)
            os.dup2(write, 2)
            status = _run(json.loads(line))
            # The server's threads do not exist here: nothing of it can be torn down in order.
            os._exit(status)
        os.close(write)
        with open(read, errors="backslashreplace") as pipe:
            output = pipe.read()
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), output]), flush=True)


def _run(arguments: list[str]) -> int:
    signal.alarm(_SECONDS)
    status = 0
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    _serve(sys.argv[1:])
