"""Handling of Ctrl-C: it is never lost, and can be deferred to the end of a block."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def remembered() -> Iterator[Callable[[], None]]:
    """Yields a function that raises KeyboardInterrupt if Ctrl-C was pressed in the block.

    Ctrl-C also raises KeyboardInterrupt at once, but the code that runs at that moment may swallow
    it. Python itself does so in destructors and in callbacks of libraries; the report that it
    prints in that case is suppressed.
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
    """Defers Ctrl-C until the block has ended.

    It is for blocks that start work in other threads or wait for it. If such a block were
    interrupted, nothing would wait for that work.
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
    """Whether Ctrl-C interrupts this thread. Shells start background jobs with it ignored."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
