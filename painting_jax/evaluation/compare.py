"""Compares processes with recorded ones: frames in, numbers and profiles out."""

import dataclasses
import math
from collections.abc import Mapping

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.evaluation.instruments import Instruments
from painting_jax.evaluation.measures import MEASURES, RECORDED, Measured
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import fidelity, pdp, perceptual

# Numbers of frames and pairs are rounded up, so that few shapes are compiled.
_STEP = 8


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Processes of one picture by several methods, all frames of one shape.

    Attributes:
      methods: videos by method.
      recorded: the recorded process they are compared with, if there is one.
    """

    methods: Mapping[str, Video]
    recorded: Video | None = None

    @property
    def videos(self) -> dict[str, Video]:
        """All of them, the recorded one last."""
        return {**self.methods, **({RECORDED: self.recorded} if self.recorded else {})}


def compare(instruments: Instruments, comparison: Comparison) -> list[Measured]:
    """Measures the processes of a comparison.

    Every frame goes through each backbone once; of the embeddings, those of the recorded process
    and of one other are held at a time. Comparisons of one shape with about as many frames share
    a compilation.

    Returns:
      One row per method, in their order, and last one of the recorded process.
    """
    videos = comparison.videos
    numbers = {method: dict.fromkeys(MEASURES, math.nan) for method in videos}
    profiles = {}
    for key, distance in instruments.distances.items():
        found = _distances(instruments, distance, comparison)
        profiles[key] = _profiles(found, comparison)
        for method in videos:
            numbers[method] |= _of_distance(key, method, found[method], profiles[key])
    for method, video in comparison.methods.items():
        numbers[method] |= _of_last_frame(video, comparison.recorded)
    return [
        Measured(
            video.name,
            method,
            video.medium,
            numbers[method],
            *profiles["distance"][method],
            order=video.order,
            frames=len(video.frames_THWC),
        )
        for method, video in videos.items()
    ]


@dataclasses.dataclass(frozen=True)
class _Distances:
    """Of a video's frames: to its own last one, to the recorded last one, to recorded ones.

    The two latter are empty where there is no recorded process to measure to. `between_N` pairs
    the recorded frames, first and last apart, with the video's at the nearest progress.
    """

    own_T: np.ndarray
    finished_T: np.ndarray
    between_N: np.ndarray


def _distances(
    instruments: Instruments, distance: perceptual.PerceptualDistance, comparison: Comparison
) -> dict[str, _Distances]:
    recorded = comparison.recorded
    nothing = np.zeros(0, np.float32)
    found, recorded_TD = {}, None
    # The recorded one first, for the others are measured to it.
    for method, video in reversed(comparison.videos.items()):
        count = len(video.frames_THWC)
        frames_THWC = _padded(video.frames_THWC, _round_up(count, instruments.devices))
        embedded_TD = perceptual.embed(
            distance, _placed(frames_THWC, instruments), mesh=instruments.mesh
        )
        own_T = _pairs(embedded_TD, embedded_TD, np.arange(count), count - 1)
        finished_T = between_N = nothing
        if recorded is not None and method == RECORDED:
            recorded_TD, finished_T = embedded_TD, own_T
        elif recorded is not None:
            last = len(recorded.frames_THWC) - 1
            finished_T = _pairs(embedded_TD, recorded_TD, np.arange(count), last)
            at = perceptual.nearest(video.progress_T, recorded.progress_T[1:-1])
            between_N = _pairs(embedded_TD, recorded_TD, at, np.arange(1, last))
        found[method] = _Distances(own_T, finished_T, between_N)
    return found


def _pairs(first_TD: jax.Array, second_TD: jax.Array, first_N, second_N) -> np.ndarray:
    """The distances of some rows of the first to some of the second: float32[N]."""
    pairs_N2 = np.stack(np.broadcast_arrays(first_N, second_N), axis=1).astype(np.int32)
    padded_N2 = _padded(pairs_N2, _round_up(len(pairs_N2)))
    return np.asarray(perceptual.between(first_TD, second_TD, padded_N2))[: len(pairs_N2)]


def _profiles(
    found: Mapping[str, _Distances], comparison: Comparison
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Profiles to the recorded finished picture, NaN without one, and to the own last frame."""
    profiles = {}
    for method, video in comparison.videos.items():
        own_K = _profile(found[method].own_T, video.progress_T)
        finished_T = found[method].finished_T
        profile_K = np.full_like(own_K, math.nan)
        if len(finished_T):
            profile_K = _profile(finished_T, video.progress_T)
        profiles[method] = profile_K, own_K
    return profiles


def _of_distance(
    key: str,
    method: str,
    found: _Distances,
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, float]:
    """What one distance says of a process, by the keys of `MEASURES`."""
    numbers = {}
    if key == "distance":
        numbers["monotonicity"] = float(pdp.monotonicity(*_row(found.own_T))[0])
    if RECORDED in profiles and method != RECORDED:
        score, own = (
            float(pdp.score(ours_K[None], theirs_K[None])[0])
            for ours_K, theirs_K in zip(profiles[method], profiles[RECORDED], strict=True)
        )
        mean = float(found.between_N.mean()) if len(found.between_N) else math.nan
        last = float(found.finished_T[-1])
        if key == "distance":
            numbers |= {"pdp": score, "pdp_own": own, "between": mean, "final_distance": last}
        else:
            # The similarity of the two pictures, as these backbones are quoted.
            numbers |= {f"pdp_{key}": score, f"final_{key}": 1 - last}
    return numbers


def _of_last_frame(video: Video, recorded: Video | None) -> dict[str, float]:
    if recorded is None:
        return {}
    ours, theirs = video.frames_THWC[-1:], recorded.frames_THWC[-1:]
    return {
        "final_ssim": float(fidelity.ssim(ours, theirs)[0]),
        "final_psnr": float(fidelity.psnr(ours, theirs)[0]),
    }


def _profile(distance_T: np.ndarray, progress_T: np.ndarray) -> np.ndarray:
    distance_1T, mask_1T = _row(distance_T)
    progress_1T, _ = _row(progress_T)
    return np.asarray(pdp.profile(distance_1T, progress_1T, mask_1T))[0]


def _row(values_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values as a batch of one, padded to one of few lengths, and which of them are real."""
    width = _round_up(len(values_T))
    values_1T = _padded(np.asarray(values_T, np.float32), width)[None]
    return values_1T, (np.arange(width) < len(values_T))[None]


def _placed(frames_THWC: np.ndarray, instruments: Instruments) -> np.ndarray | jax.Array:
    if instruments.mesh is None:
        return frames_THWC
    return jax.device_put(frames_THWC, NamedSharding(instruments.mesh, P("data")))


def _padded(x_N: np.ndarray, size: int) -> np.ndarray:
    return np.pad(x_N, [(0, size - len(x_N))] + [(0, 0)] * (x_N.ndim - 1))


def _round_up(count: int, multiple: int = 1) -> int:
    """One of few numbers from `count` on: at most an eighth more from 64 on, all told few."""
    step = max(_STEP, 2 ** max(0, count.bit_length() - 4))
    step = math.lcm(step, multiple)
    return max(1, -(-count // step)) * step
