"""Where the camera looks in each frame of a recording, relative to one common view."""

import contextlib
import dataclasses

import cv2
import numpy as np
from scipy import fft, ndimage
from skimage import registration

from painting_jax.data import quadrilateral
from painting_jax.data.curation import medians, shots
from painting_jax.data.curation.averages import shrunk
from painting_jax.data.gaussian import slope

SIDE = 320  # longer side in pixels at which motion is measured
_FINE = 16  # steps a pixel to which it is measured
_JUMP = 2.0  # pixels by which no camera on a desk moves between two frames
_MATCHED_SIDE = 640  # longer side at which shots are compared
_NEAR_CUT = 5  # frames at either side of a cut that are compared; their median holds no hand
_RATIO = 0.75  # best match of a feature by second best; Lowe's test
_NEAR = 2.0  # pixels by which a match may be off
_FEWEST = 12  # matches of features that tell the same scene
_MOST_ZOOM = 1.5  # between two shots of one scene
_ROUNDS, _SETTLED = 60, 1e-5  # at most, and change of the correlation, of the last alignment
_LONGEST_INSERT = 0.15  # share of a recording that is dropped if it shows something else
_STAYS = 0.012  # motion of the picture's corners, of its longer side, that no cut makes
_NO_BETTER = 0.02  # correlation of edges by which a motion must explain more than none
_LAYOUT = (16, 16)  # colours by which something else is told from a bold step of the painting
_ALIKE = 0.5  # correlation of these from which on it is the same

# From pixel centres at whole numbers, as OpenCV has them, to those at halves.
_TO_HALVES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


@dataclasses.dataclass(frozen=True)
class Path:
    """The path of the camera over T frames.

    Attributes:
      to_common_T33: Homographies from points of each frame, (x, y, 1) with pixel centres at
        halves, to the common view. The camera moves sideways in a shot, and anyhow in a cut.
      shows_T: Whether a frame shows the scene; title cards and inserts do not.
      cuts: Indices of the frames that follow a cut of the scene, without inserts.
    """

    to_common_T33: np.ndarray
    shows_T: np.ndarray
    cuts: tuple[int, ...]


def followed(frames_THWC: np.ndarray, small_THWC: np.ndarray | None = None) -> Path:
    """Follows the camera.

    Args:
      frames_THWC: uint8 RGB.
      small_THWC: The frames shrunk to `SIDE`; None makes them.
    """
    small_THWC = shrunk(frames_THWC, SIDE) if small_THWC is None else small_THWC
    light_THW = np.stack([small_HWC.mean(-1) for small_HWC in small_THWC])
    slopes_THW = _slopes(light_THW)
    zoom = frames_THWC.shape[2] / light_THW.shape[2]
    count = len(frames_THWC)
    found = shots.starts(slopes_THW)
    starts = [0, *(start for start in found if not _goes_on(frames_THWC, start, found[start]))]
    parts = [slice(*ends) for ends in zip(starts, [*starts[1:], count], strict=True)]
    moves_T2 = np.concatenate([zoom * _moves(slopes_THW[part]) for part in parts])
    to_shot_T33 = np.tile(np.eye(3), (count, 1, 1))
    to_shot_T33[:, :2, 2] = moves_T2[:, ::-1]

    main = max(range(len(parts)), key=lambda i: parts[i].stop - parts[i].start)
    to_common, shows_T, cuts = [np.eye(3)] * len(parts), np.ones(count, bool), []
    # From the longest shot outwards; what shows something else is stepped over.
    for order in (range(main - 1, -1, -1), range(main + 1, len(parts))):
        known = main
        for i in order:
            near, far = _facing(parts[known], parts[i])
            views = [_lasting(frames_THWC[one], to_shot_T33[one]) for one in (near, far)]
            shift_33 = _between(*views)
            short = parts[i].stop - parts[i].start <= _LONGEST_INSERT * count
            if shift_33 is None and short and not _alike(*views):
                shows_T[parts[i]] = False
                continue
            # A bold step of the painting is no cut.
            to_common[i] = to_common[known] @ (np.eye(3) if shift_33 is None else shift_33)
            if shift_33 is not None:
                cuts.append(max(parts[i].start, parts[known].start))
            known = i
    to_common_T33 = np.concatenate(
        [to_common[i] @ to_shot_T33[part] for i, part in enumerate(parts)]
    )
    return Path(to_common_T33, shows_T, tuple(sorted(cuts)))


def still(count: int) -> Path:
    """The path of a camera that stands still over so many frames."""
    return Path(np.tile(np.eye(3), (count, 1, 1)), np.ones(count, bool), ())


def warped(
    frame_HWC: np.ndarray, to_33: np.ndarray, height: int, width: int, *, sharp: bool = False
) -> np.ndarray:
    """A frame after a homography of its points, uint8[height, width, 3]; borders are repeated.

    Args:
      frame_HWC: uint8.
      to_33: Homography of points with pixel centres at halves.
      height: Height of the result.
      width: Width of the result.
      sharp: Whether to interpolate cubically rather than linearly.
    """
    return cv2.warpPerspective(
        frame_HWC,
        np.linalg.inv(_TO_HALVES) @ to_33 @ _TO_HALVES,
        (width, height),
        flags=cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def common_view(frames_SHWC: np.ndarray, to_common_S33: np.ndarray, side: int) -> np.ndarray:
    """Small copies of frames, moved onto the common view: uint8, with this longer side."""
    return aligned(shrunk(frames_SHWC, side), to_common_S33, frames_SHWC.shape[1:3])


def aligned(
    small_SHWC: np.ndarray, to_common_S33: np.ndarray, shape_HW: tuple[int, int]
) -> np.ndarray:
    """Small copies of frames, moved onto the common view: uint8.

    Args:
      small_SHWC: uint8.
      to_common_S33: Where the camera looks, in pixels of the frames themselves.
      shape_HW: Height and width of these.
    """
    height, width = small_SHWC.shape[1:3]
    scale_33 = np.diag([width / shape_HW[1], height / shape_HW[0], 1])
    return np.stack(
        [
            warped(frame_HWC, scale_33 @ to_33 @ np.linalg.inv(scale_33), height, width)
            for frame_HWC, to_33 in zip(small_SHWC, to_common_S33, strict=True)
        ]
    )


def _slopes(light_NHW: np.ndarray) -> np.ndarray:
    """Strength of edges, 0..1, float32."""
    slopes_NHW = np.stack([slope(one) for one in light_NHW])
    # Bounded, so that the texture of a desk says as much as the contrast of a logo that stays.
    return slopes_NHW / (slopes_NHW + 2 * np.median(slopes_NHW) + 1e-6)


def _moves(slopes_THW: np.ndarray) -> np.ndarray:
    """By how much (y, x) each frame is to be moved to lie on the one in the middle."""
    reference_HW = slopes_THW[len(slopes_THW) // 2]
    if not reference_HW.any():
        return np.zeros((len(slopes_THW), 2))
    reference_FF = fft.fft2(reference_HW)
    moves_T2 = np.stack(
        [
            registration.phase_cross_correlation(
                reference_FF,
                fft.fft2(slopes_HW),
                space="fourier",
                upsample_factor=_FINE,
                normalization=None,
            )[0]
            if slopes_HW.any()
            else np.zeros(2)
            for slopes_HW in slopes_THW
        ]
    )
    # A frame that is mostly hidden is taken to move as those around it.
    near_T2 = ndimage.median_filter(moves_T2, (5, 1), mode="nearest")
    return np.where(np.abs(moves_T2 - near_T2) > _JUMP, near_T2, moves_T2)


def _goes_on(frames_THWC: np.ndarray, start: int, is_plain: bool) -> bool:
    """Whether the camera stands where it stood before: a bold step of the painting is no cut.

    Args:
      frames_THWC: uint8 RGB.
      start: Index of the frame with which a shot may begin.
      is_plain: Whether it does, if nothing tells how the camera was moved.
    """
    around = (slice(max(0, start - _NEAR_CUT), start), slice(start, start + _NEAR_CUT))
    views = [medians.median(frames_THWC[part]).astype(np.uint8) for part in around]
    shift_33 = _between(*views)
    if shift_33 is None:
        return not is_plain
    corners_142 = quadrilateral.whole(views[0].shape[:2])[None]
    moved_142 = cv2.perspectiveTransform(corners_142, shift_33) - corners_142
    if np.abs(moved_142).max() < _STAYS * max(views[0].shape):
        return True
    # What was painted in between may mislead, where most edges are those of the painting.
    moved_HWC = warped(views[1], shift_33, *views[0].shape[:2])
    known_HW, as_it_is_HW, moved_HW = _slopes(
        np.stack([view.mean(-1) for view in (views[0], views[1], moved_HWC)])
    )
    return _likeness(known_HW, as_it_is_HW) > _likeness(known_HW, moved_HW) - _NO_BETTER


def _likeness(one_HW: np.ndarray, other_HW: np.ndarray) -> float:
    return float(np.corrcoef(one_HW.ravel(), other_HW.ravel())[0, 1])


def _facing(known: slice, other: slice) -> tuple[slice, slice]:
    """The last frames of the earlier and the first ones of the later shot, the known one first."""
    if other.start >= known.stop:
        first = slice(max(known.start, known.stop - _NEAR_CUT), known.stop)
        return first, slice(other.start, min(other.stop, other.start + _NEAR_CUT))
    first = slice(known.start, min(known.stop, known.start + _NEAR_CUT))
    return first, slice(max(other.start, other.stop - _NEAR_CUT), other.stop)


def _lasting(frames_SHWC: np.ndarray, to_shot_S33: np.ndarray) -> np.ndarray:
    """What stays in frames of a shot, at its size: uint8[H, W, 3]."""
    height, width = frames_SHWC.shape[1:3]
    moved = [
        warped(frame_HWC, to_33, height, width)
        for frame_HWC, to_33 in zip(frames_SHWC, to_shot_S33, strict=True)
    ]
    return medians.median(np.stack(moved)).astype(np.uint8)


def _alike(known_HWC: np.ndarray, other_HWC: np.ndarray) -> bool:
    """Whether the colours of two views are laid out alike."""
    small = [
        cv2.resize(view, _LAYOUT, interpolation=cv2.INTER_AREA).astype(float).ravel()
        for view in (known_HWC, other_HWC)
    ]
    known_D, other_D = (one_D - one_D.mean() for one_D in small)
    most = max(known_D @ known_D, other_D @ other_D)
    # An empty canvas has no layout; it is like whatever is painted on it.
    return most == 0 or min(known_D.std(), other_D.std()) < 4 or known_D @ other_D > _ALIKE * most


def _between(known_HWC: np.ndarray, other_HWC: np.ndarray) -> np.ndarray | None:
    """Homography from one view of a scene to another that is known; None for another scene.

    Args:
      known_HWC: uint8 RGB.
      other_HWC: uint8 RGB, as large.
    """
    scale = min(1.0, _MATCHED_SIDE / max(known_HWC.shape))
    height, width = (max(1, round(scale * n)) for n in known_HWC.shape[:2])
    views = [
        cv2.resize(
            cv2.cvtColor(view_HWC, cv2.COLOR_RGB2GRAY),
            (width, height),
            interpolation=cv2.INTER_AREA,
        )
        for view_HWC in (known_HWC, other_HWC)
    ]
    sift = cv2.SIFT.create()
    (known, known_KD), (other, other_KD) = (sift.detectAndCompute(view, None) for view in views)
    if known_KD is None or other_KD is None or min(len(known), len(other)) < _FEWEST:
        return None
    pairs = cv2.BFMatcher().knnMatch(other_KD, known_KD, k=2)
    good = [best for best, second in pairs if best.distance < _RATIO * second.distance]
    if len(good) < _FEWEST:
        return None
    from_M2 = np.array([other[match.queryIdx].pt for match in good], np.float32)
    to_M2 = np.array([known[match.trainIdx].pt for match in good], np.float32)
    # The seed is fixed inside: the same frames give the same homography.
    found_33, inliers = cv2.findHomography(from_M2, to_M2, cv2.USAC_MAGSAC, _NEAR)
    if found_33 is None or inliers.sum() < _FEWEST or not _is_gentle(found_33, height, width):
        return None
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, _SETTLED)
    # New paint changes colours, and few edges.
    edges = _slopes(np.stack(views))
    # Where it does not converge, what the features say is near enough.
    with contextlib.suppress(cv2.error):
        _, back_33 = cv2.findTransformECC(
            edges[0],
            edges[1],
            np.linalg.inv(found_33).astype(np.float32),
            cv2.MOTION_HOMOGRAPHY,
            criteria,
            None,
            1,
        )
        found_33 = np.linalg.inv(back_33.astype(np.float64))
    scale_33 = np.diag([known_HWC.shape[1] / width, known_HWC.shape[0] / height, 1])
    grown_33 = scale_33 @ _TO_HALVES
    return grown_33 @ found_33 @ np.linalg.inv(grown_33)


def _is_gentle(found_33: np.ndarray, height: int, width: int) -> bool:
    """Whether a homography is one between two shots of a desk."""
    corners_142 = quadrilateral.whole((height, width))[None]
    seen_42 = cv2.perspectiveTransform(corners_142, found_33)[0].astype(np.float32)
    share = cv2.contourArea(seen_42) / (height * width)
    return bool(cv2.isContourConvex(seen_42)) and 1 / _MOST_ZOOM**2 < share < _MOST_ZOOM**2
