"""A process that does tasks one at a time, and that can be stopped in the middle of one."""

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

# Tasks are many small array operations. More threads in each worker would only slow them down. An
# accelerator has no room for several processes: the first would take all its memory.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
_FUNCTION, _TASK = "function", "task"  # what is sent to a worker
# One at a time: workers inherit this process's environment.
_starting = threading.Lock()


class Ended(Exception):
    """Raised if a worker ended without a result."""


class OutOfTime(Exception):
    """Raised if a worker took too long for a task; it was killed."""


class Worker:
    """A process that is started with its first task, and started again when it has ended.

    It ends with this process, even if this is killed.
    """

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._function: Callable[[Any], Any] | None = None
        self._killed = False
        self._busy = threading.RLock()

    def do(self, function: Callable[[Any], Any], task: Any, seconds: float = 0) -> Any:
        """Returns `function(task)`.

        Args:
          function: Function that can be pickled, as can its argument and result.
          task: Its argument.
          seconds: Limit of its time, without that of the worker's start; 0 for none.

        Raises:
          Ended: If the worker ended, as it does when a decoder crashes or memory runs out.
          OutOfTime: If it took longer.
          Exception: What the function raised.
        """
        with self._busy:
            if self._process is None and not self._killed:
                self._start()
            try:
                # Perhaps while it was started, when there was nothing to kill.
                if self._killed:
                    raise Ended
                if function is not self._function:
                    # Importing its module takes seconds that are not the task's.
                    self._pipe.send((_FUNCTION, function))
                    raised, result = self._pipe.recv()
                    if raised:
                        raise result
                    self._function = function
                self._pipe.send((_TASK, task))
                if seconds and not self._pipe.poll(seconds):
                    raise OutOfTime
                raised, result = self._pipe.recv()
            except (EOFError, ConnectionError):
                self.stop()
                raise Ended from None
            except (Ended, OutOfTime):
                self.stop()
                raise
        if raised:
            raise result
        return result

    def kill(self) -> None:
        """Ends it for good, whatever it does: a thread that waits for its result gets `Ended`."""
        self._killed = True
        if (process := self._process) is not None:
            process.kill()

    def stop(self) -> None:
        """Ends it, once its task is done; the next task starts it again."""
        with self._busy:
            if self._process is not None:
                self._process.kill()
                self._process.join()
                self._pipe.close()
                self._process = self._function = None

    def _start(self) -> None:
        # Spawn: forking a process that has started threads (FFmpeg's, JAX's) may deadlock.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,))
        with _starting, _environment(_ENVIRONMENT), _signals_blocked():
            process.start()
        theirs.close()
        self._process = process
        # The interpreter waits for its children at its end, and this one waits for tasks.
        multiprocessing.util.Finalize(self, process.kill, exitpriority=1)


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    _end_with_parent()
    function: Callable[[Any], Any]
    # The other end is closed, or gone.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while pipe.poll(None):
            answer: tuple[bool, Any] = False, None
            try:
                what, value = pipe.recv()
                if what == _FUNCTION:
                    function = value
                else:
                    answer = False, function(value)
            except Exception as error:
                error.add_note(traceback.format_exc())
                answer = True, error
            try:
                pipe.send(answer)
            except (AttributeError, TypeError, pickle.PicklingError) as error:
                pipe.send((True, RuntimeError(f"the result cannot be sent: {error}")))


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
