"""Whether a model does what each word of a prompt asks for.

Held-out pictures are painted with a word and with its opposite, from the same noise. What each word
of the painter's manners should change is known:

  ground      the colour of the first frame
  direction   by how much later the far end of it is finished
  scale       how fine the strokes are in the second half
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from painting_jax import media
from painting_jax.data import painter, pictures, subjects
from painting_jax.data.painter import Manner, describe
from painting_jax.data.painter.manner import ALLA_PRIMA, SCALES, advance
from painting_jax.data.pipeline import Batch, DataSource, Examples, stack
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.result import WordEffect
from painting_jax.metrics import bootstrap
from painting_jax.metrics.bootstrap import Interval

# Pictures that are painted with every word, at most.
_MAX_PICTURES = 16

OPPOSITES = {
    "from the left": "from the right",
    "from the right": "from the left",
    "from the top down": "from the centre outward",
    "from the centre outward": "from the top down",
}

# Frames and regions of a painting, by picture, medium and manner.
Painted = Mapping[tuple[int, str, Manner], tuple[np.ndarray, np.ndarray]]

# Change of a pixel, of 255, from which on its time of completion is known.
_PAINTED = 30


@dataclasses.dataclass(frozen=True)
class _Question:
    """A word, its opposite, and a score that is higher if frames show what the word asks for.

    The score is a function of the frames and of the regions of the picture.
    """

    word: str
    opposite: str
    measure: str
    medium: str
    asked: Manner
    other: Manner
    score: Callable[[np.ndarray, np.ndarray], float]

    def scores(self, indices: Sequence[int], painted: Painted) -> tuple[np.ndarray, np.ndarray]:
        """The scores of all pictures, painted as asked and with the opposite."""
        asked_N, other_N = (
            np.array([self.score(*painted[index, self.medium, manner]) for index in indices])
            for manner in (self.asked, self.other)
        )
        return asked_N, other_N


def word_effects(
    source: DataSource,
    examples: Examples,
    *,
    generate: Callable[[Batch], np.ndarray],
    batch_size: int,
    at_most: int,
    seed: int,
    cache: Cache,
    watch: Callable[[Iterable, str], Iterable],
    painter_too: bool = False,
) -> list[WordEffect]:
    """Paints held-out pictures with each word of the painter's manners and with its opposite.

    Args:
      source: The held-out split.
      examples: Makes rows of its processes.
      generate: Function batch -> frames_BTHWC uint8 in painted order.
      batch_size: Size of the batches for `generate`.
      at_most: Number of pictures, at most; never more than 16.
      seed: Seed of the bootstrap.
      cache: Cache of the outcome.
      watch: Wraps an iterable and a description of the work to show progress.
      painter_too: Whether the stroke painter's own change is measured, too: what can be expected
        of a model that learned from it.

    Returns:
      One entry per word.
    """
    kept = cache.get("words")
    if kept:
        return [
            WordEffect(*texts, *(Interval(*numbers) for numbers in intervals))
            for texts, intervals in kept[0]["words"]
        ]
    indices = list(_pictures(source, min(at_most, _MAX_PICTURES)))
    questions = list(_questions(examples.media))
    painted = _paint(source, examples, indices, questions, generate, batch_size, watch)
    by_painter = _by_painter(source, examples, painted, watch) if painter_too else {}
    effects = []
    for question in questions:
        asked_N, other_N = question.scores(indices, painted)
        values = [asked_N, other_N, asked_N - other_N]
        if by_painter:
            values.append(np.subtract(*question.scores(indices, by_painter)))
        intervals = [bootstrap.interval(values_N, seed=seed) for values_N in values]
        effects.append(WordEffect(question.word, question.opposite, question.measure, *intervals))
    entry = [
        [
            [e.word, e.opposite, e.measure],
            [list(e.asked), list(e.other), list(e.change), list(e.painter)],
        ]
        for e in effects
    ]
    cache.put("words", {"words": entry}, {})
    return effects


def _questions(names: Sequence[str]) -> Iterator[_Question]:
    """One question a word, in a medium of the model that allows the word."""
    known = [name for name in names if name in media.MEDIA]
    medium = "oil" if "oil" in known else known[0]
    # Every mark of a pencil is seen: oil may have the colour of its ground.
    drawn = "pencil" if "pencil" in known else medium
    manner = Manner.default(drawn)
    for direction, opposite in OPPOSITES.items():
        yield _Question(
            direction,
            opposite,
            "delay of the far end within a region, % of the painting time",
            drawn,
            dataclasses.replace(manner, direction=direction),
            dataclasses.replace(manner, direction=opposite),
            functools.partial(delay, direction=direction),
        )
    # Strokes are compared where the whole picture is painted at once.
    manner = dataclasses.replace(Manner.default(medium), order=ALLA_PRIMA)
    for scale, score in (("broad", coarseness), ("fine", fineness)):
        [opposite] = set(SCALES) - {scale}
        yield _Question(
            f"{scale} strokes",
            f"{opposite} strokes",
            "difference of neighbouring pixels in the second half, of 255"
            + (", negative" if score is coarseness else ""),
            medium,
            dataclasses.replace(manner, scale=scale),
            dataclasses.replace(manner, scale=opposite),
            score,
        )
    seen: set[str] = set()
    for name in known:
        grounds = media.MEDIA[name].grounds
        for ground in grounds:
            if ground in seen or len(grounds) < 2:
                continue
            seen.add(ground)
            opposite = max(grounds, key=lambda other: _apart(grounds[ground], grounds[other]))
            plain = Manner.default(name)
            yield _Question(
                f"on a {ground} ground",
                f"on a {opposite} ground",
                "distance of the first frame to the ground, of 255, negative",
                name,
                dataclasses.replace(plain, ground=ground),
                dataclasses.replace(plain, ground=opposite),
                functools.partial(ground_nearness, colour_C=grounds[ground]),
            )


def _apart(first_C, second_C) -> float:
    return float(np.linalg.norm(np.subtract(first_C, second_C)))


def _pictures(source: DataSource, at_most: int) -> Iterator[int]:
    """The index of the first process of each picture."""
    seen: set[str] = set()
    for index in range(len(source)):
        if len(seen) == at_most:
            return
        picture = source.record(index).source
        if picture not in seen:
            seen.add(picture)
            yield index


def _paint(
    source: DataSource,
    examples: Examples,
    indices: Sequence[int],
    questions: Sequence[_Question],
    generate: Callable[[Batch], np.ndarray],
    batch_size: int,
    watch: Callable[[Iterable, str], Iterable],
) -> Painted:
    """Every picture in every manner."""
    # A dict, since questions share paintings.
    wanted = {
        (index, question.medium, manner): None
        for question in questions
        for manner in (question.asked, question.other)
        for index in indices
    }
    records = {index: source.record(index) for index in indices}
    # A row is decoded once for all manners.
    plain = {index: examples.of(record, index, None) for index, record in records.items()}
    rows = []
    for index, medium, manner in wanted:
        subject = records[index].caption.partition(", ")[0]
        text = examples.text_conditioner.encode(f"{subject}, {describe(manner)}", {medium: 1.0})
        weights_M = media.row_weights({medium: 1.0}, examples.media)
        rows.append({**plain[index], "medium_BM": weights_M, **text})
    frames: list[np.ndarray] = []
    for start in watch(range(0, len(rows), batch_size), "painting by each word"):
        # The last batch is filled up, so that it does not compile anew.
        chosen = [min(row, len(rows) - 1) for row in range(start, start + batch_size)]
        frames += list(generate(stack([rows[row] for row in chosen])))
    regions = [row["segments_BHW"] for row in rows]
    return dict(zip(wanted, zip(frames, regions, strict=False), strict=False))


def _by_painter(
    source: DataSource,
    examples: Examples,
    painted: Painted,
    watch: Callable[[Iterable, str], Iterable],
) -> Painted:
    """The same pictures in the same manners and regions, by the stroke painter."""
    by_painter = {}
    for index, medium, manner in watch(list(painted), "painting by each word, the painter"):
        segments_HW = painted[index, medium, manner][1]
        photo_HWC = pictures.fit(
            subjects.photo_of(source.record(index)), examples.height, examples.width
        )
        process = painter.paint(
            photo_HWC,
            medium,
            frames=examples.frames,
            seed=0,
            manner=manner,
            segments_HW=segments_HW,
        )
        by_painter[index, medium, manner] = process.frames_THWC, segments_HW
    return by_painter


def delay(
    frames_THWC: np.ndarray, segments_HW: np.ndarray | None = None, *, direction: str
) -> float:
    """By how much later the far end of a direction is finished than its near end, in percent.

    It is the slope of the times at which pixels are finished over those of the direction. A pixel's
    time is the mean over the frames of what remains of its change from the first to the last frame,
    all of it at most. What a pixel shows influences its time, too, but alike in any direction: this
    cancels in the difference of two paintings of one picture, unlike in correlations. Times are
    relative to the mean of the pixel's region: which region comes first is not the direction.

    Args:
      frames_THWC: uint8 frames in painted order.
      segments_HW: Labels of the regions; None = a single one.
      direction: One of `manner.DIRECTIONS`.
    """
    frames_THWC = frames_THWC.astype(np.float32)
    remaining_THW = np.abs(frames_THWC - frames_THWC[-1]).sum(-1)
    change_HW = remaining_THW[0]
    y_N, x_N = np.nonzero(change_HW > _PAINTED)
    height, width = change_HW.shape
    time_N = np.minimum(remaining_THW / np.maximum(change_HW, 1), 1).mean(0)[y_N, x_N]
    due_N = advance(direction, (y_N + 0.5) / height, (x_N + 0.5) / width)
    label_N = np.zeros(len(y_N), int) if segments_HW is None else segments_HW[y_N, x_N].astype(int)
    count_K = np.maximum(np.bincount(label_N), 1)
    time_N, due_N = (
        values_N - (np.bincount(label_N, values_N) / count_K)[label_N]
        for values_N in (time_N, due_N)
    )
    return 100 * float(time_N @ due_N / max(due_N @ due_N, 1e-6))


def fineness(frames_THWC: np.ndarray, segments_HW: np.ndarray | None = None) -> float:
    """Mean difference of neighbouring pixels in the second half of the process, of 255.

    The finished picture is left out: it hardly depends on the strokes.
    """
    del segments_HW
    late_THWC = frames_THWC[len(frames_THWC) // 2 : -1].astype(np.float32)
    steps = [np.abs(np.diff(late_THWC, axis=axis)).mean() for axis in (1, 2)]
    return float(np.mean(steps))


def coarseness(frames_THWC: np.ndarray, segments_HW: np.ndarray | None = None) -> float:
    """Minus the `fineness`."""
    return -fineness(frames_THWC, segments_HW)


def ground_nearness(
    frames_THWC: np.ndarray, segments_HW: np.ndarray | None = None, *, colour_C: Sequence[float]
) -> float:
    """Minus the mean distance of the first frame to a colour, of 255.

    Args:
      frames_THWC: uint8 frames in painted order.
      segments_HW: Not used.
      colour_C: RGB, 0..1.
    """
    del segments_HW
    return -float(np.abs(frames_THWC[0] - 255 * np.array(colour_C, np.float32)).mean())
