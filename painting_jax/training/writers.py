"""clu's metric writers without TensorFlow: TensorBoard files through tensorboardX, and the console.

clu.metric_writers imports a TensorFlow-backed summary writer. Registering one of our own under its
name, before the first import, keeps the rest of clu as it is. Import clu.metric_writers and
clu.periodic_actions from here.
"""

import importlib
import os
import sys
import types

import numpy as np
import tqdm
from tensorboardX import SummaryWriter as TensorBoardWriter

_NAME = "clu.metric_writers.summary_writer"


def _without_tensorflow():
    placeholder = types.ModuleType(_NAME)
    # clu's package takes the name while it is being imported; the class follows just below, once
    # the interface that it implements can be imported.
    placeholder.SummaryWriter = object
    sys.modules[_NAME] = placeholder
    package = importlib.import_module("clu.metric_writers")
    interface = importlib.import_module("clu.metric_writers.interface")

    class SummaryWriter(interface.MetricWriter):
        """Writes TensorBoard event files."""

        def __init__(self, logdir: str):
            super().__init__()
            self._writer = TensorBoardWriter(logdir)

        def write_summaries(self, step, values, metadata=None):
            raise NotImplementedError("TensorFlow summaries need TensorFlow")

        def write_scalars(self, step, scalars):
            for name, value in scalars.items():
                self._writer.add_scalar(name, float(np.asarray(value)), step)

        def write_images(self, step, images):
            for name, image in images.items():
                batch = np.asarray(image)
                batch = batch[None] if batch.ndim == 3 else batch
                self._writer.add_images(name, batch, step, dataformats="NHWC")

        def write_videos(self, step, videos):
            for name, video_NTHWC in videos.items():
                self._writer.add_video(name, np.moveaxis(np.asarray(video_NTHWC), -1, 2), step)

        def write_audios(self, step, audios, *, sample_rate):
            for name, audio in audios.items():
                self._writer.add_audio(name, np.asarray(audio), step, sample_rate)

        def write_texts(self, step, texts):
            for name, text in texts.items():
                self._writer.add_text(name, text, step)

        def write_histograms(self, step, arrays, num_buckets=None):
            for name, array in arrays.items():
                bins = (num_buckets or {}).get(name, 64)
                self._writer.add_histogram(name, np.asarray(array), step, bins=bins)

        def write_pointcloud(self, step, point_clouds, *, point_colors=None, configs=None):
            raise NotImplementedError("tensorboardX writes no point clouds")

        def write_hparams(self, hparams):
            lines = [f"    {name}: {value}" for name, value in hparams.items()]
            self._writer.add_text("hparams", "\n".join(lines), 0)

        def flush(self):
            self._writer.flush()

        def close(self):
            self._writer.close()

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
    """A writer to the console and, in the background, to TensorBoard files in `logdir`.

    Args:
      logdir: folder of the files.
      enabled: on one process of several; the others' writers do nothing.
    """
    if not enabled:
        return metric_writers.MultiWriter([])
    tensorboard = metric_writers.AsyncWriter(metric_writers.SummaryWriter(os.fspath(logdir)))
    return metric_writers.MultiWriter([ConsoleWriter(), tensorboard])
