"""Ctrl-C, never lost, and at a moment that bears it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def remembered() -> Iterator[Callable[[], None]]:
    """Yields a function that raises KeyboardInterrupt once Ctrl-C was pressed in the block.

    It is raised at once, too, but whatever code it then strikes may swallow it: Python itself does
    where that is a destructor or a callback of a library, and is kept from reporting it.
    """
    if not _heeded():
        yield lambda: None
        return
    came = []

    def handle(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    def report(swallowed) -> None:
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            report_before(swallowed)

    before = signal.signal(signal.SIGINT, handle)
    report_before, sys.unraisablehook = sys.unraisablehook, report
    try:
        yield check
    finally:
        sys.unraisablehook = report_before
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds Ctrl-C back until the block has ended.

    For blocks that start work in other threads or wait for it: cut off in the middle, nobody would
    know that there is something to wait for.
    """
    if not _heeded():
        yield
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _heeded() -> bool:
    """Whether Ctrl-C interrupts this thread: jobs in the background are started deaf to it."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
