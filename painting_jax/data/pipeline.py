"""Reads records from disk and makes batches: T frames of each process, decoded and resized.

Global batch k is a pure function of the data set, the seed and k, and each computer process takes
its rows of it. The order therefore depends neither on threads nor on the number of computer
processes, and k is the only state to save. With aspect buckets (`buckets.Shapes`), the shape of
batch k is such a function, too: all computer processes take the same shape at the same step.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import grain
import numpy as np
from etils import epath

from painting_jax import media, remote_paths
from painting_jax.data import dataset_folder, depth, process
from painting_jax.data import index as index_lib
from painting_jax.data.buckets import Shapes
from painting_jax.data.canvas import Canvas
from painting_jax.data.process import Process
from painting_jax.data.records import Records
from painting_jax.errors import UserError
from painting_jax.text.conditioner import TextConditioner

# Arrays by name, or trees of them.
Batch = dict[str, Any]

_ENDLESS = 1 << 60


class DataSource(Records[Process]):
    """The processes of one split. Their pictures stay encoded."""

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
        remote_paths.check_readable("data_dir", data_dir)
        path = dataset_folder.find(epath.Path(data_dir) / dataset)
        super().__init__(dataset_folder.read(path, process.features()), split)

    def _parsed(self, serialized: bytes) -> Process:
        return process.from_example(serialized, self._media)

    def _row(self, record: Process) -> index_lib.Row:
        return index_lib.Row.of(record)


def choose_frames(
    progress_N: np.ndarray,
    count: int,
    rng: np.random.Generator | None = None,
    *,
    even: bool = False,
    part: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Chooses the stored frames whose progress is nearest to T evenly spaced targets in a part.

    With `rng`, the targets between the ends are moved: each by itself by up to half of their
    spacing, or with `even` all by the same random share of it, so that the steps between them stay
    even. A frame is chosen more than once where few frames are stored or where the painter paused;
    with `even` only if fewer than T are stored.

    Args:
      progress_N: Progress of the stored frames, strictly increasing from 0 to 1; N >= 1.
      count: Number of frames T. If T >= 2, the first and the last frame of the part are always
        chosen; if T = 1, the last.
      rng: Random generator for training; None for evaluation.
      even: Even steps between different frames, for models that are not told the progress: they
        would learn uneven steps as stutter.
      part: Progress at which the part begins and ends.

    Returns:
      int64[T], indices of the frames in non-decreasing order.
    """
    middles = (progress_N[1:] + progress_N[:-1]) / 2
    first, last = np.searchsorted(middles, part).tolist()
    if count == 1:
        return np.array([last])
    targets_T = np.arange(count) / (count - 1)
    if rng is not None:
        moved = rng.uniform(-0.5, 0.5, 1 if even else count - 2)
        targets_T[1:-1] += moved / (count - 1)
    start, end = part
    chosen_T = np.searchsorted(middles, start + (end - start) * targets_T)
    chosen_T[[0, -1]] = first, last
    if even and last + 1 - first >= count:
        # A frame that is chosen already is exchanged for the next one, as far as there are some.
        place_T = np.arange(count)
        chosen_T = np.maximum.accumulate(chosen_T - place_T) + place_T
        chosen_T = np.minimum(chosen_T, last - (count - 1) + place_T)
    return chosen_T


def choose_conditions(
    rng: np.random.Generator | None,
    variants: int,
    variant_probability: float,
    caption_probability: float,
) -> tuple[int | None, bool]:
    """Chooses what a process is conditioned on.

    Args:
      rng: Random generator for training; None for evaluation, which takes the finished picture and
        its caption.
      variants: Number of stored variants of the finished picture.
      variant_probability: Probability of one of them, if there are any.
      caption_probability: Probability of the caption.

    Returns:
      Index of the variant, None for the finished picture; whether the caption is given.
    """
    variant = None
    if rng is not None and rng.random() < variant_probability and variants:
        variant = int(rng.integers(variants))
    return variant, rng is None or bool(rng.random() < caption_probability)


# Latest start of a part of a process, and its shortest share of what is left from there.
_LATEST, _SHORTEST = 0.8, 0.25


def choose_part(
    rng: np.random.Generator | None, probability: float
) -> tuple[tuple[float, float], bool]:
    """Chooses the part of a process that an example shows.

    Args:
      rng: Random generator for training; None for evaluation, which takes the whole process.
      probability: Probability of a part.

    Returns:
      Progress at which the part begins and ends, and whether its first frame is given as a canvas.
      Half of the parts go on from a given one; half of those end in the finished picture.
    """
    if rng is None or not probability or rng.random() >= probability:
        return (0.0, 1.0), False
    start, length = rng.uniform(0, _LATEST), rng.uniform(_SHORTEST, 1)
    given, to_the_end = rng.random(2) < 0.5
    return (start, 1.0 if to_the_end else start + length * (1 - start)), bool(given)


def check_probabilities(**probabilities: float) -> None:
    """Checks that each is one.

    Raises:
      UserError: If one is not. The message names it.
    """
    for name, value in probabilities.items():
        if not 0 <= value <= 1:
            raise UserError(f"{name} is {value}, not in 0..1")


class Maker(Protocol):
    """Turns records into the rows of batches.

    Attributes:
      frames: Number of frames T.
      even_frames: As `even` in `choose_frames`.
      shapes: The shapes of the pictures.
    """

    @property
    def frames(self) -> int: ...

    @property
    def even_frames(self) -> bool: ...

    @property
    def shapes(self) -> Shapes: ...

    def of(self, record: Any, index: int, rng: np.random.Generator | None) -> Batch:
        """Makes one row.

        Args:
          record: Record of the process.
          index: Row of the process in the split.
          rng: Random generator for the choice of frames, reference and caption; None for
            evaluation.
        """
        ...

    def sides(self, batch: Mapping[str, Any]) -> tuple[int, int]:
        """Height and width in pixels of the pictures of a row, or of a batch."""
        ...


@dataclasses.dataclass(frozen=True)
class Examples:
    """Turns a process into the arrays of one row of a batch. It is a `Maker`.

    Attributes:
      frames: Number of frames T.
      height: Height of every picture in pixels, without buckets.
      width: Width of every picture in pixels, without buckets.
      text_conditioner: Encoder of the captions.
      media: Media of the model, in the order of its rows.
      variant_probability: Probability, in training, that the reference is a stored variant (if
        any) instead of the finished picture.
      caption_probability: Probability, in training, that the caption is given and not empty.
      buckets: Shapes of pictures to choose from, as in `Shapes`; rows then have the array
        judged_BHW, 1 where the picture is and 0 on its padding, which the loss leaves out.
      even_frames: As `even` in `choose_frames`.
      part_probability: Probability, in training, that a row is a part of its process.
      with_behind: Whether rows have the arrays behind_BHWC and behind_segments_BHW, what lies
        behind the regions of the reference.
      with_canvas: Whether rows have the arrays canvas_BHWC and given_B, the first frame and whether
        the model is given it.
    """

    frames: int
    height: int
    width: int
    text_conditioner: TextConditioner
    media: Sequence[str]
    variant_probability: float = 0.0
    caption_probability: float = 1.0
    buckets: tuple[tuple[int, int], ...] = ()
    even_frames: bool = False
    part_probability: float = 0.0
    with_behind: bool = False
    with_canvas: bool = False

    def __post_init__(self):
        for name in ("frames", "height", "width"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        check_probabilities(
            variant_probability=self.variant_probability,
            caption_probability=self.caption_probability,
            part_probability=self.part_probability,
        )

    @property
    def shapes(self) -> Shapes:
        """The shapes of the pictures."""
        return Shapes(self.height, self.width, self.buckets)

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
        part, given = choose_part(rng, self.part_probability)
        chosen_T = choose_frames(
            process.progress, self.frames, rng, even=self.even_frames, part=part
        )
        canvas = self.canvas(process)
        decoded = {n: canvas.picture(process.frames[n]) for n in set(chosen_T.tolist())}
        variant, with_caption = choose_conditions(
            rng, len(process.variants), self.variant_probability, self.caption_probability
        )
        reference, other_look = process.reference, False
        if variant is not None:
            chosen = process.variants[variant]
            reference, other_look = chosen.image, chosen.other_look
        caption = process.caption if with_caption else ""
        # The finished picture is usually the last frame, which has often been decoded.
        finished = len(process.frames) - 1
        if finished in decoded and reference == process.frames[finished]:
            reference_HWC = decoded[finished]
        else:
            reference_HWC = canvas.picture(reference)
        segments_HW = canvas.segments(process.segments)
        return {
            "frames_BTHWC": np.stack([decoded[n] for n in chosen_T]),
            "progress_BT": process.progress[chosen_T].astype(np.float32),
            "medium_BM": media.row_weights({process.medium: 1.0}, self.media),
            **self.text_conditioner.encode(caption, {process.medium: 1.0}),
            "reference_BHWC": reference_HWC,
            "other_look_B": np.bool_(other_look),
            "segments_BHW": segments_HW,
            **(depth.arrays(reference_HWC, segments_HW) if self.with_behind else {}),
            **(_canvas(decoded[chosen_T[0]], given) if self.with_canvas else {}),
            **({"judged_BHW": canvas.judged()} if self.buckets else {}),
            "index_B": np.int32(index),
        }

    def canvas(self, process: Process) -> Canvas:
        """Where the pictures of a process are put."""
        if not self.buckets:
            return Canvas(self.height, self.width)
        return Canvas.of(self.shapes, process.frame_HW)

    def sides(self, batch: Mapping[str, Any]) -> tuple[int, int]:
        """Height and width in pixels of the pictures of a row, or of a batch."""
        height, width = batch["reference_BHWC"].shape[-3:-1]
        return height, width


def _canvas(frame_HWC: np.ndarray, given: bool) -> Batch:
    return {"canvas_BHWC": frame_HWC, "given_B": np.bool_(given)}


class _Batches:
    """Grain source whose item k is this computer process's rows of global batch k.

    It does not use Grain's `shuffle` and `random_map`: these take a third of a millisecond per row,
    and several milliseconds on small data sets, where Grain's shuffle tries up to 65,536 numbers
    until one is in range.
    """

    def __init__(self, row: Callable[[int], Batch], batch_size: int, mine: Sequence[int]):
        self._row, self._batch_size, self._mine = row, batch_size, mine

    def __len__(self) -> int:
        return _ENDLESS // self._batch_size

    def __getitem__(self, k: int) -> Batch:
        return stack([self._row(k * self._batch_size + place) for place in self._mine])


def stack(rows: Sequence[Batch]) -> Batch:
    """Stacks rows, which may be trees, to a batch."""
    return {
        name: stack([row[name] for row in rows])
        if isinstance(value, dict)
        else np.stack([row[name] for row in rows])
        for name, value in rows[0].items()
    }


def by_shape(rows: Sequence[Batch], maker: Maker) -> list[list[int]]:
    """Indices of the rows with pictures of one shape, for each shape in the order of its first."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(maker.sides(row), []).append(place)
    return [*groups.values()]


class _BucketOrder:
    """Which processes make global batch k, all of one bucket: a pure function of seed and k.

    In N batches of a split of N processes, each bucket has as many batches as it has processes, in
    random order. Each bucket goes through its own processes again and again, each time in another
    order. So each process is seen as often as any other; with one process a batch, an epoch is N
    batches in random order, as without buckets.
    """

    def __init__(self, shape_N: Sequence[tuple[int, int]], batch_size: int, seed: int):
        self._batch_size, self._seed = batch_size, seed
        self._buckets, bucket_N = np.unique(np.array(shape_N), axis=0, return_inverse=True)
        self._bucket_N = bucket_N.reshape(-1)
        self._members = [np.flatnonzero(self._bucket_N == b) for b in range(len(self._buckets))]
        self._period = functools.lru_cache(maxsize=4)(self._make_period)
        self._epoch = functools.lru_cache(maxsize=4 * len(self._members))(self._make_epoch)

    def _make_period(self, period: int) -> tuple[np.ndarray, np.ndarray]:
        """For each of N batches its bucket, and the number of those of the bucket before it."""
        rng = np.random.default_rng((self._seed, 2, period))
        bucket_N = rng.permutation(self._bucket_N)
        before_N = np.empty(len(bucket_N), np.int64)
        for bucket, members in enumerate(self._members):
            before_N[bucket_N == bucket] = np.arange(len(members))
        return bucket_N, before_N

    def _make_epoch(self, bucket: int, epoch: int) -> np.ndarray:
        rng = np.random.default_rng((self._seed, 3, bucket, epoch))
        return rng.permutation(self._members[bucket])

    def __call__(self, k: int, place: int) -> tuple[int, tuple[int, int]]:
        """Row of the split in place `place` of batch k, and the shape of its pictures."""
        period, step = divmod(k, len(self._bucket_N))
        bucket_N, before_N = self._period(period)
        bucket = int(bucket_N[step])
        count = len(self._members[bucket])
        batch = period * count + int(before_N[step])
        epoch, nth = divmod(batch * self._batch_size + place, count)
        height, width = self._buckets[bucket].tolist()
        return int(self._epoch(bucket, epoch)[nth]), (height, width)


def training_batches(
    source: Records,
    examples: Maker,
    *,
    batch_size: int,
    seed: int,
    rows: Sequence[int] | None = None,
) -> grain.MapDataset:
    """Endless shuffled batches; item k holds this computer process's rows of global batch k.

    Each epoch has its own order. The content of row r of global batch k does not depend on the
    number of computer processes. With buckets, all rows of a batch have one shape.

    Args:
      source: Training split.
      examples: Maker of the rows.
      batch_size: Global batch size B.
      seed: Seed of the order, frames, references and captions.
      rows: Rows of each batch that this computer process makes (`sharding.batches`); None = all.

    Raises:
      UserError: If the batch size is not positive, or the seed is negative.
    """
    if seed < 0:
        raise UserError(f"seed is {seed}: it must not be negative")
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}: it must be at least 1")
    mine = range(batch_size) if rows is None else rows

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, 0, epoch)).permutation(len(source))

    def example(index: int, position: int) -> Batch:
        return examples.of(source.record(index), index, np.random.default_rng((seed, 1, position)))

    def row(position: int) -> Batch:
        epoch, place = divmod(position, len(source))
        return example(int(order(epoch)[place]), position)

    if not examples.shapes.buckets:
        return grain.MapDataset.source(_Batches(row, batch_size, mine))
    shapes = examples.shapes
    shape_N = [shapes.of((row.height, row.width)) for row in source.rows]
    bucket_order = _BucketOrder(shape_N, batch_size, seed)

    def row_of_bucket(position: int) -> Batch:
        index, shape_HW = bucket_order(*divmod(position, batch_size))
        made = example(index, position)
        if examples.sides(made) != shape_HW:
            raise source.wrong_index()
        return made

    return grain.MapDataset.source(_Batches(row_of_bucket, batch_size, mine))


def spread_rows(source: Records, examples: Maker, count: int) -> list[Batch]:
    """Rows of processes spread evenly over a split, to cover its pictures and media.

    They are not stacked, since with buckets they differ in shape.
    """
    rows = np.linspace(0, len(source) - 1, count).round().astype(int)
    return [examples.of(source.record(row), row, None) for row in rows]


def iterate(
    batches: grain.MapDataset, start: int = 0, *, threads: int = 2, ahead: int = 4
) -> Iterator[Batch]:
    """Yields the batches `start`, `start` + 1, ..., prefetched by threads.

    Threads suffice, since decoding releases the interpreter lock. Worker processes would take
    seconds to start.

    Args:
      batches: Result of `training_batches`.
      start: Index of the first batch. It is the only state of the iteration.
      threads: Number of threads that make batches. It does not change the batches.
      ahead: Number of batches to prefetch.
    """
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    return iter(batches[start:].to_iter_dataset(options))
