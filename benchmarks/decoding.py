"""Compares the input pipeline with plain decoding of the same bytes, in alternating runs."""

import concurrent.futures
import statistics
from unittest import mock

from benchmarks.timing import Row, seconds
from painting_jax.data import pictures, pipeline

_THREADS = 2


def measure(
    source: pipeline.DataSource,
    examples: pipeline.Examples,
    batch_size: int,
    batches: int,
    runs: int,
) -> list[Row]:
    """Frames per second of the training pipeline, of plain decoding of its pictures, and the ratio.

    Args:
      source: Dataset that is read.
      examples: Shape and conditions of the training examples.
      batch_size: Number of examples in a batch.
      batches: Number of batches per run.
      runs: Number of runs.
    """
    endless = pipeline.training_batches(source, examples, batch_size=batch_size, seed=0)
    some = endless[:batches]
    with mock.patch.object(pictures, "decode", wraps=pictures.decode) as decode:
        for k in range(batches):
            some[k]
        encoded = [call.args[0] for call in decode.call_args_list]

    def through_pipeline() -> None:
        for _ in pipeline.iterate(some, threads=_THREADS):
            pass

    def bare(pool: concurrent.futures.Executor) -> None:
        # Split into chunks, since scheduling each picture alone would cost more than decoding it.
        pieces = [encoded[start :: 8 * _THREADS] for start in range(8 * _THREADS)]
        list(pool.map(lambda piece: [pictures.decode(data) for data in piece], pieces))

    fast, plain = [], []
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        through_pipeline()
        bare(pool)
        for _ in range(runs):
            fast.append(len(encoded) / seconds(through_pipeline))
            plain.append(len(encoded) / seconds(lambda: bare(pool)))
    ratios = [a / b for a, b in zip(fast, plain, strict=True)]
    size = statistics.mean(map(len, encoded))
    note = f"{_THREADS} threads, {examples.height}x{examples.width}, {size:.0f} bytes a picture"
    return [
        Row("input pipeline", "frames/s", fast, note),
        Row("bare decoding of the same bytes", "frames/s", plain, note),
        Row("pipeline / bare decoding", "", ratios, "pairs of runs, by turns"),
    ]
