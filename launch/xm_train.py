"""Trains through XManager, with the flags of painting_jax.train.

  python launch/xm_train.py --config=configs/demo.py --data_dir=DATA --workdir=RUN

Flags that begin with --xm_ are for XManager and this launcher. All other flags are passed to the
training job unchanged. --xm_executor=local (the default) trains in a process on this machine, in
this environment, with its output on this terminal. It needs no container and no account. Ctrl-C and
SIGTERM stop the training once its step is done and saved. Its exit status becomes this program's.
If the command is run again, training resumes from there.

XManager lists its experiments in ~/.xmanager; --xm_db_yaml_config_path sets another database.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import asyncio
import atexit
import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable

from absl import flags

from painting_jax import cli
from painting_jax.errors import UserError

try:
    import sqlalchemy
    from xmanager import xm, xm_local
    from xmanager.xm_local import execution
except ImportError:
    xm = None

_JOB = "painting_jax.train"
_HELP = ("--help", "-help", "-h")


def local(arguments: list[str]) -> "tuple[xm.Packageable, xm.Executor]":
    """The training as a program on this machine."""
    # XManager's own pipe would send error lines and the progress bar to standard output.
    executor = xm_local.Local(experimental_stream_output=False)
    binary = xm.Binary(path=sys.executable)
    return xm.Packageable(binary, executor.Spec(), args=["-m", _JOB, *arguments]), executor


# Functions from the arguments of the training to the packageable and the executor of its job. One
# for a cloud would return an xm.PythonContainer and, for example, an xm_local.Vertex.
EXECUTORS: "dict[str, Callable[[list[str]], tuple[xm.Packageable, xm.Executor]]]" = {"local": local}

_EXECUTOR = flags.DEFINE_enum("xm_executor", "local", list(EXECUTORS), "Where the training runs.")


async def launch(arguments: list[str], executor_name: str) -> int:
    """Trains as an experiment with one job.

    Args:
      arguments: Command-line arguments of the training.
      executor_name: A key of `EXECUTORS`.

    Returns:
      The exit status of the job.

    Raises:
      UserError: If XManager cannot write its list of experiments.
    """
    packageable, executor = EXECUTORS[executor_name](arguments)
    try:
        experiment = xm_local.create_experiment(experiment_title="painting_jax")
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise UserError(
            f"XManager cannot keep its list of experiments in {pathlib.Path.home() / '.xmanager'} "
            f"({reason}): make it writable or give --xm_db_yaml_config_path"
        ) from error
    # Hides XManager's own messages. The job still writes to the terminal.
    with contextlib.redirect_stdout(None):
        try:
            async with experiment:
                [executable] = experiment.package([packageable])
                unit = await experiment.add(xm.Job(executable, executor))
                [process] = [handle.process for handle in unit._local_execution_handles]
                _pass_signals_on(process.pid)
                await unit.wait_until_complete()
        except xm.ExperimentUnitFailedError:
            pass  # The job has printed the reason, and its exit status is returned.
        finally:
            atexit.unregister(execution._terminate_local_jobs)
    await _ended(process.pid)
    # Shells report a signal as 128 plus its number.
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pass_signals_on(group: int) -> None:
    """Forwards stop signals to the job's process group, which Ctrl-C does not reach."""

    def pass_on(number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, pass_on, number)


async def _ended(group: int) -> None:
    """Waits until all processes of a group have ended.

    The group is led by XManager's shell, which may end before the job: a training that is stopped
    first finishes the checkpoint that it is writing.
    """
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            await asyncio.sleep(0.1)


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into XManager's and this launcher's part, and the training's."""
    own: list[str] = []
    arguments: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, _ = word.lstrip("-").partition("=")
        if not (word.startswith("-") and name.startswith(("xm_", "noxm_"))):
            arguments.append(word)
            continue
        own.append(word)
        # As in --xm_executor local. A switch has no value.
        if not equals and name in flags.FLAGS and not flags.FLAGS[name].boolean:
            own += itertools.islice(words, 1)
    return own, arguments


def _run(argv: list[str]) -> None:
    own, arguments = _split(argv)
    if any(arg in _HELP for arg in arguments):
        print(f"{__doc__}\nThe training job:\n", flush=True)
        sys.exit(subprocess.call([sys.executable, "-m", _JOB, "--help"]))

    def main() -> None:
        if xm is None:
            raise UserError(
                "XManager is not installed: pip install -c constraints.txt -e '.[launch]', where "
                "the constraints spare pip a long search"
            )
        sys.exit(asyncio.run(launch(arguments, _EXECUTOR.value)))

    cli.run(main, [sys.argv[0], *own])


if __name__ == "__main__":
    _run(sys.argv[1:])
