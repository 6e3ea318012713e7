"""Work spread over the machine's cores, in order, with a progress bar."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tqdm

Task = TypeVar("Task")
Result = TypeVar("Result")

# Starting a worker costs about as long as a few tasks.
_TOO_FEW = 16
# The tasks are many small array operations: threads inside of them only get into each other's way.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], description: str
) -> Iterator[Result]:
    """Yields `function(task)` for each task, in the order of the tasks, one worker a core.

    A few tasks are done in this process. At most a few results a worker wait to be taken, so
    memory stays bounded however slowly they are. Workers end when this process does, even killed.

    Args:
      function: importable by name, as are its arguments and results.
      tasks: all of them.
      description: stands before the progress bar, which shows on a terminal only.
    """
    with tqdm.tqdm(total=len(tasks), desc=description, disable=None) as bar:
        workers = min(len(os.sched_getaffinity(0)), len(tasks))
        results = (
            map(function, tasks)
            if workers < 2 or len(tasks) < _TOO_FEW
            else _by_workers(function, tasks, workers)
        )
        for result in results:
            bar.update()
            yield result


def _by_workers(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    # Forking a process that has started threads (FFmpeg's, JAX's) may deadlock: spawn.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_end_with_parent)
    pending: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
        with _environment(_ONE_THREAD):
            # Workers start at the first submissions and inherit the environment of that moment.
            while len(pending) < min(4 * workers, len(tasks)):
                pending.append(pool.submit(function, tasks[len(pending)]))
        for task in tasks[len(pending) :]:
            yield pending.popleft().result()
            pending.append(pool.submit(function, task))
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Lets a worker end with its parent, which cannot tell it so when it is killed itself."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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
