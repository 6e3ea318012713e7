"""What a recording was as it came, beside the process that was made of it.

Only the worker that reads a recording sees it: afterwards there is the process alone. So the worker
draws a few small frames of both, which are kept with the record for the page that shows them.
Where nobody collects them, as in `evaluate`, nothing is drawn.
"""

import base64
import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from painting_jax.data import film_strip, pictures, video
from painting_jax.data.curation import options
from painting_jax.data.process import Process

# What progress is measured by, beside `options.MEASURES`: what was stated, the order of pictures.
STATED, ORDER = "stated", "order"
_MEASURES = (*options.MEASURES, STATED, ORDER)

# Frames of a strip, their longer side, and the width of their place in it in pixels.
FRAMES, _SIDE, _CELL = 6, 160, 164
# A process begins and ends within this share of the recording's length of its ends, if it is whole.
_NEAR = 0.02


@dataclasses.dataclass(frozen=True)
class Sighting:
    """A recording as it came, beside its process, at S moments that are evenly spaced.

    Attributes:
      labels: What to call the moments.
      came: The S frames as they came, side by side, as a WebP file; b"" if they were not kept.
      became: The canvas of the process at these moments; b"" if it is that of `came`.
      left_out: Whether the process lacks each moment.
      seconds: Length of the recording; None if its frames have no times.
      measure: What the progress of the process is measured by: one of `options.MEASURES`, `STATED`
        or `ORDER`; "" for a process that was not recorded.
      is_cleaned: Whether it is the canvas that was found in the recording.
      is_turned: Whether the recording runs backwards and was turned round.
      quality: How well the recording shows the process, 0..1; None if it was not judged.
      reasons: What lowers the quality, the worst first.
    """

    labels: tuple[str, ...]
    came: bytes
    became: bytes = b""
    left_out: tuple[bool, ...] = ()
    seconds: float | None = None
    measure: str = ""
    is_cleaned: bool = False
    is_turned: bool = False
    quality: float | None = None
    reasons: tuple[str, ...] = ()

    @classmethod
    def of_process(cls, process: Process) -> Self:
        """A process that was not recorded, by its stored frames."""
        at_S = video.evenly_timed(process.progress.tolist(), FRAMES)
        frames = [pictures.decode(process.frames[t]) for t in at_S]
        labels = tuple(f"{100 * process.progress[t]:.0f} %" for t in at_S)
        return cls(labels, _strip(frames))

    def without_strips(self) -> Self:
        """The same without pictures."""
        return dataclasses.replace(self, came=b"", became=b"")

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        strips = {name: base64.b64encode(getattr(self, name)).decode() for name in _STRIPS}
        return dataclasses.asdict(self) | strips

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        """Reverses `to_json`.

        Raises:
          ValueError, LookupError, TypeError: If it is damaged.
        """
        strips = {name: base64.b64decode(said[name], validate=True) for name in _STRIPS}
        if said["measure"] not in ("", *_MEASURES):
            raise ValueError("no such measure")
        return cls(
            labels=tuple(map(str, said["labels"])),
            left_out=tuple(map(bool, said["left_out"])),
            seconds=None if said["seconds"] is None else float(said["seconds"]),
            measure=said["measure"],
            is_cleaned=bool(said["is_cleaned"]),
            is_turned=bool(said["is_turned"]),
            quality=None if said["quality"] is None else float(said["quality"]),
            reasons=tuple(map(str, said["reasons"])),
            **strips,
        )


_STRIPS = ("came", "became")


class Seen:
    """What is seen of one recording while it is read."""

    def __init__(self) -> None:
        self._came: list[np.ndarray] = []
        self._became: list[np.ndarray] = []
        self._time_S = np.zeros(0)
        self._in_seconds = False
        self._told: dict[str, Any] = {}

    def add_recording(
        self, frames_THWC: np.ndarray, time_T: np.ndarray, *, in_seconds: bool
    ) -> None:
        """See `came`."""
        # What is read again is the part that remains after a cut.
        if not self._came:
            at_S = video.evenly_timed(time_T.tolist(), FRAMES)
            self._came, self._time_S = _small(frames_THWC, at_S), time_T[at_S]
            self._in_seconds = in_seconds

    def add_quality(self, score: float, reasons: Sequence[str]) -> None:
        """See `judged`."""
        self._told |= {"quality": score, "reasons": tuple(reasons)}

    def add_process(
        self,
        frames_THWC: np.ndarray,
        time_T: np.ndarray,
        *,
        measure: str,
        is_cleaned: bool,
        is_turned: bool,
    ) -> None:
        """See `became`."""
        if not self._came:
            return
        in_time_T = np.argsort(time_T)
        # The last frame before a moment shows the canvas at that moment, also after a pause.
        place_S = np.searchsorted(time_T[in_time_T], self._time_S + 1e-6, side="right") - 1
        near = _NEAR * (self._time_S[-1] - self._time_S[0])
        left_out_S = (self._time_S < time_T.min() - near) | (self._time_S > time_T.max() + near)
        if is_cleaned or left_out_S.any():
            self._became = _small(frames_THWC, in_time_T[place_S.clip(0)])
        if measure == options.TIME and not self._in_seconds:
            measure = ORDER
        self._told |= {
            "left_out": tuple(left_out_S.tolist()),
            "measure": measure,
            "is_cleaned": is_cleaned,
            "is_turned": is_turned,
        }

    def sighting(self) -> Sighting | None:
        """What was seen, drawn; None if nothing was."""
        if not self._came:
            return None
        length = float(self._time_S[-1] - self._time_S[0])
        return Sighting(
            labels=_moments(self._time_S) if self._in_seconds else _places(self._time_S),
            came=_strip(self._came),
            became=_strip(self._became),
            seconds=length if self._in_seconds else None,
            **self._told,
        )


_seen: contextvars.ContextVar[Seen | None] = contextvars.ContextVar("sightings", default=None)


@contextlib.contextmanager
def collected() -> Iterator[Seen]:
    """Collects what is seen of a recording that is read in the block."""
    seen = Seen()
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def came(frames_THWC: np.ndarray, time_T: np.ndarray, *, in_seconds: bool) -> None:
    """Says what a recording looks like before anything is done to it.

    Args:
      frames_THWC: uint8 RGB.
      time_T: Seconds, or indices of pictures.
      in_seconds: Which of the two.
    """
    if (seen := _seen.get()) is not None:
        seen.add_recording(frames_THWC, time_T, in_seconds=in_seconds)


def judged(score: float, reasons: Sequence[str]) -> None:
    """Says how well the recording shows the process, 0..1, and what lowers it."""
    if (seen := _seen.get()) is not None:
        seen.add_quality(score, reasons)


def became(
    frames_THWC: np.ndarray,
    time_T: np.ndarray,
    *,
    measure: str,
    is_cleaned: bool,
    is_turned: bool,
) -> None:
    """Says what was made of the recording.

    Args:
      frames_THWC: uint8 RGB in painted order.
      time_T: When each was in the recording.
      measure: What the progress is measured by; the time of pictures is their order.
      is_cleaned: Whether it is the canvas that was found in the recording.
      is_turned: Whether the recording runs backwards.
    """
    if (seen := _seen.get()) is not None:
        seen.add_process(
            frames_THWC, time_T, measure=measure, is_cleaned=is_cleaned, is_turned=is_turned
        )


def _small(frames_THWC: np.ndarray, at_S: Sequence[int] | np.ndarray) -> list[np.ndarray]:
    return [film_strip.resized(frames_THWC[t], _shape(frames_THWC[t])) for t in at_S]


def _shape(frame_HWC: np.ndarray) -> tuple[int, int]:
    return film_strip.shape(frame_HWC, height=_SIDE, width=_SIDE)


def _strip(frames: Sequence[np.ndarray]) -> bytes:
    return film_strip.drawn(frames, _shape(frames[0]), cell=_CELL) if frames else b""


def _moments(second_S: np.ndarray) -> tuple[str, ...]:
    if second_S[-1] < 10:
        return tuple(f"{second:.1f} s" for second in second_S)
    clock = [divmod(round(float(second)), 60) for second in second_S]
    return tuple(f"{minutes}:{seconds:02}" for minutes, seconds in clock)


def _places(index_S: np.ndarray) -> tuple[str, ...]:
    return tuple(f"no. {int(index) + 1}" for index in index_S)
