"""Signals that stop a training, over all of its processes."""

import os
import signal
from collections.abc import Callable

import jax
from jax.experimental import multihost_utils

from painting_jax import interruption


def share() -> None:
    """Lets JAX tell all processes of a signal that one gets; to be called once they have joined.

    JAX has installed a handler of its own for SIGTERM then.
    """
    if jax.process_count() > 1:
        interruption.leave_to_others(signal.SIGTERM)


def asked(stop: interruption.Stop, step: int) -> bool:
    """Whether training stops after a step: the same one in all processes.

    Args:
      stop: Record of the signals that this process has got.
      step: Number of steps done.
    """
    if jax.process_count() == 1:
        return bool(stop.came)
    if stop.came:
        os.kill(os.getpid(), signal.SIGTERM)  # JAX knows of no Ctrl-C.
    agreed = multihost_utils.reached_preemption_sync_point(step)
    if agreed and not stop.came:
        stop.came.append(signal.SIGTERM)
    return agreed


def cut_short(stop: interruption.Stop, work: Callable[[], object]) -> None:
    """Calls a function that a signal may end where it is, unless all processes must call it."""
    if jax.process_count() == 1:
        stop.cut_short(work)
    else:
        work()


def leave_together() -> None:
    """Waits until all processes are about to end; those that are left would end with an error."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()
