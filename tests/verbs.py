"""Runs a verb as a program many times over, importing it once: each run is a fork of a server.

Importing a verb takes seconds, and two verbs cannot live in one process, as their flags have the
same names. A fork parses its own flags, prints to its own files and ends with its own status.
"""

import importlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import traceback

from tests import garbage, tiny

_SECONDS = 120  # that a run may take

# What verbs import only where they need it, and every fork would import anew.
_LATE = {
    "painting_jax.generate": (
        "painting_jax.generation.from_run",
        "huggingface_hub.hf_api",
    ),
    "painting_jax.evaluate": ("painting_jax.generation.run",),
}


class Verb:
    """A verb, ready to be run; use it as a context."""

    def __init__(self, name: str, folder: pathlib.Path):
        """Takes the verb's module name and an empty folder for what its runs print."""
        self._folder = folder
        self._server = subprocess.Popen(
            # JAX warns of forks; these do not compute.
            [sys.executable, "-W", "ignore", "-m", "tests.verbs", f"painting_jax.{name}"],
            cwd=tiny.ROOT,
            env=tiny.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Verb":
        return self

    def __exit__(self, *_) -> None:
        self._server.communicate()

    def __call__(
        self, *arguments: str, file_limit: int | None = None
    ) -> subprocess.CompletedProcess:
        """Runs it; with `file_limit` no file can grow beyond so many bytes, as on a full disk."""
        out, err = self._folder / "out", self._folder / "err"
        request = [list(map(str, arguments)), str(out), str(err), file_limit]
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())

    def refuses(self, *arguments: str, said: str, file_limit: int | None = None) -> None:
        """Asserts that a run ends as it does on a user's mistake, naming what is wrong."""
        tiny.assert_one_line(self(*arguments, file_limit=file_limit), said)


def _serve(name: str) -> None:
    verb = importlib.import_module(name)
    for late in _LATE.get(name, ()):
        importlib.import_module(late)
    garbage.look_less()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = _run(verb, *json.loads(line))
            # The server's threads do not exist here: nothing of it can be torn down in order.
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(verb, arguments: list[str], out: str, err: str, file_limit: int | None) -> int:
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    sys.argv[1:] = arguments
    signal.alarm(_SECONDS)
    status = 0
    try:
        verb.cli.run(verb.main)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    _serve(sys.argv[1])
