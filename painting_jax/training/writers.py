"""clu's metric writers without TensorFlow: TensorBoard files through tensorboardX, and the console.

clu.metric_writers imports a TensorFlow-backed summary writer. Registering one of our own under its
name, before the first import, keeps the rest of clu as it is. Import clu.metric_writers and
clu.periodic_actions from here.
"""

import contextlib
import importlib
import os
import sys
import time
import types
from collections.abc import Iterable

import numpy as np
import tqdm

_NAME = "clu.metric_writers.summary_writer"
_FLUSH_SECONDS = 30  # after which what was written is to be seen


@contextlib.contextmanager
def _hidden(package: str):
    """Within it a package that is not imported yet seems not to be installed."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None
    try:
        yield
    finally:
        del sys.modules[package]


# tensorboardX imports torch where there is one, which takes seconds and is not needed here.
with _hidden("torch"):
    from tensorboardX import summary as make
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.record_writer import directory_check


def _without_tensorflow():
    placeholder = types.ModuleType(_NAME)
    # clu's package takes the name while it is being imported; the class follows just below, once
    # the interface that it implements can be imported.
    placeholder.SummaryWriter = object
    sys.modules[_NAME] = placeholder
    package = importlib.import_module("clu.metric_writers")
    interface = importlib.import_module("clu.metric_writers.interface")

    class SummaryWriter(interface.MetricWriter):
        """Writes TensorBoard event files, in the calling thread.

        tensorboardX's own writer has a thread, which a full disk ends, with a report of its own;
        whoever writes then waits for it forever.
        """

        def __init__(self, logdir: str):
            super().__init__()
            directory_check(logdir)
            self._events = EventsWriter(os.path.join(logdir, "events"))
            self._flushed = 0.0

        def _write(self, step: int, summaries: Iterable[Summary]) -> None:
            now = time.time()
            for summary in summaries:
                self._events.write_event(Event(wall_time=now, step=step, summary=summary))
            if now - self._flushed > _FLUSH_SECONDS:
                self.flush()

        def write_summaries(self, step, values, metadata=None):
            raise NotImplementedError("TensorFlow summaries need TensorFlow")

        def write_scalars(self, step, scalars):
            self._write(step, (make.scalar(name, float(v)) for name, v in scalars.items()))

        def write_images(self, step, images):
            def image(name, picture):
                batch = np.asarray(picture)
                batch = batch[None] if batch.ndim == 3 else batch
                return make.image(name, batch, dataformats="NHWC")

            self._write(step, (image(*item) for item in images.items()))

        def write_videos(self, step, videos):
            for name, video_NTHWC in videos.items():
                video_NTCHW = np.moveaxis(np.asarray(video_NTHWC), -1, 2)
                self._write(step, [make.video(name, video_NTCHW)])

        def write_audios(self, step, audios, *, sample_rate):
            named = ((name, np.asarray(audio)) for name, audio in audios.items())
            self._write(step, (make.audio(*item, sample_rate=sample_rate) for item in named))

        def write_texts(self, step, texts):
            self._write(step, (make.text(name, text) for name, text in texts.items()))

        def write_histograms(self, step, arrays, num_buckets=None):
            for name, array in arrays.items():
                bins = (num_buckets or {}).get(name, 64)
                self._write(step, [make.histogram(name, np.asarray(array), bins)])

        def write_pointcloud(self, step, point_clouds, *, point_colors=None, configs=None):
            raise NotImplementedError("tensorboardX writes no point clouds")

        def write_hparams(self, hparams):
            lines = [f"    {name}: {value}" for name, value in hparams.items()]
            self._write(0, [make.text("hparams", "\n".join(lines))])

        def flush(self):
            self._flushed = time.time()
            self._events.flush()

        def close(self):
            self._events.close()

    for module in (placeholder, package, sys.modules["clu.metric_writers.utils"]):
        module.SummaryWriter = SummaryWriter
    return package


metric_writers = _without_tensorflow()
periodic_actions = importlib.import_module("clu.periodic_actions")


class ConsoleWriter(metric_writers.MetricWriter):
    """A line of numbers a report, above the progress bar."""

    def write_scalars(self, step, scalars):
        numbers = "  ".join(f"{name} {float(value):.4g}" for name, value in scalars.items())
        tqdm.tqdm.write(f"step {step}  {numbers}")

    def write_summaries(self, step, values, metadata=None):
        """Nothing to read on a console."""

    def write_images(self, step, images):
        """Nothing to read on a console."""

    def write_videos(self, step, videos):
        """Nothing to read on a console."""

    def write_audios(self, step, audios, *, sample_rate):
        """Nothing to read on a console."""

    def write_texts(self, step, texts):
        """Nothing to read on a console."""

    def write_histograms(self, step, arrays, num_buckets=None):
        """Nothing to read on a console."""

    def write_pointcloud(self, step, point_clouds, *, point_colors=None, configs=None):
        """Nothing to read on a console."""

    def write_hparams(self, hparams):
        """Nothing to read on a console."""

    def flush(self):
        """Every line is written at once."""

    def close(self):
        """Nothing is held open."""


def make_writer(logdir: str | os.PathLike, *, enabled: bool) -> metric_writers.MetricWriter:
    """A writer to the console and to TensorBoard files in `logdir`.

    Args:
      logdir: folder of the files.
      enabled: on one process of several; the others' writers do nothing.
    """
    if not enabled:
        return metric_writers.MultiWriter([])
    tensorboard = metric_writers.SummaryWriter(os.fspath(logdir))
    return metric_writers.MultiWriter([ConsoleWriter(), tensorboard])
