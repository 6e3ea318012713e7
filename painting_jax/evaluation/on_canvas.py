"""What the pixels say of processes: the finished picture, movement, and the order of regions."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from painting_jax.evaluation.measures import RECORDED
from painting_jax.evaluation.padding import row
from painting_jax.evaluation.videos import Video
from painting_jax.metrics import fidelity, pdp, regions, temporal

# Label maps have no more regions that are looked at.
_REGIONS = 16

# Delta E / 100 of colours that look alike: bare paper is finished from the start, whatever a codec
# makes of it.
_UNSEEN = 0.02


def measure(
    methods: Mapping[str, Video],
    recorded: Video | None,
    segments_HW: np.ndarray | None,
    numbers: dict[str, dict[str, float]],
) -> None:
    """Adds what the pixels say to the numbers of each process.

    Args:
      methods: videos by method, all frames of one shape.
      recorded: what they are compared with, if there is something.
      segments_HW: uint8, regions of the recorded finished picture; those above 16 are left out.
      numbers: by method, then by the keys of `measures.MEASURES`.
    """
    videos = {**methods, **({RECORDED: recorded} if recorded is not None else {})}
    work = {}
    for method, video in videos.items():
        frames_1THWC, mask_1T = row(video.frames_THWC)
        moved = temporal.movement(frames_1THWC, mask_1T)
        progress_1T, _ = row(video.progress_T)
        work[method] = temporal.work_profile(moved, progress_1T, mask_1T)
        numbers[method] |= {
            "flicker": float(moved.flicker_B[0]),
            "worked_on": float(temporal.typical_share(moved)[0]),
        }
    if recorded is None:
        return
    for method, video in methods.items():
        ours, theirs = video.frames_THWC[-1:], recorded.frames_THWC[-1:]
        numbers[method] |= {
            "work": float(pdp.score(work[method], work[RECORDED])[0]),
            "final_ssim": float(fidelity.ssim(ours, theirs)[0]),
            "final_psnr": float(fidelity.psnr(ours, theirs)[0]),
        }
    if segments_HW is not None and segments_HW.any():
        _measure_regions(methods, recorded, segments_HW, numbers)


def _measure_regions(
    methods: Mapping[str, Video],
    recorded: Video,
    segments_HW: np.ndarray,
    numbers: dict[str, dict[str, float]],
) -> None:
    theirs = _by_region(recorded, recorded, segments_HW)
    for method, video in methods.items():
        ours = _by_region(video, recorded, segments_HW)
        present_1R = ours.share_1R > 0
        tau = regions.agreement(ours.finished_1R, theirs.finished_1R, present_1R)
        apart_R = np.abs(ours.profile_RK - theirs.profile_RK).mean(axis=1)
        numbers[method] |= {
            "region_order": float(tau[0]),
            "region_pdp": float(np.average(apart_R, weights=ours.share_1R[0])),
        }


class _Regions(NamedTuple):
    """When the regions of a picture are painted: profiles, finishing times, shares of it."""

    profile_RK: np.ndarray
    finished_1R: np.ndarray
    share_1R: np.ndarray


def _by_region(video: Video, recorded: Video, segments_HW: np.ndarray) -> _Regions:
    frames_1THWC, mask_1T = row(video.frames_THWC)
    progress_1T, _ = row(video.progress_T)
    map_1THW = regions.colour_map(frames_1THWC, recorded.frames_THWC[-1:])
    distance_1RT, share_1R = regions.by_region(map_1THW, segments_HW[None], regions=_REGIONS)
    width = progress_1T.shape[1]
    profile_RK = pdp.profile(
        distance_1RT[0],
        np.broadcast_to(progress_1T, (_REGIONS, width)),
        np.broadcast_to(mask_1T, (_REGIONS, width)),
    )
    finished_1R = regions.finished_at(distance_1RT, progress_1T, mask_1T, floor=_UNSEEN)
    return _Regions(np.asarray(profile_RK), np.asarray(finished_1R), np.asarray(share_1R))
