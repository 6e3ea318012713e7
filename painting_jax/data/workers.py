"""Parallel work on all CPU cores, with ordered results and a progress bar."""

import collections
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tqdm

from painting_jax.data.worker import Ended, OutOfTime, Worker
from painting_jax.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")

# Makes the result of a task that has none, from the task and the reason.
Lost = Callable[[Task, str], Result]

# Fewer tasks than this run in the calling process: starting a worker takes as long as a few tasks.
_TOO_FEW = 16
_PENDING = 4  # tasks for each worker that are handed out at a time
CRASHED = "its decoder crashed, or took more memory than there is"


def result_of(
    task: Task,
    first: Callable[[Task], Result],
    again: Callable[[Task], Result],
    lost: Lost,
    seconds: float,
) -> Result:
    """The result of a task that a worker does, or what `lost` makes if it has none.

    Args:
      task: The task.
      first: Gives it to a worker.
      again: Gives it to one once more, if the first ended: perhaps for lack of memory, which others
        took.
      lost: Makes the result of a task that ended both, or took too long, from it and the reason.
      seconds: The limit of its time.
    """
    try:
        try:
            return first(task)
        except Ended:
            return again(task)
    except Ended:
        return lost(task, CRASHED)
    except OutOfTime:
        return lost(task, f"it took more than {seconds:g} seconds: --item_timeout gives it longer")


def in_order(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    description: str,
    lost: Lost | None = None,
) -> Iterator[Result]:
    """Yields `function(task)` for each task, in their order, as `Crew.in_order` of a new crew."""
    with Crew() as crew:
        yield from crew.in_order(function, tasks, description, lost)


class Crew:
    """Worker processes, one per core, that stay for several rounds of tasks; use it as a context.

    Workers end with this process, even if it is killed.

    Args:
      seconds: Limit of the time of a task; 0 for none. A worker that takes longer is killed.
    """

    def __init__(self, seconds: float = 0):
        self._seconds = seconds
        self._workers: list[Worker] = []

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_) -> None:
        for worker in self._workers:
            worker.stop()

    def workers_for(self, count: int) -> int:
        """How many workers do so many tasks; 0 if they are done in this process."""
        most = min(len(os.sched_getaffinity(0)), count)
        return most if self._seconds or (most > 1 and count >= _TOO_FEW) else 0

    def in_order(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        description: str,
        lost: Lost | None = None,
        most: int | None = None,
    ) -> Iterator[Result]:
        """Yields `function(task)` for each task, in the order of the tasks.

        If there are only a few tasks and no limit of their time, they run in this process. At most
        a few results per worker are pending at a time, so memory stays bounded however slowly the
        caller takes them.

        Args:
          function: Function that can be pickled, as can its arguments and results.
          tasks: Arguments of the calls.
          description: Label of the progress bar, which is shown only on a terminal.
          lost: Makes the result of a task that ended its worker, as a file can that crashes its
            decoder or takes all memory, or that took too long.
          most: Number of workers, at most; None for one per core.

        Raises:
          UserError: If a task ends its worker or takes too long, and `lost` is None.
        """
        with tqdm.tqdm(total=len(tasks), desc=description, disable=None) as bar:
            count = self.workers_for(len(tasks))
            if count:
                count = min(count, most or count)
                results = self._by_workers(function, tasks, count, description, lost)
            else:
                results = map(function, tasks)
            for result in results:
                bar.update()
                yield result

    def _by_workers(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        count: int,
        description: str,
        lost: Lost | None,
    ) -> Iterator[Result]:
        self._workers += [Worker() for _ in range(count - len(self._workers))]
        room = _Room()
        idle = collections.deque(self._workers[:count])

        def attempt(task: Task) -> Result:
            # There are as many workers as threads.
            worker = idle.pop()
            try:
                return worker.do(function, task, self._seconds)
            finally:
                idle.append(worker)

        def first(task: Task) -> Result:
            with room.shared():
                return attempt(task)

        def again(task: Task) -> Result:
            with room.alone():
                return attempt(task)

        def without(task: Task, reason: str) -> Result:
            if lost is None:
                raise UserError(f"{description}: a worker ended without a result: {reason}")
            return lost(task, reason)

        def done(task: Task) -> Result:
            return result_of(task, first, again, without, self._seconds)

        pending: collections.deque[concurrent.futures.Future] = collections.deque()
        threads = concurrent.futures.ThreadPoolExecutor(count)
        try:
            for task in tasks:
                pending.append(threads.submit(done, task))
                if len(pending) >= _PENDING * count:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            # Nobody waits for the results any more.
            left, self._workers = self._workers, []
            for worker in left:
                worker.kill()
            threads.shutdown(cancel_futures=True)
            for worker in left:
                worker.stop()
            raise
        threads.shutdown()


class _Room:
    """Work of several threads that shares the machine, or has it alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = self._alone = 0  # inside, and inside or waiting to be there alone

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        yield from self._until_left()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._alone += 1
            self._changed.wait_for(lambda: not self._inside)
            self._inside += 1
        yield from self._until_left(1)

    def _until_left(self, alone: int = 0) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._alone -= alone
                self._changed.notify_all()
