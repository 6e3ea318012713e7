"""Compares processes with recorded ones: frames in, numbers and profiles out."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from painting_jax.evaluation.measures import MEASURES, RECORDED, Measured
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import fidelity, pdp, perceptual
from painting_jax.metrics.perceptual import PerceptualDistance

# Numbers of frames and pairs are rounded up to these, so that few shapes are compiled.
_FRAMES_STEP, _PAIRS_STEP = 8, 32


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


def compare(distance: PerceptualDistance, comparison: Comparison) -> list[Measured]:
    """Measures the processes of a comparison.

    Comparisons of one shape with about as many frames share a compilation.

    Returns:
      One row per method, in their order, and last one of the recorded process.
    """
    frames_FHWC = np.concatenate([video.frames_THWC for video in comparison.videos.values()])
    plan = _pairs(comparison)
    pairs_P2 = np.concatenate(list(plan.values()))
    distances_P = perceptual.distances(
        distance,
        _padded(frames_FHWC, _round_up(len(frames_FHWC), _FRAMES_STEP)),
        _padded(pairs_P2, _round_up(len(pairs_P2), _PAIRS_STEP)),
    )
    ends = np.cumsum([len(pairs) for pairs in plan.values()])
    parts = np.split(np.asarray(distances_P)[: ends[-1]], ends[:-1])
    return _measured(comparison, dict(zip(plan, parts, strict=True)))


def _pairs(comparison: Comparison) -> dict[tuple[str, str], np.ndarray]:
    """Which frames are measured against which, int32[P, 2], by method and purpose.

    "own": its frames with its own last one; "finished": its frames with the recorded last one;
    "between": its frames with the recorded ones in between, at the nearest progress.
    """
    videos, recorded = comparison.videos, comparison.recorded
    ends = np.cumsum([len(video.frames_THWC) for video in videos.values()])
    chosen = {}
    for end, (method, video) in zip(ends, videos.items(), strict=True):
        indices_T = np.arange(end - len(video.frames_THWC), end)
        chosen[method, "own"] = _pair(indices_T, end - 1)
        if recorded and method != RECORDED:
            chosen[method, "finished"] = _pair(indices_T, ends[-1] - 1)
            at = perceptual.nearest(video.progress_T, recorded.progress_T[1:-1])
            moments = np.arange(ends[-1] - len(recorded.frames_THWC) + 1, ends[-1] - 1)
            chosen[method, "between"] = _pair(indices_T[at], moments)
    return chosen


def _pair(first_N: np.ndarray, second: np.ndarray | int) -> np.ndarray:
    return np.stack(np.broadcast_arrays(first_N, second), axis=1).astype(np.int32)


def _measured(
    comparison: Comparison, found: Mapping[tuple[str, str], np.ndarray]
) -> list[Measured]:
    """The rows of a comparison from its distances, by the keys of `_pairs`."""
    videos, recorded = comparison.videos, comparison.recorded
    own = [found[method, "own"] for method in videos]
    own_profile_MK = _profiles(own, list(videos.values()))
    profile_MK = np.full_like(own_profile_MK, np.nan)
    columns_M = {"monotonicity": pdp.monotonicity(*_ragged(own))}
    if recorded:
        # The recorded process's last frame is the recorded finished picture.
        finished = [found.get((method, "finished"), own[-1]) for method in videos]
        profile_MK = _profiles(finished, list(videos.values()))
    if recorded and comparison.methods:
        others = list(comparison.methods)
        last_MHWC = np.stack([videos[method].frames_THWC[-1] for method in others])
        finished_MHWC = np.broadcast_to(recorded.frames_THWC[-1], last_MHWC.shape)
        between = [found[method, "between"] for method in others]
        columns_M |= {
            "pdp": pdp.score(profile_MK[:-1], np.repeat(profile_MK[-1:], len(others), axis=0)),
            "between": [d.mean() if len(d) else np.nan for d in between],
            "final_distance": [found[method, "finished"][-1] for method in others],
            "final_ssim": fidelity.ssim(last_MHWC, finished_MHWC),
            "final_psnr": fidelity.psnr(last_MHWC, finished_MHWC),
        }
    rows = []
    for m, (method, video) in enumerate(videos.items()):
        numbers = dict.fromkeys(MEASURES, float("nan"))
        numbers |= {key: float(column[m]) for key, column in columns_M.items() if m < len(column)}
        rows.append(
            Measured(video.name, method, video.medium, numbers, profile_MK[m], own_profile_MK[m])
        )
    return rows


def _profiles(distances: list[np.ndarray], videos: list[Video]) -> np.ndarray:
    distance_BN, mask_BN = _ragged(distances)
    progress_BN, _ = _ragged([video.progress_T for video in videos])
    return np.asarray(pdp.profile(distance_BN, progress_BN, mask_BN))


def _ragged(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths, padded to one of few, and which values are real."""
    width = _round_up(max(map(len, rows)), _FRAMES_STEP)
    values_BN = np.stack([_padded(np.asarray(row, np.float32), width) for row in rows])
    mask_BN = np.arange(width)[None, :] < np.array([len(row) for row in rows])[:, None]
    return values_BN, mask_BN


def _padded(x_N: np.ndarray, size: int) -> np.ndarray:
    return np.pad(x_N, [(0, size - len(x_N))] + [(0, 0)] * (x_N.ndim - 1))


def _round_up(count: int, step: int) -> int:
    return -(-count // step) * step
