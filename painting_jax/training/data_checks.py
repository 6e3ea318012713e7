"""Whether the processes of a data set are large and long enough for an experiment."""

import collections
from collections.abc import Iterator

from painting_jax.data.buckets import Shapes
from painting_jax.data.pipeline import Maker
from painting_jax.data.records import Records
from painting_jax.errors import UserError


def refuse_small(train: Records, validation: Records | None, shapes: Shapes) -> None:
    """Refuses processes that would be scaled up: a model learns their blur.

    Args:
      train: Training split.
      validation: Validation split; None if there is none.
      shapes: Shapes of the experiment.

    Raises:
      UserError: If a process is stored with fewer pixels than it is trained at.
    """
    for source in filter(None, (train, validation)):
        small = [row for row in source.rows if shapes.enlarges((row.height, row.width))]
        if small:
            first = small[0]
            height, width = shapes.of((first.height, first.width))
            raise UserError(
                f"{source.path}: {len(small)} of {len(source)} {source.split} processes are too "
                f"small, such as {first.id}, stored at {first.height}x{first.width} and trained at "
                f"{height}x{width}: prepare larger ones with --size, lower config.data.height and "
                "config.data.width, or train on enlarged ones with --config.data.allow_upscaling"
            )


def remarks(source: Records, examples: Maker) -> Iterator[str]:
    """Yields lines for the log: the buckets, and what is padded, enlarged or too short."""
    shapes = examples.shapes
    sizes = [(row.height, row.width) for row in source.rows]
    if shapes.buckets:
        counts = collections.Counter(map(shapes.of, sizes))
        used = ", ".join(f"{h}x{w} ({counts[h, w]})" for h, w in shapes.buckets if counts[h, w])
        yield f"buckets with their processes, each compiled at its first step: {used}"
    for count, what in (
        (sum(map(shapes.is_padded, sizes)), "fit no bucket: they are padded, without loss there"),
        (sum(map(shapes.enlarges, sizes)), "are smaller than they are trained at: enlarged"),
        (_short(source, examples), f"have fewer than {examples.frames} frames: some are repeated"),
    ):
        if count:
            yield f"{count} of {len(source)} processes {what}"


def _short(source: Records, examples: Maker) -> int:
    """Number of processes in which frames are repeated though steps should be even."""
    if not examples.even_frames:
        return 0
    return sum(row.frames < examples.frames for row in source.rows)
