"""Methods compared with the recorded processes as sets: FID, KID and textures, streaming."""

import collections
import dataclasses
from collections.abc import Mapping

import numpy as np

from painting_jax.evaluation.measures import RECORDED, Measured
from painting_jax.evaluation.outcome import Outcome
from painting_jax.evaluation.padding import padded, round_up
from painting_jax.metrics import frechet, kernel_distance, realism, texture

# Parts of the progress in which frames are compared, and how many of each a set keeps for KID.
BINS, _KEPT = 4, 512

# With fewer recorded processes a medium has no set of its own.
LEAST = 3

# Sets of different pictures differ in what they show: with fewer, that is all that they tell.
FEWEST = 10


@dataclasses.dataclass(frozen=True)
class SetNumbers:
    """How far a method's frames are from recorded ones, as sets; NaN with fewer than two.

    Attributes:
      fid: of the finished pictures.
      kid: of the same.
      n: pictures of the side that has fewer.
      deficient: whether there are too few pictures for FID, which is too large then: compare it
        only with others of the same number.
      fid_Q: of frames at the same progress, over `BINS` equal parts of it.
      kid_Q: of the same.
      count_Q: frames of the side that has fewer.
    """

    fid: float
    kid: float
    n: int
    deficient: bool
    fid_Q: np.ndarray
    kid_Q: np.ndarray
    count_Q: np.ndarray


class _Side:
    """The frames of one method so far."""

    def __init__(self, width: int):
        self.frames = realism.empty(BINS, width, capacity=_KEPT)
        self.final = frechet.empty(width)
        self.sample = kernel_distance.empty(_KEPT, width)

    def add(self, name: str, frame_TC: np.ndarray, progress_T: np.ndarray) -> None:
        count = len(frame_TC)
        size = round_up(count)
        mask_T = np.arange(size) < count
        priority_T = kernel_distance.priorities([f"{name}/{t}" for t in range(count)])
        self.frames = realism.add(
            self.frames,
            padded(frame_TC, size),
            padded(progress_T, size),
            padded(priority_T, size),
            mask_T,
        )
        last_1C, one = frame_TC[-1:], np.ones(1, bool)
        self.final = frechet.add(self.final, last_1C, one)
        self.sample = kernel_distance.add(self.sample, last_1C, priority_T[-1:], one)


class Sets:
    """What is known of each method's frames; the memory does not grow with their number."""

    def __init__(self):
        self._sides: dict[str, _Side] = {}
        # By medium; "" stands for all of them.
        self._textures: dict[str, texture.Textures] = {}
        self._recorded: collections.Counter[str] = collections.Counter()

    def add(self, outcome: Outcome) -> None:
        """Takes in what was measured of a picture."""
        for row in outcome.rows:
            frame_TC = outcome.features.get(("frame", row.method))
            if frame_TC is None:
                continue
            side = self._sides.setdefault(row.method, _Side(frame_TC.shape[1]))
            side.add(f"{row.method}/{row.name}", frame_TC, outcome.features["progress", row.method])

    def add_textures(self, outcome: Outcome) -> None:
        """Takes in the textures of recorded processes, and measures those of others by them."""
        for row in outcome.rows:
            texture_QS = _textures_of(row, outcome)
            if texture_QS is None:
                continue
            if row.method == RECORDED:
                for medium in {"", row.medium}:
                    self._recorded[medium] += 1
                    known = self._textures.get(medium, texture.empty(texture_QS.shape[1]))
                    everyone = np.ones(len(texture_QS), bool)
                    self._textures[medium] = texture.add(known, texture_QS, everyone)
            elif self._textures:
                _hold_against(self._textures[self._set_of(row)], row, texture_QS)

    def mark_textures(self, row: Measured, outcome: Outcome) -> None:
        """Measures a recorded process by the others of its set: what a painter's own come to."""
        texture_QS = _textures_of(row, outcome)
        if texture_QS is not None and self._recorded[self._set_of(row)] > 1:
            others = texture.without(self._textures[self._set_of(row)], texture_QS)
            _hold_against(others, row, texture_QS)

    def _set_of(self, row: Measured) -> str:
        return row.medium if self._recorded[row.medium] >= LEAST else ""

    def compare(self) -> Mapping[str, SetNumbers]:
        """Every method beside the recorded processes, as far as there are both."""
        theirs = self._sides.get(RECORDED)
        if theirs is None:
            return {}
        return {
            method: _compared(side, theirs)
            for method, side in self._sides.items()
            if method != RECORDED
        }


def _textures_of(row: Measured, outcome: Outcome) -> np.ndarray | None:
    texture_QS = outcome.features.get(("texture", row.method))
    return None if texture_QS is None else np.asarray(texture_QS, np.float32)


def _hold_against(known: texture.Textures, row: Measured, texture_QS: np.ndarray) -> None:
    apart = float(np.mean(texture.to_set(known, texture_QS)))
    row.numbers["texture_to_set"] = apart if np.isfinite(apart) else float("nan")


def _compared(ours: _Side, theirs: _Side) -> SetNumbers:
    n = min(int(ours.final.count), int(theirs.final.count))
    fid, kid, deficient = float("nan"), float("nan"), True
    if n >= 2:
        fid, deficient = frechet.distance(ours.final, theirs.final)
        sides = (ours.sample, theirs.sample)
        features = [side.features_RD for side in sides]
        kid = float(kernel_distance.discrepancy(*features, *(side.mask_R for side in sides)))
    found = realism.compare(ours.frames, theirs.frames)
    return SetNumbers(fid, kid, n, deficient, found.fid_Q, found.kid_Q, found.count_Q)
