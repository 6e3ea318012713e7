"""Whether a model does what each word of a prompt asks for.

Held-out pictures are painted with a word and with its opposite, from the same noise. What each word
of the painter's manners should change is known:

  ground      the colour of the first frame
  direction   where the painting is finished first
  scale       how fine the strokes are half-way
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from painting_jax import media
from painting_jax.data.painter import Manner, describe
from painting_jax.data.painter.manner import SCALES, advance
from painting_jax.data.pipeline import Batch, DataSource, Examples, stack
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.result import WordEffect
from painting_jax.metrics import bootstrap
from painting_jax.metrics.bootstrap import Interval

# Pictures that are painted with every word, at most.
_MAX_PICTURES = 16

# "From the centre outward" is not scored: the background often comes first as a region, which hides
# the order within regions.
OPPOSITES = {
    "from the left": "from the right",
    "from the right": "from the left",
    "from the top down": "from the centre outward",
}

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

    Returns:
      One entry per word.
    """
    kept = cache.get("words")
    if kept:
        return [
            WordEffect(*texts, *(Interval(*numbers) for numbers in intervals))
            for texts, intervals in kept[0]["words"]
        ]
    pictures = list(_pictures(source, min(at_most, _MAX_PICTURES)))
    questions = list(_questions(examples.media))
    painted = _paint(source, examples, pictures, questions, generate, batch_size, watch)
    effects = []
    for question in questions:
        score = question.score
        asked_N, other_N = (
            np.array([score(*painted[index, question.medium, manner]) for index in pictures])
            for manner in (question.asked, question.other)
        )
        intervals = [
            bootstrap.interval(values_N, seed=seed)
            for values_N in (asked_N, other_N, asked_N - other_N)
        ]
        effects.append(WordEffect(question.word, question.opposite, question.measure, *intervals))
    entry = [
        [[e.word, e.opposite, e.measure], [list(e.asked), list(e.other), list(e.change)]]
        for e in effects
    ]
    cache.put("words", {"words": entry}, {})
    return effects


def _questions(names: Sequence[str]) -> Iterator[_Question]:
    """One question a word, in a medium of the model that allows the word."""
    known = [name for name in names if name in media.MEDIA]
    medium = "oil" if "oil" in known else known[0]
    manner = Manner.default(medium)
    for direction, opposite in OPPOSITES.items():
        yield _Question(
            direction,
            opposite,
            "correlation with the order asked for",
            medium,
            dataclasses.replace(manner, direction=direction),
            dataclasses.replace(manner, direction=opposite),
            lambda frames_THWC, segments_HW, direction=direction: order_correlation(  # type: ignore[misc]
                frames_THWC, direction, segments_HW
            ),
        )
    for scale, score in (("broad", coarseness), ("fine", fineness)):
        [opposite] = set(SCALES) - {scale}
        yield _Question(
            f"{scale} strokes",
            f"{opposite} strokes",
            "difference of neighbouring pixels half-way, of 255"
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
    pictures: Sequence[int],
    questions: Sequence[_Question],
    generate: Callable[[Batch], np.ndarray],
    batch_size: int,
    watch: Callable[[Iterable, str], Iterable],
) -> Mapping[tuple[int, str, Manner], tuple[np.ndarray, np.ndarray]]:
    """Every picture in every manner: frames and regions by picture, medium and manner."""
    # A dict, since questions share paintings.
    wanted = {
        (index, question.medium, manner): None
        for question in questions
        for manner in (question.asked, question.other)
        for index in pictures
    }
    records = {index: source.record(index) for index in pictures}
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


def order_correlation(
    frames_THWC: np.ndarray, direction: str, segments_HW: np.ndarray | None = None
) -> float:
    """Correlation of the times at which pixels are finished with those of a direction, -1..1.

    A pixel's time is the mean of what remains of its change from the first to the last frame. Times
    are relative to the mean of the pixel's region: which region comes first is not the direction.

    Args:
      frames_THWC: uint8 frames in painted order.
      direction: One of `manner.DIRECTIONS`.
      segments_HW: Labels of the regions; None = a single one.
    """
    frames_THWC = frames_THWC.astype(np.float32)
    remaining_THW = np.abs(frames_THWC - frames_THWC[-1]).sum(-1)
    change_HW = remaining_THW[0]
    y_N, x_N = np.nonzero(change_HW > _PAINTED)
    if len(y_N) < 2:
        return 0.0
    time_N = (remaining_THW.mean(0) / np.maximum(change_HW, 1))[y_N, x_N]
    height, width = change_HW.shape
    due_N = advance(direction, (y_N + 0.5) / height, (x_N + 0.5) / width)
    if segments_HW is not None:
        label_N = segments_HW[y_N, x_N].astype(int)
        count_K = np.maximum(np.bincount(label_N), 1)
        time_N, due_N = (
            values_N - (np.bincount(label_N, values_N) / count_K)[label_N]
            for values_N in (time_N, due_N)
        )
    if time_N.std() < 1e-6 or due_N.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(time_N, due_N)[0, 1])


def fineness(frames_THWC: np.ndarray, segments_HW: np.ndarray | None = None) -> float:
    """Mean difference of neighbouring pixels half-way, of 255."""
    del segments_HW
    middle_HWC = frames_THWC[len(frames_THWC) // 2].astype(np.float32)
    steps = [np.abs(np.diff(middle_HWC, axis=axis)).mean() for axis in (0, 1)]
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
