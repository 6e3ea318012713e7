"""Compares the processes of one picture with the recorded one: frames in, numbers out."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.errors import UserError
from painting_jax.evaluation.compiling import quickly
from painting_jax.evaluation.measures import MEASURES, RECORDED, MeasuredProcess
from painting_jax.evaluation.networks import Networks
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import fidelity, lpips, pdp, perceptual, regions, temporal, texture
from painting_jax.metrics.padding import padded, round_up, row
from painting_jax.metrics.perceptual import PerceptualDistance

# Progress of the frames whose textures are compared; few, since their statistics are long.
_TEXTURE_PROGRESS = (0.25, 0.5, 0.75, 1.0)

# Profiles with a smaller `pdp.Bends.gain_B` have no bends.
_BENT = 0.5

# Frames that go through a network in one call.
_CHUNK = 8

# Number of regions of a label map that are measured, at most.
_REGIONS = 16

# Share of a region's first distance at which it is finished.
_LOW = 0.25

# Delta E / 100 that is not visible: bare paper is finished from the start, whatever a codec does.
_INVISIBLE = 0.02

# Arrays by kind and method, for comparing sets of processes.
Features = dict[tuple[str, str], np.ndarray]
_Numbers = dict[str, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Group:
    """The processes of one picture, measured together. All frames have the same shape.

    Attributes:
      methods: Videos by method.
      recorded: The recorded process that they are compared with, if there is one.
      segments_HW: uint8 regions of the recorded finished picture, 0 = unlabelled; None = unknown.
      input_HWC: The input picture, uint8, if it is known.
      shown: Videos to show, by method; None = those that are measured.
      video: Path of the generated video within the report, or "".
      skipped: What of the group could not be used, one line each.
      notes: What a reader has to know about it, one line each.
    """

    methods: Mapping[str, Video]
    recorded: Video | None = None
    segments_HW: np.ndarray | None = None
    input_HWC: np.ndarray | None = None
    shown: Mapping[str, Video] | None = None
    video: str = ""
    skipped: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def videos(self) -> dict[str, Video]:
        """All videos by method, the recorded one last."""
        return {**self.methods, **({RECORDED: self.recorded} if self.recorded else {})}


class _Seen(NamedTuple):
    """Output of a network for a video's T frames.

    Attributes:
      embedded: Embeddings of the frames in chunks of one size, padded, on the device.
      vector_TC: One vector per frame, float32.
      texture_QS: Texture at `_TEXTURE_PROGRESS`; None if the network has no feature maps for it.
      drift: Drift of the texture.
    """

    embedded: list[jax.Array]
    vector_TC: np.ndarray
    texture_QS: np.ndarray | None = None
    drift: float = math.nan


class _Distances(NamedTuple):
    """Distances of a video's frames.

    Attributes:
      own_T: Distance to the video's own last frame.
      finished_T: Distance to the recorded last frame; empty without a recorded process.
      between_N: Distance of the recorded frames between first and last to the video's frames at the
        nearest progress; empty without a recorded process.
      last_D: Embedding of the last frame.
    """

    own_T: np.ndarray
    finished_T: np.ndarray
    between_N: np.ndarray
    last_D: np.ndarray


def compare(networks: Networks, group: Group) -> tuple[list[MeasuredProcess], Features]:
    """Measures the processes of a group.

    Every frame goes through each network once. The embeddings of at most two processes are held at
    a time, those of the recorded one and of one other. Groups with the same frame size and a
    similar number of frames share a compilation.

    Returns:
      One row per method, in their order, then one for the recorded process; and arrays for
      comparing sets, by kind and method: "frame" float32[T, C] with "progress" float32[T],
      "texture" float32[Q, S], and for the last frame "clip" and "dino" float32[D], as far as the
      networks provide them.

    Raises:
      UserError: If a network returns NaN.
    """
    videos = group.videos
    numbers = {method: dict.fromkeys(MEASURES, math.nan) for method in videos}
    features: Features = {}
    for key, distance in networks.distances.items():
        distances = _distances(networks, distance, group, numbers, features)
        profiles = {method: _profiles(distances[method], videos[method]) for method in videos}
        for method in videos:
            numbers[method] |= _distance_numbers(key, method, distances[method], profiles)
        if key == "distance":
            main_profiles = profiles
        else:
            features |= {(key, method): distances[method].last_D for method in videos}
    if networks.features is not None:
        for method, video in videos.items():
            vectors = jax.device_get(_embedded(networks, networks.features, video))
            features["frame", method] = np.concatenate(vectors)[: len(video.frames_THWC)]
    _measure_motion(group, numbers)
    if group.recorded is not None:
        _measure_finished_picture(group, numbers)
        if group.segments_HW is not None and group.segments_HW.any():
            _measure_regions(group, numbers)
    rows = []
    for method, video in videos.items():
        profile_K, own_K = main_profiles[method]
        recorded_K = main_profiles[RECORDED][0] if method != RECORDED and group.recorded else None
        rows.append(
            MeasuredProcess(
                video.name,
                method,
                video.medium,
                numbers[method] | _bend_numbers(profile_K, own_K, recorded_K),
                profile_K,
                own_K,
                order=video.order,
                frames=len(video.frames_THWC),
                picture=video.picture,
                cut=video.cut,
            )
        )
    features |= {("progress", method): video.progress_T for method, video in videos.items()}
    return rows, features


def _distances(
    networks: Networks,
    distance: PerceptualDistance,
    group: Group,
    numbers: _Numbers,
    features: Features,
) -> dict[str, _Distances]:
    """Distances of every video; also adds texture to `numbers` and `features`."""
    recorded = group.recorded
    nothing = np.zeros(0, np.float32)
    distances: dict[str, _Distances] = {}
    reference: Any = None
    # The recorded one first, since the others are compared with it.
    for method, video in reversed(group.videos.items()):
        count = len(video.frames_THWC)
        seen = _seen(networks, distance, video)
        own_T = _pairs(seen.embedded, seen.embedded, np.arange(count), count - 1)
        if not np.isfinite(own_T).all():
            raise UserError(f"{distance.label} returns NaN: its weights are damaged")
        finished_T = between_N = nothing
        if recorded is not None and method == RECORDED:
            reference, finished_T = seen, own_T
        elif recorded is not None:
            last = len(recorded.frames_THWC) - 1
            finished_T = _pairs(seen.embedded, reference.embedded, np.arange(count), last)
            at = perceptual.nearest(video.progress_T, recorded.progress_T[1:-1])
            between_N = _pairs(seen.embedded, reference.embedded, at, np.arange(1, last))
        distances[method] = _Distances(own_T, finished_T, between_N, seen.vector_TC[-1])
        if seen.texture_QS is not None:
            numbers[method]["texture_drift"] = seen.drift
            features["frame", method] = seen.vector_TC
            features["texture", method] = seen.texture_QS
            if reference is not None and method != RECORDED:
                apart_Q = np.linalg.norm(seen.texture_QS - reference.texture_QS, axis=1)
                numbers[method]["texture_apart"] = float(apart_Q.mean())
    return distances


def _seen(networks: Networks, distance: PerceptualDistance, video: Video) -> _Seen:
    count = len(video.frames_THWC)
    if not isinstance(distance, lpips.LPIPS):
        embedded = _embedded(networks, distance, video)
        return _Seen(embedded, np.concatenate(jax.device_get(embedded))[:count])
    frames_1THWC, mask_1T = row(video.frames_THWC, networks.devices)
    done_1TIJ = quickly(texture.finished, frames_1THWC, mask_1T, loops=True)
    done_TIJ = np.asarray(done_1TIJ[0], np.float32)
    before_TIJ = np.concatenate([np.zeros_like(done_TIJ[:1]), done_TIJ[:-1]])
    seen = [
        lpips.frame_statistics(
            distance, *(_placed(x, networks) for x in inputs), mesh=networks.mesh
        )
        for inputs in _chunks((frames_1THWC[0], before_TIJ, done_TIJ), count, networks)
    ]
    # The rest is small, and one size for all numbers of frames.
    width, small = len(done_TIJ), jax.device_get([chunk[1:] for chunk in seen])
    vector_TC, texture_TS, before, after = (
        jax.tree.map(lambda *x: padded(np.concatenate(x), width), *of_chunks)
        for of_chunks in zip(*small, strict=True)
    )
    drift = quickly(texture.drift, before, after, done_TIJ.mean(axis=(1, 2)), loops=True)
    at_Q = perceptual.nearest(video.progress_T, np.array(_TEXTURE_PROGRESS))
    return _Seen(
        [chunk.embedded_FD for chunk in seen], vector_TC[:count], texture_TS[at_Q], float(drift)
    )


def _embedded(networks: Networks, distance: PerceptualDistance, video: Video) -> list[jax.Array]:
    frames_1THWC, _ = row(video.frames_THWC, networks.devices)
    return [
        perceptual.embed(distance, _placed(frames_NHWC, networks), mesh=networks.mesh)
        for (frames_NHWC,) in _chunks((frames_1THWC[0],), len(video.frames_THWC), networks)
    ]


def _chunks(
    arrays: Sequence[np.ndarray], count: int, networks: Networks
) -> Iterator[tuple[np.ndarray, ...]]:
    """Cuts padded arrays into chunks of one size, so that networks compile once for all lengths.

    Args:
      arrays: Arrays with one entry per frame.
      count: Number of frames; chunks of padding alone are left out.
      networks: Whose devices share each chunk.
    """
    size = math.lcm(_CHUNK, networks.devices)
    for start in range(0, count, size):
        yield tuple(array[start : start + size] for array in arrays)


def _placed(frames_THWC: np.ndarray, networks: Networks) -> np.ndarray | jax.Array:
    if networks.mesh is None:
        return frames_THWC
    return jax.device_put(frames_THWC, NamedSharding(networks.mesh, P("data")))


def _pairs(
    first: Sequence[jax.Array], second: Sequence[jax.Array], first_N, second_N
) -> np.ndarray:
    """Distances of chosen rows of the first to chosen rows of the second: float32[N].

    Args:
      first: Embeddings in chunks of one size.
      second: The same of another video.
      first_N: Indices of frames, int[N] or one for all.
      second_N: The same of the second.
    """
    pairs_N2 = np.stack(np.broadcast_arrays(first_N, second_N), axis=1).astype(np.int32)
    chunk_N2, place_N2 = np.divmod(pairs_N2, len(first[0]))
    distance_N = np.zeros(len(pairs_N2), np.float32)
    for i, j in np.unique(chunk_N2, axis=0):
        (mine,) = np.nonzero((chunk_N2 == (i, j)).all(axis=1))
        place_P2 = padded(place_N2[mine], round_up(len(mine)))
        distance_P = quickly(perceptual.between, first[i], second[j], place_P2, loops=True)
        distance_N[mine] = np.asarray(distance_P)[: len(mine)]
    return distance_N


def _profiles(distances: _Distances, video: Video) -> tuple[np.ndarray, np.ndarray]:
    """Profiles to the recorded finished picture (NaN without one) and to the own last frame."""
    progress_1T, _ = row(video.progress_T)
    has_recorded = len(distances.finished_T) > 0
    own_K, finished_K = (
        np.asarray(quickly(pdp.profile, distance_1T, progress_1T, mask_1T))[0]
        for distance_1T, mask_1T in (
            row(distances.own_T),
            row(distances.finished_T if has_recorded else distances.own_T),
        )
    )
    return finished_K if has_recorded else np.full_like(own_K, math.nan), own_K


def _distance_numbers(
    key: str,
    method: str,
    distances: _Distances,
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, float]:
    """The measures of a process by one distance, by the keys of `MEASURES`."""
    numbers = {}
    if key == "distance":
        numbers["monotonicity"] = float(quickly(pdp.monotonicity, *row(distances.own_T))[0])
    if RECORDED in profiles and method != RECORDED and len(distances.finished_T):
        score, own = (
            float(quickly(pdp.score, ours_K[None], theirs_K[None])[0])
            for ours_K, theirs_K in zip(profiles[method], profiles[RECORDED], strict=True)
        )
        mean = float(distances.between_N.mean()) if len(distances.between_N) else math.nan
        last = float(distances.finished_T[-1])
        if key == "distance":
            numbers |= {"pdp": score, "pdp_own": own, "between": mean, "final_distance": last}
        else:
            # CLIP and DINO are conventionally reported as similarities.
            numbers |= {f"pdp_{key}": score, f"final_{key}": 1 - last}
    return numbers


def _bend_numbers(
    profile_K: np.ndarray, own_K: np.ndarray, recorded_K: np.ndarray | None
) -> dict[str, float]:
    """Where the profile of a process bends, and the error to the recorded process's bends."""
    curve_K = profile_K if np.isfinite(profile_K).all() else own_K
    ours = quickly(pdp.bends, curve_K[None])
    if float(ours.gain_B[0]) < _BENT:
        return {}
    first, second = map(float, ours.at_B2[0])
    numbers = {"first_bend": first, "second_bend": second}
    if recorded_K is not None:
        theirs = quickly(pdp.bends, recorded_K[None])
        if float(theirs.gain_B[0]) >= _BENT:
            apart = np.abs(np.asarray(theirs.at_B2[0]) - np.array([first, second]))
            numbers["bends_off"] = float(apart.mean())
    return numbers


def _measure_motion(group: Group, numbers: _Numbers) -> None:
    work = {}
    for method, video in group.videos.items():
        frames_1THWC, mask_1T = row(video.frames_THWC)
        movement = quickly(temporal.movement, frames_1THWC, mask_1T, loops=True)
        progress_1T, _ = row(video.progress_T)
        work[method] = quickly(temporal.work_profile, movement, progress_1T, mask_1T)
        numbers[method] |= {
            "flicker": float(movement.flicker_B[0]),
            "worked_on": float(quickly(temporal.typical_share, movement)[0]),
        }
    for method in group.methods if group.recorded is not None else ():
        numbers[method]["work"] = float(quickly(pdp.score, work[method], work[RECORDED])[0])


def _measure_finished_picture(group: Group, numbers: _Numbers) -> None:
    for method, video in group.methods.items():
        ours, theirs = video.frames_THWC[-1:], group.recorded.frames_THWC[-1:]
        numbers[method] |= {
            "final_error": float(np.abs(ours.astype(np.float32) - theirs).mean()),
            "final_ssim": float(quickly(fidelity.ssim, ours, theirs)[0]),
            "final_psnr": float(quickly(fidelity.psnr, ours, theirs)[0]),
        }


def _measure_regions(group: Group, numbers: _Numbers) -> None:
    theirs = _by_region(group.recorded, group)
    for method, video in group.methods.items():
        ours = _by_region(video, group)
        present_1R = ours.share_1R > 0
        tau = quickly(regions.agreement, ours.finished_1R, theirs.finished_1R, present_1R)
        apart_R = np.abs(ours.profile_RK - theirs.profile_RK).mean(axis=1)
        numbers[method] |= {
            "region_order": float(tau[0]),
            "region_pdp": float(np.average(apart_R, weights=ours.share_1R[0])),
        }


class _Regions(NamedTuple):
    """Profiles, finishing times and shares of the picture of R regions."""

    profile_RK: np.ndarray
    finished_1R: np.ndarray
    share_1R: np.ndarray


def _by_region(video: Video, group: Group) -> _Regions:
    frames_1THWC, mask_1T = row(video.frames_THWC)
    progress_1T, _ = row(video.progress_T)
    finished_1HWC = group.recorded.frames_THWC[-1:]
    map_1THW = quickly(regions.colour_map, frames_1THWC, finished_1HWC, loops=True)
    distance_1RT, share_1R = quickly(
        regions.by_region, map_1THW, group.segments_HW[None], regions=_REGIONS
    )
    width = progress_1T.shape[1]
    profile_RK = quickly(
        pdp.profile,
        distance_1RT[0],
        np.broadcast_to(progress_1T, (_REGIONS, width)),
        np.broadcast_to(mask_1T, (_REGIONS, width)),
    )
    finished_1R = quickly(
        regions.finished_at,
        distance_1RT,
        progress_1T,
        mask_1T,
        np.float32(_LOW),
        np.float32(_INVISIBLE),
    )
    return _Regions(np.asarray(profile_RK), np.asarray(finished_1R), np.asarray(share_1R))
