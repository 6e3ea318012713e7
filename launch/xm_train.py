"""Trains through XManager, with the flags of painting_jax.train.

  python launch/xm_train.py --config=configs/demo.py --data_dir=DATA --workdir=RUN

Flags that begin with --xm_ are XManager's and this launcher's; every other one goes to the training
job unchanged. --xm_executor=local (the default) trains in a process of this machine, in this
environment, with its output on this terminal: no container, no account. Ctrl-C stops it, its exit
status becomes this program's, and started again it goes on from the last checkpoint.

XManager lists its experiments in ~/.xmanager; --xm_db_yaml_config_path names another database.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import asyncio
import atexit
import contextlib
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
    """The training as a program of this machine."""
    # Not through XManager's own pipe, which would make error lines and the progress bar output.
    executor = xm_local.Local(experimental_stream_output=False)
    binary = xm.Binary(path=sys.executable)
    return xm.Packageable(binary, executor.Spec(), args=["-m", _JOB, *arguments]), executor


# Where a job runs: a function from the arguments of the training to what XManager packs and the
# executor that it goes to. One for a cloud gives an xm.PythonContainer and, say, xm_local.Vertex.
EXECUTORS: "dict[str, Callable[[list[str]], tuple[xm.Packageable, xm.Executor]]]" = {"local": local}

_EXECUTOR = flags.DEFINE_enum("xm_executor", "local", list(EXECUTORS), "Where the training runs.")


async def launch(arguments: list[str], executor_name: str) -> int:
    """Trains as an experiment of one job.

    Args:
      arguments: of the training, as on its command line.
      executor_name: key of `EXECUTORS`.

    Returns:
      The exit status of the job.

    Raises:
      UserError: if XManager cannot keep its list of experiments.
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
    # What XManager prints is about jobs in general; the job itself keeps the terminal.
    with contextlib.redirect_stdout(None):
        try:
            async with experiment:
                [executable] = experiment.package([packageable])
                unit = await experiment.add(xm.Job(executable, executor))
                [process] = [handle.process for handle in unit._local_execution_handles]
                _pass_signals_on(process.pid)
                await unit.wait_until_complete()
        except xm.ExperimentUnitFailedError:
            pass  # The job has said why, and its exit status tells it on.
        finally:
            atexit.unregister(execution._terminate_local_jobs)
    await _ended(process.pid)
    # Killed by a signal, as a shell would tell it.
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pass_signals_on(group: int) -> None:
    """Lets what would stop this program stop a job, whose group no terminal's Ctrl-C reaches."""

    def pass_on(number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, pass_on, number)


async def _ended(group: int) -> None:
    """Waits for a whole process group: XManager's is led by a shell, which may end before the job.

    A training that is stopped first finishes the checkpoint that it is writing.
    """
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            await asyncio.sleep(0.1)


def _run(argv: list[str]) -> None:
    own = [arg for arg in argv if arg.startswith(("--xm_", "--noxm_"))]
    arguments = [arg for arg in argv if arg not in own]
    if any(arg in _HELP for arg in arguments):
        print(f"{__doc__}\nThe training job:\n", flush=True)
        sys.exit(subprocess.call([sys.executable, "-m", _JOB, "--help"]))

    def main() -> None:
        if xm is None:
            raise UserError("XManager is not installed: pip install 'painting_jax[launch]'")
        sys.exit(asyncio.run(launch(arguments, _EXECUTOR.value)))

    cli.run(main, [sys.argv[0], *own])


if __name__ == "__main__":
    _run(sys.argv[1:])
