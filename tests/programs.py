"""Runs modules and scripts as programs, importing what they share once: each is a fork of a server.

Importing a verb takes seconds, and two verbs cannot live in one process, as their flags have the
same names. There is one server for all tests of a process. A fork has its own folder, environment
and output, parses its own flags and ends with its own status.
"""

import ast
import atexit
import contextlib
import dataclasses
import functools
import importlib
import json
import os
import pathlib
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping

from tests import garbage, tiny

_SECONDS = 300  # limit of a program, also on a busy machine

# What programs import only where they need it, without flags of its own.
_LATE = (
    "huggingface_hub.hf_api",
    "launch.schemas",
    "launch.slices",
    "painting_jax.config",
    "painting_jax.evaluation.run_source",
    "painting_jax.generation.from_run",
    "painting_jax.tasks.exports",
)


@dataclasses.dataclass(frozen=True)
class Programs:
    """Programs of this tree.

    Attributes:
      folder: Working folder of the programs.
      environment: Additions to their environment.
    """

    folder: pathlib.Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Runs `python ARGUMENTS`, "-m" and a module or a script; status and all its output."""
        with tempfile.TemporaryDirectory() as printed:
            output = pathlib.Path(printed, "output")
            status = self.run(*arguments, out=output, err=output)
            return status, output.read_text(errors="backslashreplace")

    def run(
        self,
        *arguments: str,
        out: pathlib.Path,
        err: pathlib.Path,
        file_limit: int | None = None,
    ) -> int:
        """Runs such a program with its output in files.

        Args:
          *arguments: "-m" and a module or a script, and its arguments.
          out: File of its standard output.
          err: File of its standard error; it may be the same.
          file_limit: Bytes that no file can grow beyond, as on a full disk.

        Returns:
          Its status.
        """
        environment = tiny.environment(**self.environment)
        request = [list(arguments), str(self.folder), environment, str(out), str(err), file_limit]
        server = _server()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())


@functools.cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.programs"],
        cwd=tiny.ROOT,
        # What must be known when modules are imported: no test asks the hub.
        env=tiny.environment(HF_HUB_OFFLINE="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def _imported_by(program: pathlib.Path) -> Iterator[str]:
    """Names of the modules that a file imports at its start, and of some that are none."""
    for node in ast.parse(program.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _serve() -> None:
    # Verbs define flags: they are not imported, but what they import is.
    files = sorted((tiny.ROOT / "painting_jax").glob("*.py"))
    verbs = [file for file in files if "    cli.run(main" in file.read_text()]
    names = {name for verb in verbs for name in _imported_by(verb)} | set(_LATE)
    for name in sorted(names - {f"painting_jax.{verb.stem}" for verb in verbs}):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    garbage.look_less()
    for line in sys.stdin:
        # JAX warns of forks; this process does not compute.
        with warnings.catch_warnings(action="ignore"):
            child = os.fork()
        if child == 0:
            status = _run(*json.loads(line))
            # The server's threads do not exist here: nothing of it can be torn down in order.
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    out: str,
    err: str,
    file_limit: int | None,
) -> int:
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(1 if err == out else os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    if file_limit is not None:
        # What JAX could not keep for the next process is no news of the verb's.
        sys.modules["jax"].config.update("jax_enable_compilation_cache", False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
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
    _serve()
