"""Compares processes with recorded ones: frames in, numbers and profiles out."""

import dataclasses
import math
from collections.abc import Mapping

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.errors import UserError
from painting_jax.evaluation import on_canvas
from painting_jax.evaluation.instruments import Instruments
from painting_jax.evaluation.measures import MEASURES, RECORDED, Measured
from painting_jax.evaluation.padding import padded, round_up, row
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import look, pdp, perceptual, stages, texture
from painting_jax.metrics.lpips import LPIPS
from painting_jax.metrics.perceptual import PerceptualDistance

# Textures are compared at so many moments: their statistics are long.
MOMENTS = (0.25, 0.5, 0.75, 1.0)

# A pace that bends less has no stages.
_STAGED = 0.5

Features = dict[tuple[str, str], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Processes of one picture by several methods, all frames of one shape.

    Attributes:
      methods: videos by method.
      recorded: the recorded process they are compared with, if there is one.
      segments_HW: uint8, the regions of the recorded finished picture, 0 = unlabelled.
    """

    methods: Mapping[str, Video]
    recorded: Video | None = None
    segments_HW: np.ndarray | None = None

    @property
    def videos(self) -> dict[str, Video]:
        """All of them, the recorded one last."""
        return {**self.methods, **({RECORDED: self.recorded} if self.recorded else {})}


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What a network says of a video's T frames.

    Attributes:
      embedded_TD: padded, on the device.
      vector_TC: float32, one a frame.
      texture_QS: at `MOMENTS`; None of networks without a place for texture.
      drift: of the texture.
    """

    embedded_TD: jax.Array
    vector_TC: np.ndarray
    texture_QS: np.ndarray | None = None
    drift: float = math.nan


@dataclasses.dataclass(frozen=True)
class _Distances:
    """Of a video's frames: to its own last one, to the recorded last one, to recorded ones.

    The two latter are empty where there is no recorded process to measure to. `between_N` pairs
    the recorded frames, first and last apart, with the video's at the nearest progress; `last_D` is
    the last frame as it is embedded.
    """

    own_T: np.ndarray
    finished_T: np.ndarray
    between_N: np.ndarray
    last_D: np.ndarray


def compare(instruments: Instruments, comparison: Comparison) -> tuple[list[Measured], Features]:
    """Measures the processes of a comparison.

    Every frame goes through each backbone once; of the embeddings, those of the recorded process
    and of one other are held at a time. Comparisons of one shape with about as many frames share
    a compilation.

    Returns:
      One row per method, in their order, and last one of the recorded process; and what sets of
      processes are compared by, by what it is and the method: "frame" float32[T, C] with
      "progress" float32[T], "texture" float32[Q, S], and of the last frame "clip" and "dino"
      float32[D], as far as they were named.

    Raises:
      UserError: if a network gives what is no number.
    """
    videos = comparison.videos
    numbers = {method: dict.fromkeys(MEASURES, math.nan) for method in videos}
    features: Features = {}
    for key, distance in instruments.distances.items():
        found = _distances(instruments, distance, comparison, numbers, features)
        profiles = {method: _profiles(found[method], video) for method, video in videos.items()}
        for method in videos:
            numbers[method] |= _of_distance(key, method, found[method], profiles)
        if key == "distance":
            chief = profiles
        else:
            features |= {(key, method): found[method].last_D for method in videos}
    if instruments.features is not None:
        for method, video in videos.items():
            count = len(video.frames_THWC)
            features["frame", method] = np.asarray(
                _embedded(instruments, instruments.features, video)
            )[:count]
    on_canvas.measure(comparison.methods, comparison.recorded, comparison.segments_HW, numbers)
    rows = [
        Measured(
            video.name,
            method,
            video.medium,
            numbers[method] | _staged(*chief[method], chief.get(RECORDED)),
            *chief[method],
            order=video.order,
            frames=len(video.frames_THWC),
            picture=video.picture,
            cut=video.cut,
        )
        for method, video in videos.items()
    ]
    features |= {("progress", method): video.progress_T for method, video in videos.items()}
    return rows, features


def _distances(
    instruments: Instruments,
    distance: PerceptualDistance,
    comparison: Comparison,
    numbers: dict[str, dict[str, float]],
    features: Features,
) -> dict[str, _Distances]:
    """The distances of every video; what else the network says is added to the rest."""
    recorded = comparison.recorded
    nothing = np.zeros(0, np.float32)
    found, theirs = {}, None
    # The recorded one first, for the others are measured to it.
    for method, video in reversed(comparison.videos.items()):
        count = len(video.frames_THWC)
        seen = _seen(instruments, distance, video)
        own_T = _pairs(seen.embedded_TD, seen.embedded_TD, np.arange(count), count - 1)
        if not np.isfinite(own_T).all():
            raise UserError(
                f"{distance.label} gives distances that are no numbers: its weights are damaged"
            )
        finished_T = between_N = nothing
        if recorded is not None and method == RECORDED:
            theirs, finished_T = seen, own_T
        elif recorded is not None:
            last = len(recorded.frames_THWC) - 1
            finished_T = _pairs(seen.embedded_TD, theirs.embedded_TD, np.arange(count), last)
            at = perceptual.nearest(video.progress_T, recorded.progress_T[1:-1])
            between_N = _pairs(seen.embedded_TD, theirs.embedded_TD, at, np.arange(1, last))
        found[method] = _Distances(own_T, finished_T, between_N, seen.vector_TC[-1])
        if seen.texture_QS is not None:
            numbers[method]["texture_drift"] = seen.drift
            features["frame", method] = seen.vector_TC
            features["texture", method] = seen.texture_QS
            if theirs is not None and method != RECORDED:
                apart_Q = np.linalg.norm(seen.texture_QS - theirs.texture_QS, axis=1)
                numbers[method]["texture_apart"] = float(apart_Q.mean())
    return found


def _seen(instruments: Instruments, distance: PerceptualDistance, video: Video) -> _Seen:
    count = len(video.frames_THWC)
    if not isinstance(distance, LPIPS):
        embedded_TD = _embedded(instruments, distance, video)
        return _Seen(embedded_TD, np.asarray(embedded_TD)[:count])
    frames_1THWC, mask_1T = row(video.frames_THWC, instruments.devices)
    done_TIJ = np.asarray(texture.finished(frames_1THWC, mask_1T)[0], np.float32)
    before_TIJ = np.concatenate([np.zeros_like(done_TIJ[:1]), done_TIJ[:-1]])
    given = (_placed(x, instruments) for x in (frames_1THWC[0], before_TIJ, done_TIJ))
    found = look.look(distance, *given, mesh=instruments.mesh)
    drift = texture.drift_of(found.before, found.after, done_TIJ.mean(axis=(1, 2)))
    at_Q = perceptual.nearest(video.progress_T, np.array(MOMENTS))
    return _Seen(
        found.embedded_FD,
        np.asarray(found.vector_FC)[:count],
        np.asarray(found.texture_FS[at_Q]),
        float(drift),
    )


def _embedded(instruments: Instruments, distance: PerceptualDistance, video: Video) -> jax.Array:
    frames_THWC = padded(video.frames_THWC, round_up(len(video.frames_THWC), instruments.devices))
    return perceptual.embed(distance, _placed(frames_THWC, instruments), mesh=instruments.mesh)


def _pairs(first_TD: jax.Array, second_TD: jax.Array, first_N, second_N) -> np.ndarray:
    """The distances of some rows of the first to some of the second: float32[N]."""
    pairs_N2 = np.stack(np.broadcast_arrays(first_N, second_N), axis=1).astype(np.int32)
    padded_N2 = padded(pairs_N2, round_up(len(pairs_N2)))
    return np.asarray(perceptual.between(first_TD, second_TD, padded_N2))[: len(pairs_N2)]


def _profiles(found: _Distances, video: Video) -> tuple[np.ndarray, np.ndarray]:
    """Profiles to the recorded finished picture, NaN without one, and to the own last frame."""
    progress_1T, _ = row(video.progress_T)
    own_K, finished_K = (
        np.asarray(pdp.profile(distance_1T, progress_1T, mask_1T))[0]
        for distance_1T, mask_1T in (
            row(found.own_T),
            row(found.finished_T if len(found.finished_T) else found.own_T),
        )
    )
    return finished_K if len(found.finished_T) else np.full_like(own_K, math.nan), own_K


def _of_distance(
    key: str,
    method: str,
    found: _Distances,
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, float]:
    """What one distance says of a process, by the keys of `MEASURES`."""
    numbers = {}
    if key == "distance":
        numbers["monotonicity"] = float(pdp.monotonicity(*row(found.own_T))[0])
    if RECORDED in profiles and method != RECORDED and len(found.finished_T):
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


def _staged(
    profile_K: np.ndarray, own_K: np.ndarray, recorded: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, float]:
    """Where the stages of a process begin, and how far from where the recorded one's do."""
    curve_K = profile_K if np.isfinite(profile_K).all() else own_K
    found = stages.stages(curve_K[None])
    if float(found.gain_B[0]) < _STAGED:
        return {}
    blocking, detail = map(float, found.boundary_B2[0])
    numbers = {"blocking_at": blocking, "detail_at": detail}
    if recorded is not None and recorded[0] is not profile_K:
        theirs = stages.stages(recorded[0][None])
        if float(theirs.gain_B[0]) >= _STAGED:
            apart = np.abs(np.asarray(theirs.boundary_B2[0]) - np.array([blocking, detail]))
            numbers["stages_off"] = float(apart.mean())
    return numbers


def _placed(frames_THWC: np.ndarray, instruments: Instruments) -> np.ndarray | jax.Array:
    if instruments.mesh is None:
        return frames_THWC
    return jax.device_put(frames_THWC, NamedSharding(instruments.mesh, P("data")))
