"""Reads records from disk and makes batches: T frames of each process, decoded and resized.

Global batch k is a pure function of the data set, the seed and k, and each computer process takes
its rows of it. The order therefore depends neither on threads nor on the number of computer
processes, and k is the only state to save.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import grain
import numpy as np
from etils import epath

from painting_jax import media, remote_paths
from painting_jax.data import dataset_folder, pictures, splits
from painting_jax.data.process import Process, from_example
from painting_jax.errors import UserError
from painting_jax.text.conditioner import TextConditioner

Batch = dict[str, np.ndarray]

_ENDLESS = 1 << 60


class DataSource:
    """Random access to the processes of one split, as a data source for Grain."""

    def __init__(self, data_dir: epath.PathLike, split: str, dataset: str = ""):
        """Opens a data set.

        Args:
          data_dir: The `--data_dir` of `prepare`, or the folder of one data set in it.
          split: "train", "validation" or "test".
          dataset: Builder or builder/name inside `data_dir`; "" if `data_dir` holds only one.

        Raises:
          UserError: If there is no data set or more than one, if it has no such split, if its
            records are none of painting processes, or if it is damaged.
        """
        if split not in splits.SPLITS:
            raise UserError(f"unknown split {split!r}: known are {', '.join(splits.SPLITS)}")
        remote_paths.check_readable("data_dir", data_dir)
        self.path = dataset_folder.find(epath.Path(data_dir) / dataset)
        declared = dataset_folder.read(self.path)
        if split not in declared.shards:
            raise UserError(
                f"{self.path} has no {split} split: prepare it from three different sources or more"
            )
        try:
            self._examples = declared.examples(split)
            self._length = len(self._examples)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(f"{self.path}: the {split} split is damaged: {error}") from None
        if self._length != sum(declared.shards[split]):
            raise UserError(
                f"{self.path}: the {split} split is cut short: prepare it with --overwrite"
            )
        self._media = declared.media
        self.split = split

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Process:
        return self.record(index)

    def record(self, index: int) -> Process:
        """The process in row `index` of the split. Its pictures stay encoded.

        Raises:
          UserError: If the record is damaged.
        """
        try:
            return from_example(self._examples[int(index)], self._media)
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{self.path}: process {index} of {self.split} is damaged ({error}): "
                "prepare it with --overwrite"
            ) from None

    def captions(self) -> list[str]:
        """All captions, in row order."""
        return [self.record(index).caption for index in range(len(self))]

    def captions_and_media(self) -> set[tuple[str, str]]:
        """All distinct pairs of a caption and its medium."""
        records = map(self.record, range(len(self)))
        return {(record.caption, record.medium) for record in records}

    def ids(self) -> list[str]:
        """All process ids, in row order."""
        return [self.record(index).id for index in range(len(self))]


def choose_frames(
    progress_N: np.ndarray, count: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Chooses the stored frames whose progress is nearest to T evenly spaced targets in [0, 1].

    With `rng`, the targets between the ends are jittered by up to half of their spacing. A frame
    is chosen more than once where few frames are stored or where the painter paused.

    Args:
      progress_N: Progress of the stored frames, strictly increasing from 0 to 1; N >= 1.
      count: Number of frames T. If T >= 2, the first and the last frame are always chosen; if
        T = 1, the last.
      rng: Random generator for training; None for evaluation.

    Returns:
      int64[T], indices of the frames in non-decreasing order.
    """
    if count == 1:
        return np.array([len(progress_N) - 1])
    targets_T = np.arange(count) / (count - 1)
    if rng is not None:
        targets_T[1:-1] += rng.uniform(-0.5, 0.5, count - 2) / (count - 1)
    middles = (progress_N[1:] + progress_N[:-1]) / 2
    chosen_T = np.searchsorted(middles, targets_T)
    chosen_T[[0, -1]] = 0, len(progress_N) - 1
    return chosen_T


@dataclasses.dataclass(frozen=True)
class Examples:
    """Turns a process into the arrays of one row of a batch.

    Attributes:
      frames: Number of frames T.
      height: Height of every picture in pixels.
      width: Width of every picture in pixels.
      text_conditioner: Encoder of the captions.
      media: Media of the model, in the order of its rows.
      variant_probability: Probability, in training, that the reference is a stored variant (if
        any) instead of the finished picture.
      caption_probability: Probability, in training, that the caption is given and not empty.
    """

    frames: int
    height: int
    width: int
    text_conditioner: TextConditioner
    media: Sequence[str]
    variant_probability: float = 0.0
    caption_probability: float = 1.0

    def __post_init__(self):
        for name in ("frames", "height", "width"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("variant_probability", "caption_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}, not in 0..1")

    def of(self, process: Process, index: int, rng: np.random.Generator | None) -> Batch:
        """Makes one row. Only the chosen frames and the reference are decoded.

        Args:
          process: Record of the process.
          index: Row of the process in the split.
          rng: Random generator for the choice of frames, reference and caption; None for
            evaluation.

        Raises:
          UserError: If a picture is damaged, or the model does not have the medium.
        """
        chosen_T = choose_frames(process.progress, self.frames, rng)
        decoded = {n: self._picture(process.frames[n]) for n in set(chosen_T.tolist())}
        reference, other_look = process.reference, False
        if rng is not None and rng.random() < self.variant_probability and process.variants:
            variant = process.variants[rng.integers(len(process.variants))]
            reference, other_look = variant.image, variant.other_look
        with_caption = rng is None or rng.random() < self.caption_probability
        caption = process.caption if with_caption else ""
        # The finished picture is usually the last frame, which has been decoded.
        same = reference == process.frames[-1]
        return {
            "frames_BTHWC": np.stack([decoded[n] for n in chosen_T]),
            "progress_BT": process.progress[chosen_T].astype(np.float32),
            "medium_BM": media.row_weights({process.medium: 1.0}, self.media),
            **self.text_conditioner.encode(caption, {process.medium: 1.0}),
            "reference_BHWC": decoded[chosen_T[-1]] if same else self._picture(reference),
            "other_look_B": np.bool_(other_look),
            "segments_BHW": self._segments(process.segments),
            "index_B": np.int32(index),
        }

    def _picture(self, data: bytes) -> np.ndarray:
        return pictures.fit(pictures.decode(data), self.height, self.width)

    def _segments(self, labels_HW: np.ndarray) -> np.ndarray:
        if not labels_HW.size:
            return np.zeros((self.height, self.width), np.uint8)
        return pictures.fit_labels(labels_HW, self.height, self.width)


class _Batches:
    """Grain source whose item k is this computer process's rows of global batch k.

    It does not use Grain's `shuffle` and `random_map`: these take a third of a millisecond per row,
    and several milliseconds on small data sets, where Grain's shuffle tries up to 65,536 numbers
    until one is in range.
    """

    def __init__(
        self, row: Callable[[int], Batch], rows: int, batch_size: int, process: int, processes: int
    ):
        if batch_size < 1 or batch_size % processes:
            raise UserError(
                f"a batch of {batch_size} cannot be shared evenly by {processes} processes"
            )
        self._row = row
        self._length = rows // batch_size
        self._batch_size = batch_size
        share = batch_size // processes
        self._mine = range(process * share, (process + 1) * share)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, k: int) -> Batch:
        return stack([self._row(k * self._batch_size + place) for place in self._mine])


def stack(rows: Sequence[Batch]) -> Batch:
    """Stacks rows to a batch."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def training_batches(
    source: DataSource,
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.MapDataset:
    """Endless shuffled batches; item k holds this computer process's rows of global batch k.

    Each epoch has its own order. The content of row r of global batch k does not depend on the
    number of computer processes.

    Args:
      source: Training split.
      examples: Maker of the rows.
      batch_size: Global batch size B. Each computer process takes B / `process_count` adjacent
        rows.
      seed: Seed of the order, frames, references and captions.
      process_index: Index of this computer process.
      process_count: Number of computer processes.

    Raises:
      UserError: If the batch size is not a multiple of `process_count`, or the seed is negative.
    """
    if seed < 0:
        raise UserError(f"seed is {seed}: it must not be negative")

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, 0, epoch)).permutation(len(source))

    def row(position: int) -> Batch:
        epoch, place = divmod(position, len(source))
        index = int(order(epoch)[place])
        return examples.of(source.record(index), index, np.random.default_rng((seed, 1, position)))

    return grain.MapDataset.source(
        _Batches(row, _ENDLESS, batch_size, process_index, process_count)
    )


def evaluation_batches(
    source: DataSource,
    examples: Examples,
    *,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.MapDataset:
    """Every painting process of a split once, in order, with the finished picture as reference.

    The last batch is padded with copies of the split's last row; `_mask`, bool[B], is False there.

    Args:
      source: Any split.
      examples: Maker of the rows.
      batch_size: Global batch size B. Each computer process takes B / `process_count` adjacent
        rows.
      process_index: Index of this computer process.
      process_count: Number of computer processes.

    Raises:
      UserError: If the batch size is not a multiple of `process_count`.
    """
    count = len(source)

    def row(position: int) -> Batch:
        index = min(position, count - 1)
        return {
            **examples.of(source.record(index), index, None),
            "_mask": np.asarray(position < count),
        }

    filled = -(-count // max(1, batch_size)) * batch_size
    return grain.MapDataset.source(_Batches(row, filled, batch_size, process_index, process_count))


def spread(source: DataSource, examples: Examples, count: int) -> Batch:
    """A batch of processes spread evenly over a split, to cover its pictures and media."""
    rows = np.linspace(0, len(source) - 1, count).round().astype(int)
    return stack([examples.of(source.record(row), row, None) for row in rows])


def iterate(
    batches: grain.MapDataset, start: int = 0, *, threads: int = 2, ahead: int = 4
) -> Iterator[Batch]:
    """Yields the batches `start`, `start` + 1, ..., prefetched by threads.

    Threads suffice, since decoding releases the interpreter lock. Worker processes would take
    seconds to start.

    Args:
      batches: Result of `training_batches` or `evaluation_batches`.
      start: Index of the first batch. It is the only state of the iteration.
      threads: Number of threads that make batches. It does not change the batches.
      ahead: Number of batches to prefetch.
    """
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    return iter(batches[start:].to_iter_dataset(options))
