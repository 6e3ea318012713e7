"""This machine: each run is a process in this environment, with its output on this terminal."""

import asyncio
import atexit
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence

from xmanager import xm, xm_local
from xmanager.xm_local import execution

from launch.runs import Run

_MODULE = ["-m", "painting_jax.train"]


def command(run: Run) -> str:
    """The command of a run, for a shell."""
    return shlex.join([sys.executable, *_MODULE, *run.arguments])


async def launch(experiment: xm.Experiment, runs: Sequence[Run]) -> int:
    """Trains the runs one after the other, until one does not succeed.

    Args:
      experiment: XManager's record of them.
      runs: Runs to train.

    Returns:
      The exit status of the last one that was started.
    """
    status = 0
    # Hides XManager's own messages. The job still writes to the terminal.
    with contextlib.redirect_stdout(None):
        async with experiment:
            for run in runs:
                status = await _train(experiment, run)
                if status:
                    break
    return status


async def _train(experiment: xm.Experiment, run: Run) -> int:
    # XManager's own pipe would send error lines and the progress bar to standard output.
    executor = xm_local.Local(experimental_stream_output=False)
    binary = xm.Binary(path=sys.executable)
    [executable] = experiment.package(
        [xm.Packageable(binary, executor.Spec(), args=[*_MODULE, *run.arguments])]
    )
    unit = await experiment.add(xm.Job(executable, executor))
    [process] = [handle.process for handle in unit._local_execution_handles]
    # What a signal has stopped is not run again by XManager's wait at the end.
    unit._local_execution_handles.clear()
    _pass_signals_on(process.pid)
    await process.wait()
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
