"""Parallel work on all CPU cores, with ordered results and a progress bar."""

import collections
import concurrent.futures.process
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tqdm

from painting_jax.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")

# Fewer tasks than this run in the calling process: starting a worker takes as long as a few tasks.
_TOO_FEW = 16
_PENDING = 4  # tasks for each worker that are handed out at a time
# Tasks are many small array operations. More threads in each worker would only slow them down.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def in_order(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    description: str,
    lost: Callable[[Task], Result] | None = None,
) -> Iterator[Result]:
    """Yields `function(task)` for each task, in the order of the tasks, with one worker per core.

    If there are only a few tasks, they run in this process. At most a few results per worker are
    pending at a time, so memory stays bounded however slowly the caller takes them. Workers end
    with this process, even if it is killed.

    Args:
      function: Function that can be pickled, as can its arguments and results.
      tasks: Arguments of the calls.
      description: Label of the progress bar, which is shown only on a terminal.
      lost: Makes the result of a task that ended its worker, as a file can that crashes its decoder
        or takes all memory.

    Raises:
      UserError: If a task ends its worker and `lost` is None.
    """
    with tqdm.tqdm(total=len(tasks), desc=description, disable=None) as bar:
        workers = min(len(os.sched_getaffinity(0)), len(tasks))
        results = (
            map(function, tasks)
            if workers < 2 or len(tasks) < _TOO_FEW
            else _by_workers(function, tasks, workers, description, lost)
        )
        for result in results:
            bar.update()
            yield result


def _by_workers(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    description: str,
    lost: Callable[[Task], Result] | None,
) -> Iterator[Result]:
    done, alone_until = 0, 0
    while done < len(tasks):
        is_alone = done < alone_until
        some = tasks[done:alone_until] if is_alone else tasks[done:]
        try:
            for result in _by_pool(function, some, 1 if is_alone else workers):
                yield result
                done += 1
        except concurrent.futures.process.BrokenProcessPool:
            if not is_alone:
                # All pending tasks are lost with a worker. One at a time, the guilty one shows.
                alone_until = done + _PENDING * workers
                continue
            if lost is None:
                raise UserError(
                    f"{description}: a worker ended without a result, perhaps for lack of memory"
                ) from None
            yield lost(tasks[done])
            done += 1


def _by_pool(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    # Spawn: forking a process that has started threads (FFmpeg's, JAX's) may deadlock.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_end_with_parent)
    pending: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
        with _environment(_ONE_THREAD), _signals_blocked():
            # Workers start at the first submissions and inherit the environment at that time.
            while len(pending) < min(_PENDING * workers, len(tasks)):
                pending.append(pool.submit(function, tasks[len(pending)]))
        for task in tasks[len(pending) :]:
            yield pending.popleft().result()
            pending.append(pool.submit(function, task))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Ends this worker when its parent ends; a killed parent cannot stop its workers itself."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Blocks Ctrl-C and SIGTERM, which reach all processes of a terminal or a job.

    Workers inherit this. They would print tracebacks, and they end with this process anyway.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
