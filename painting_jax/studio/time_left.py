"""How long a painting takes, by how long the last ones took."""

import dataclasses
import json
import pathlib
import threading
import time

from painting_jax import json_text
from painting_jax.files import written_beside

LOADING, LOOKING, PAINTING, WRITING = STAGES = ("loading", "looking", "painting", "writing")
# Parts of the painting. The first step may have to be compiled, and the last may be the only one
# that is taken at the full size.
_FIRST, _STEP, _LAST = "first", "step", "last"
_NEW = 0.5  # weight of the last measurement against those before


@dataclasses.dataclass(frozen=True)
class Size:
    """What the time depends on.

    Attributes:
      steps: Sampling steps.
      frames: Frames.
      pixels: Pixels of a frame.
      small_steps: Whether all steps but the last are taken small, whatever the size of the frames.
      is_new: Whether programs have to be compiled first.
    """

    steps: int
    frames: int
    pixels: int
    small_steps: bool
    is_new: bool

    @property
    def volume(self) -> float:
        """Megapixels of all frames."""
        return max(1e-3, self.frames * self.pixels / 1e6)

    def units(self, part: str) -> float:
        """What the seconds of a part are divided by to hold for other sizes."""
        if part in (LOADING, LOOKING):
            return 1.0
        if part in (_FIRST, _STEP):
            return float(self.frames) if self.small_steps else self.volume
        return self.volume

    def parts(self) -> list[str]:
        """The parts of a painting, in order."""
        steps = [_FIRST, *[_STEP] * (self.steps - 1)]
        if self.small_steps:
            steps[-1] = _LAST
        return [LOADING, LOOKING, *steps, WRITING]


class Speeds:
    """Seconds of each part of a painting, by model, kept in a file.

    Args:
      path: The file.
    """

    def __init__(self, path: pathlib.Path):
        self._path, self._lock = path, threading.Lock()
        self._rates: dict[str, float] = {}
        try:
            said = json_text.read(path)
            self._rates = {
                str(name): float(rate) for name, rate in said.items() if 0 < float(rate) < 1e6
            }
        except (OSError, ValueError, TypeError, AttributeError):
            # There is none yet, or it is damaged: they are measured again.
            return

    def measured(self, model: str, part: str, size: Size, seconds: float) -> None:
        """Keeps how long a part took."""
        name, rate = _name(model, part, size), seconds / size.units(part)
        with self._lock:
            before = self._rates.get(name, rate)
            self._rates[name] = max(1e-6, _NEW * rate + (1 - _NEW) * before)

    def expected(self, model: str, part: str, size: Size) -> float | None:
        """How long a part will take; None if it is unknown."""
        with self._lock:
            # The time with or without compilation is nearer than none.
            for is_new in (size.is_new, not size.is_new):
                name = _name(model, part, dataclasses.replace(size, is_new=is_new))
                if name in self._rates:
                    return self._rates[name] * size.units(part)
        return None

    def whole(self, model: str, size: Size) -> float | None:
        """How long a painting will take; None if it is unknown."""
        parts = [self.expected(model, part, size) for part in size.parts()]
        return None if None in parts else sum(parts)

    def keep(self) -> None:
        """Writes the file; a full disk loses nothing but this."""
        with self._lock:
            text = json.dumps(self._rates)
        try:
            with written_beside(self._path) as file:
                file.write_text(text)
        except OSError:
            return


def _name(model: str, part: str, size: Size) -> str:
    compiles = size.is_new and part in (_FIRST, _LAST)
    return f"{model} {part}{' compiled' * compiles}"


class Progress:
    """How far a painting is. One thread advances it, others look.

    Args:
      speeds: How long its parts take.
      model: Key of the model.
      size: Its size.
    """

    def __init__(self, speeds: Speeds, model: str, size: Size):
        self._speeds, self._model, self._size = speeds, model, size
        self._parts = size.parts()
        self._at = 0
        self.began = self._since = time.monotonic()

    def advance(self) -> None:
        """The present part is done."""
        now = time.monotonic()
        if self._at < len(self._parts):
            part = self._parts[self._at]
            self._speeds.measured(self._model, part, self._size, now - self._since)
        self._at, self._since = self._at + 1, now

    @property
    def told(self) -> dict:
        """It for the page: stage, steps done of all, seconds gone and left (None if unknown)."""
        now, at = time.monotonic(), min(self._at, len(self._parts) - 1)
        part = self._parts[at]
        steps = self._size.steps
        left = self._left(now, at)
        return {
            "stage": part if part in STAGES else PAINTING,
            "done": min(max(0, at - 2), steps),
            "of": steps,
            "gone": round(now - self.began, 2),
            "left": None if left is None else round(left, 2),
        }

    def _left(self, now: float, at: int) -> float | None:
        seconds = []
        for n, part in enumerate(self._parts[at:]):
            one = self._speeds.expected(self._model, part, self._size)
            if one is None:
                return None
            # A part that takes longer than expected is about to end.
            seconds.append(max(one - (now - self._since), 0.05 * one) if n == 0 else one)
        return sum(seconds)
