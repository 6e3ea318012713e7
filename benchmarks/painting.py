"""Measures the painter: processes per second on one core."""

import contextlib
import os
from collections.abc import Iterator

from benchmarks.timing import Row, seconds
from painting_jax import media
from painting_jax.data import painter, pictures
from painting_jax.data.photos import packaged


def measure(side: int, frames: int, runs: int) -> Row:
    """Paints one photo per run in every medium. The time includes segmentation.

    Args:
      side: Side of the square photo, in pixels.
      frames: Number of frames of each process.
      runs: Number of runs.
    """
    photos = [
        pictures.fit(pictures.load(photo.path), side, side) for photo in packaged()[: runs + 1]
    ]

    def paint(run: int) -> None:
        for medium in media.MEDIA:
            painter.paint(photos[run % len(photos)], medium, frames=frames, seed=run)

    with _one_core():
        paint(0)
        values = [len(media.MEDIA) / seconds(lambda r=run: paint(r)) for run in range(1, runs + 1)]
    return Row(f"painter, {side}x{side}, {frames} frames", "processes/s", values, "one core")


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    # The last core, since the system often uses the first one.
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
