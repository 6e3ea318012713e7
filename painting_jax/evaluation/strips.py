"""The processes that a report shows: which ones, and a few frames of each side by side."""

import collections
import math
from collections.abc import Mapping, Sequence

import numpy as np

from painting_jax.data import film_strip
from painting_jax.evaluation.measures import MEASURES, MeasuredProcess
from painting_jax.evaluation.result import Strip
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import perceptual

# Number and height of the frames of a strip, at most; larger ones only make the page slow.
_FRAMES, _HEIGHT = 9, 192

# Number of pictures in a report; all are measured.
SHOWN = 12

# Measures that rank pictures from best to worst, in words; the first that was measured is used.
_RANKED_BY = {
    "between": "how far its frames are from the recorded ones",
    "to_band": "how far its pace is from that of the recorded set",
    "monotonicity": "how steadily it goes towards its picture",
}

# With fewer pictures, all are shown anyway.
_FEW = 4


def strip(videos: Mapping[str, Video], *, input_HWC: np.ndarray | None = None) -> Strip:
    """Draws frames of each video at evenly spaced progress, or all frames if there are fewer.

    The first video defines the strip's name, medium and frame size.

    Args:
      videos: Videos by method.
      input_HWC: The input picture, uint8, if it is known.
    """
    first = next(iter(videos.values()))
    columns = min(_FRAMES, max(len(video.frames_THWC) for video in videos.values()))
    progress_S = np.linspace(0, 1, columns)
    shape_HW = film_strip.shape(first.frames_THWC[0], height=_HEIGHT)
    rows = {}
    for method, video in videos.items():
        at_S = perceptual.nearest(video.progress_T, progress_S)
        rows[method] = film_strip.drawn([video.frames_THWC[t] for t in at_S], shape_HW)
    given = b""
    if input_HWC is not None:
        given = film_strip.drawn([input_HWC], film_strip.shape(input_HWC, height=_HEIGHT))
    return Strip(first.name, first.medium, progress_S, shape_HW, rows, given)


def choose(
    pictures: Sequence[Sequence[MeasuredProcess]], judged: Sequence[str], *, shown: int = SHOWN
) -> list[tuple[int, str]]:
    """Chooses the pictures to show: where methods do worst and best, then the first ones.

    Args:
      pictures: Processes of each picture.
      judged: Evaluated methods; the worst and best picture of each is shown while there is room.
      shown: Maximum number of pictures.

    Returns:
      Index and reason of each; the reason is "" for those that are merely first.
    """
    why: dict[int, list[str]] = {}
    for place, word in ((-1, "Worst"), (0, "Best"), (-2, "Second worst")):
        for method in judged:
            key, ranked = _ranked(pictures, method)
            if len(ranked) >= _FEW and (ranked[place] in why or len(why) < shown):
                of = f"{method}'s {len(ranked)}" if len(judged) > 1 else len(ranked)
                reason = f"{word} of {of} by {_RANKED_BY[key]}."
                why.setdefault(ranked[place], []).append(reason)
    for index in _round_robin(pictures, judged):
        if len(why) < shown:
            why.setdefault(index, [])
    return [(index, " ".join(sentences)) for index, sentences in why.items()]


def _round_robin(pictures: Sequence[Sequence[MeasuredProcess]], judged: Sequence[str]) -> list[int]:
    """The first picture of every method and medium, then the second; recorded-only ones last."""
    seen: collections.Counter = collections.Counter()
    order = []
    for index, rows in enumerate(pictures):
        kind = (tuple(row.method for row in rows), rows[0].medium)
        seen[kind] += 1
        recorded_only = not any(row.method in judged for row in rows)
        order.append((recorded_only, seen[kind], index))
    return [index for *_, index in sorted(order)]


def _ranked(pictures: Sequence[Sequence[MeasuredProcess]], method: str) -> tuple[str, list[int]]:
    """The measure that ranks a method's pictures, and their indices from best to worst."""
    for key in _RANKED_BY:
        values = {
            index: row.numbers[key]
            for index, rows in enumerate(pictures)
            for row in rows
            if row.method == method and math.isfinite(row.numbers[key])
        }
        if values:
            sign = 1 if MEASURES[key].better == "lower" else -1
            return key, sorted(values, key=lambda index: sign * values[index])
    return "", []
