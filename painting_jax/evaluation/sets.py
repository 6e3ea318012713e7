"""Methods compared with the recorded processes as sets: FID, KID, textures, bands of profiles.

Perceptual distance profiles hardly notice blurred frames; FID, KID and textures do.
"""

import collections
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.evaluation.cache import Outcome
from painting_jax.evaluation.compiling import quickly
from painting_jax.evaluation.measures import OTHER_PICTURE, RECORDED, MeasuredProcess
from painting_jax.evaluation.result import BINS, SetDistances
from painting_jax.metrics import fid, kid, pdp, texture
from painting_jax.metrics.padding import padded, round_up, round_up_frames
from painting_jax.metrics.pdp import Band

# Key of the set of all media.
ALL_MEDIA = ""

# Features of a set that are kept for KID.
_CAPACITY = 512

# Recorded processes that a medium needs for a set of its own.
MIN_PROCESSES = 3

# Pictures that KID needs, and that sets of different pictures need for FID, too: with fewer, both
# only tell what the pictures show.
MIN_PICTURES = 10


class FrameSet(NamedTuple):
    """Features of streamed frames in Q bins of progress; memory does not grow with their number.

    Attributes:
      moments: Moments of each bin, for FID.
      reservoir: Sample of each bin, for KID.
    """

    moments: fid.Moments
    reservoir: kid.Reservoir


def empty(bins: int, width: int, *, capacity: int = _CAPACITY) -> FrameSet:
    """A set of no frames.

    Args:
      bins: Number Q of equal parts of the progress.
      width: Dimension D of the features; memory is Q D (D + capacity) floats.
      capacity: Number of features of a bin that are kept for KID.
    """
    return FrameSet(fid.empty(width, bins), kid.empty(capacity, width, bins))


@functools.partial(jax.jit, donate_argnums=0)
def add(
    frames: FrameSet,
    features_ND: jax.Array,
    progress_N: jax.Array,
    priority_N: jax.Array,
    mask_N: jax.Array,
) -> FrameSet:
    """Adds a batch of frames; the buffers of `frames` are reused.

    Args:
      frames: The set so far.
      features_ND: float32.
      progress_N: Progress in [0, 1]; 1 belongs to the last bin.
      priority_N: uint32, from `kid.priorities` of the frames' names.
      mask_N: bool, True for frames, False for padding.
    """
    bins = frames.moments.count.shape[0]
    bin_N = jnp.clip(jnp.floor(progress_N * bins), 0, bins - 1)

    def add_to_bin(frames_of_bin, q):
        mine_N = mask_N & (bin_N == q)
        return FrameSet(
            fid.add(frames_of_bin.moments, features_ND, mine_N),
            kid.add(frames_of_bin.reservoir, features_ND, priority_N, mine_N),
        )

    return jax.lax.map(lambda args: add_to_bin(*args), (frames, jnp.arange(bins)))


def distances(generated: FrameSet, recorded: FrameSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """FID and KID in every bin, NaN with fewer than two frames on a side, and the frames there.

    Frames of equal priority, which have the same name in both sets, are not compared by KID.

    Returns:
      fid_Q, kid_Q and count_Q, the number of frames on the smaller side.
    """
    sides = (generated, recorded)
    count_Q = np.minimum(*(np.asarray(side.moments.count) for side in sides))
    kid_Q = jax.vmap(kid.discrepancy)(
        *(side.reservoir.features_RD for side in sides),
        *(side.reservoir.mask_R for side in sides),
        *(side.reservoir.priority_R for side in sides),
    )
    fid_Q = np.full(len(count_Q), np.nan)
    for q in np.flatnonzero(count_Q >= 2):
        of_bin = (jax.tree.map(lambda x, q=q: x[q], side.moments) for side in sides)
        fid_Q[q] = fid.distance(*of_bin).distance
    return fid_Q, np.where(count_Q >= 2, kid_Q, np.nan), count_Q


class _Method:
    """The frames of one method: all of them by progress, and the last ones."""

    def __init__(self, width: int):
        self.frames = empty(BINS, width)
        self.final = empty(1, width)

    def add(self, name: str, frame_TC: np.ndarray, progress_T: np.ndarray) -> None:
        count = len(frame_TC)
        size = round_up_frames(count)
        priority_T = kid.priorities([f"{name}/{t}" for t in range(count)])
        arrays = (padded(x, size) for x in (frame_TC, progress_T, priority_T))
        self.frames = quickly(add, self.frames, *arrays, np.arange(size) < count)
        # A last frame is known by its process alone: processes have different numbers of frames.
        last = (frame_TC[-1:], progress_T[-1:], kid.priorities([name]))
        self.final = quickly(add, self.final, *last, np.ones(1, bool))


class Sets:
    """The frames of each method, streamed picture by picture; memory does not grow with them."""

    def __init__(self):
        self._methods: dict[str, _Method] = {}
        # By medium.
        self._textures: dict[str, texture.Textures] = {}
        self._recorded: collections.Counter[str] = collections.Counter()

    def add(self, outcome: Outcome) -> None:
        """Adds the processes of a picture; recorded textures must come before all others."""
        for row in outcome.rows:
            frame_TC = outcome.features.get(("frame", row.method))
            # Processes of other recorded pictures are the recorded set again, in another order.
            if frame_TC is not None and row.method != OTHER_PICTURE:
                method = self._methods.setdefault(row.method, _Method(frame_TC.shape[1]))
                progress_T = outcome.features["progress", row.method]
                method.add(row.name, frame_TC, progress_T)
            texture_QS = _texture(row, outcome)
            if texture_QS is None:
                continue
            if row.method == RECORDED:
                for medium in {ALL_MEDIA, row.medium}:
                    self._recorded[medium] += 1
                    known = self._textures.get(medium, texture.empty(texture_QS.shape[1]))
                    everyone = np.ones(len(texture_QS), bool)
                    self._textures[medium] = texture.add(known, texture_QS, everyone)
            elif self._textures:
                _measure_texture(row, texture_QS, self._textures[self._set_of(row)])

    @property
    def has_textures(self) -> bool:
        """Whether any recorded process came with textures."""
        return bool(self._textures)

    def measure_recorded_textures(self, rows: list[MeasuredProcess], outcome: Outcome) -> None:
        """Compares recorded processes with the rest of their set, as a reference for the others.

        Args:
          rows: Processes of a picture that was added before; their numbers are extended.
          outcome: Outcome with their textures.
        """
        for row in rows:
            texture_QS = _texture(row, outcome)
            if row.method == RECORDED and texture_QS is not None:
                medium = self._set_of(row)
                if self._recorded[medium] > 1:
                    others = texture.without(self._textures[medium], texture_QS)
                    _measure_texture(row, texture_QS, others)

    def _set_of(self, row: MeasuredProcess) -> str:
        return row.medium if self._recorded[row.medium] >= MIN_PROCESSES else ALL_MEDIA

    def distances(self) -> Mapping[str, SetDistances]:
        """Distances of every method to the recorded processes, if there are any."""
        recorded = self._methods.get(RECORDED)
        if recorded is None:
            return {}
        return {
            name: _set_distances(method, recorded)
            for name, method in self._methods.items()
            if name != RECORDED
        }


def _texture(row: MeasuredProcess, outcome: Outcome) -> np.ndarray | None:
    texture_QS = outcome.features.get(("texture", row.method))
    return None if texture_QS is None else np.asarray(texture_QS, np.float32)


def _measure_texture(
    row: MeasuredProcess, texture_QS: np.ndarray, recorded: texture.Textures
) -> None:
    distance = float(np.mean(texture.to_set(recorded, texture_QS)))
    row.numbers["texture_to_set"] = distance if np.isfinite(distance) else float("nan")


def _set_distances(ours: _Method, theirs: _Method) -> SetDistances:
    fid_1, kid_1, count_1 = distances(ours.final, theirs.final)
    n, width = int(count_1[0]), ours.final.moments.mean_D.shape[-1]
    fid_Q, kid_Q, count_Q = distances(ours.frames, theirs.frames)
    kid_Q = np.where(count_Q < MIN_PICTURES, np.nan, kid_Q)
    kid_final = float(kid_1[0]) if n >= MIN_PICTURES else np.nan
    return SetDistances(float(fid_1[0]), kid_final, n, n <= width, fid_Q, kid_Q, count_Q)


def measure_bands(rows: Sequence[MeasuredProcess]) -> dict[str, Band]:
    """Computes the bands of the recorded set by medium, and adds their measures to the rows.

    A process is compared with the band of its medium, or of the whole set if the medium has none. A
    recorded process is compared with the band of the others, as a reference.
    """
    recorded = {ALL_MEDIA: [row for row in rows if row.method == RECORDED]}
    count = collections.Counter(row.medium for row in recorded[ALL_MEDIA])
    for medium in sorted(count):
        if medium and count[medium] >= MIN_PROCESSES:
            recorded[medium] = [row for row in recorded[ALL_MEDIA] if row.medium == medium]
    bands = {medium: _band(others) for medium, others in recorded.items()}
    for process in rows:
        medium = process.medium if process.medium in bands else ALL_MEDIA
        band = bands[medium]
        if process.method == RECORDED:
            if band.n < MIN_PROCESSES:
                continue
            band = _band(recorded[medium], without=process)
        own_1K = process.own_profile_K[None]
        process.numbers["to_band"] = float(pdp.to_band(own_1K, band)[0])
        process.numbers["in_band"] = float(pdp.inside(own_1K, band)[0])
    return bands


def _band(recorded: Sequence[MeasuredProcess], *, without: MeasuredProcess | None = None) -> Band:
    size = round_up(len(recorded))
    profiles_NK = padded(np.stack([process.own_profile_K for process in recorded]), size)
    counts_N = np.array([process is not without for process in recorded])
    band = pdp.band(profiles_NK, padded(counts_N, size))
    low, middle, high = map(np.asarray, band[:3])
    return Band(low, middle, high, int(band.n))
