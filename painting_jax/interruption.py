"""Ctrl-C and SIGTERM: one line instead of a traceback, never lost, deferred where work must end.

Ctrl-C sends SIGINT. SIGTERM is what Slurm, Kubernetes and preempted machines send before they kill.
A program that a signal stops ends with status 128 + its number, as shells report it: 130 for
Ctrl-C, 143 for SIGTERM. A second Ctrl-C ends the program at once.

This module is imported before all others and therefore uses the standard library only.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# Signals of one keystroke: a terminal, `timeout` and launchers may each send it, one after the
# other.
_ONE_PRESS = 0.25  # seconds
_REPEAT = 0.02  # seconds until a swallowed interruption is raised again

_left_to_others: set[int] = set()
_leaving = threading.RLock()


class Interrupted(KeyboardInterrupt):
    """Raised in the main thread by Ctrl-C or SIGTERM.

    Attributes:
      number: Number of the signal.
      raised_by: Record that raised it.
    """

    def __init__(self, number: int, raised_by: "Stop"):
        super().__init__()
        self.number = number
        self.raised_by = raised_by


def leave(number: int) -> NoReturn:
    """Ends the process at once, without the interpreter's shutdown.

    JAX compiles in a background thread that cannot be interrupted. A normal shutdown would wait for
    this thread, and then crash because the JAX client is already destroyed.

    Args:
      number: Number of the signal that ends it.
    """
    _leaving.acquire()  # Only one thread says it.
    # A progress bar has left the cursor in its line.
    line = "\n" * os.isatty(2) + _WORDS[signal.Signals(number)] + "\n"
    with contextlib.suppress(OSError):
        os.write(2, line.encode())
    os._exit(128 + number)


def end_at_once() -> None:
    """Lets signals end the program at once, with one line: for imports, which leave nothing behind.

    `guarded` takes over when they are done.
    """
    for number in _heeded():
        signal.signal(number, lambda number, frame: leave(number))


@contextlib.contextmanager
def guarded() -> Iterator["Stop"]:
    """Raises `Interrupted` in the block when a signal comes.

    The code that runs at that moment may swallow it: Python itself does so in destructors and in
    callbacks of the garbage collector, of which JAX has one. It is then raised again, and the
    report that Python prints is suppressed. Further signals are ignored while the block cleans up,
    except that a second Ctrl-C ends the process at once, even inside a long call of a library.
    """
    if not _heeded():
        yield Stop(at_once=True)
        return

    def report(swallowed) -> None:
        error = swallowed.exc_value
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            report_before(swallowed)
        elif isinstance(error, Interrupted):
            # Nothing can be raised here: the program is still in the code that swallowed it.
            error.raised_by.raised = False
            watcher.repeat(error.number)

    watcher = _Watcher()
    report_before, sys.unraisablehook = sys.unraisablehook, report
    try:
        with recorded() as stop:
            yield stop
    finally:
        sys.unraisablehook = report_before
        watcher.close()


class _Watcher:
    """A thread that ends the process at the second Ctrl-C, and repeats signals.

    Python runs handlers only between two instructions of the main thread, but writes each signal to
    a pipe at once. The thread reads this pipe.
    """

    def __init__(self):
        self._closed = False
        self._repeats = 0  # signals to come that nobody sent
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True).start()

    def repeat(self, number: int) -> None:
        """Sends a signal to the main thread a moment later."""

        def send() -> None:
            if not self._closed:
                self._repeats += 1
                # A signal, which also ends a long wait of the main thread.
                signal.pthread_kill(threading.main_thread().ident, number)

        timer = threading.Timer(_REPEAT, send)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        signal.set_wakeup_fd(self._before)
        os.close(self._write)  # The thread reads the end of the pipe.

    def _watch(self) -> None:
        first = None
        while number := os.read(self._read, 1):
            if number[0] not in _WORDS:
                continue
            if self._repeats:
                self._repeats -= 1
                continue
            now = time.monotonic()
            if first is None:
                first = now
            elif number[0] == signal.SIGINT and now - first > _ONE_PRESS:
                leave(signal.SIGINT)
        os.close(self._read)


class Stop:
    """Record of the signals that have come while a block runs.

    Attributes:
      came: Numbers of the signals, in order.
      at_once: Whether a signal raises `Interrupted`. Otherwise the block has to look at `came`
        itself, and only a second Ctrl-C raises.
      raised: Whether one has been raised and is on its way up.
    """

    def __init__(self, *, at_once: bool):
        self.came: list[int] = []
        self.at_once = at_once
        self.raised = False
        self._first = 0.0

    def record(self, number: int, frame: object) -> None:
        """Handles a signal."""
        now = time.monotonic()
        if not self.came:
            self._first = now
        self.came.append(number)
        again = number == signal.SIGINT and now - self._first > _ONE_PRESS
        # Another signal must not cut off the clean-up after the first one.
        if again or (self.at_once and not self.raised):
            self.raised = True
            raise Interrupted(number, self)

    def cut_short(self, work: Callable[[], object]) -> None:
        """Calls a function that a signal may end where it is; it is not called after a signal."""
        self.at_once = True
        try:
            if not self.came:
                work()
        except KeyboardInterrupt:
            if not self.came:
                raise
        finally:
            self.at_once = False


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Defers signals until the block has ended.

    It is for blocks that start work in other threads or wait for it. If such a block were
    interrupted, nothing would wait for that work.
    """
    with recorded(at_once=False):
        yield


@contextlib.contextmanager
def recorded(*, at_once: bool = True) -> Iterator[Stop]:
    """Records the signals that come in the block, and passes the first one on at its end.

    Args:
      at_once: Whether the first signal also raises `Interrupted` at once. What swallows it there
        does not lose it, since it stays recorded.
    """
    stop = Stop(at_once=at_once)
    before = {number: signal.signal(number, stop.record) for number in _heeded()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, Stop) and stop.raised:
                outer.came += stop.came
                outer.raised = True
            signal.signal(number, handler)
    if stop.came:
        pass_on(stop.came[0])


def pass_on(number: int) -> None:
    """Does what the signal would do now: as a rule, raises KeyboardInterrupt."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        signal.raise_signal(number)


def leave_to_others(number: int) -> None:
    """From now on, leaves a signal to the handler that a library has installed."""
    _left_to_others.add(number)


def _heeded() -> list[int]:
    """Signals that may be handled here. Shells start background jobs with Ctrl-C ignored."""
    if threading.current_thread() is not threading.main_thread():
        return []
    handlers: dict[int, Callable | int | None] = {n: signal.getsignal(n) for n in _WORDS}
    return [
        number
        for number, handler in handlers.items()
        # A handler that is no function of Python's, None, cannot be put back.
        if handler not in (signal.SIG_IGN, None) and number not in _left_to_others
    ]
