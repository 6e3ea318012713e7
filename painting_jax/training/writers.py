"""Writes the metrics of a training to TensorBoard event files and scalars to the console."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import tqdm
from jaxtyping import UInt8

from painting_jax.appended import Appended

_FLUSH_SECONDS = 30  # Longest time until an event is visible.


@contextlib.contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Makes a package look as if it were not installed, unless it is already imported."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None
    try:
        yield
    finally:
        del sys.modules[package]


# tensorboardX imports torch if it is installed, which takes seconds and is not needed here.
with _hidden("torch"):
    from tensorboardX import record_writer, summary
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.record_writer import directory_check


class _InBuckets:
    """Opens event files in buckets. tensorboardX's own way sends the whole file at each flush."""

    def open(self, path: str) -> "_EventFile":
        return _EventFile(path)

    def directory_check(self, path: str) -> None:
        """Does nothing: buckets have no folders."""


class _EventFile(Appended):
    """A file to append to, as tensorboardX calls it."""

    def flush(self) -> None:
        self.sync()


record_writer.register_writer_factory("gs", _InBuckets())


class Writer:
    """Writes metrics to the console and to TensorBoard event files, in the calling thread.

    tensorboardX's own `SummaryWriter` writes in a background thread. A full disk ends that thread,
    and every later write then waits for it forever.

    Args:
      logdir: Folder of the event files. None discards everything, as in all processes of a
        training but the first.
    """

    def __init__(self, logdir: str | os.PathLike | None):
        self._events = None
        self._flushed = -math.inf
        if logdir is not None:
            directory_check(os.fspath(logdir))
            self._events = EventsWriter(os.path.join(logdir, "events"))

    def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars, also to the console."""
        if self._events is not None:
            numbers = "  ".join(f"{name} {float(value):.4g}" for name, value in scalars.items())
            tqdm.tqdm.write(f"step {step}  {numbers}")
        self._write(step, (summary.scalar(name, float(x)) for name, x in scalars.items()))

    def write_images(self, step: int, images: Mapping[str, UInt8[np.ndarray, "h w 3"]]) -> None:
        """Writes RGB images."""
        made = (summary.image(name, x, dataformats="HWC") for name, x in images.items())
        self._write(step, made)

    def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
        """Writes texts, which TensorBoard renders as Markdown."""
        self._write(step, (summary.text(name, text) for name, text in texts.items()))

    def flush(self) -> None:
        """Makes everything written so far visible to readers of the files."""
        if self._events is not None:
            self._flushed = time.monotonic()
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes the file."""
        if self._events is not None:
            self._events.close()

    def _write(self, step: int, summaries: Iterable[Summary]) -> None:
        if self._events is None:
            return
        now = time.time()
        for one in summaries:
            self._events.write_event(Event(wall_time=now, step=step, summary=one))
        # The wall clock may jump.
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()
