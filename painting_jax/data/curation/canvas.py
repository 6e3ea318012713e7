"""The canvas in a recording: a quadrilateral of edges, in which the picture changes."""

import itertools

import numpy as np
from scipy import ndimage
from skimage import draw, registration

from painting_jax.data import pictures, quadrilateral
from painting_jax.data.quadrilateral import Edges

_SOUGHT = 320  # longer side in pixels at which the canvas is sought
_MEASURED = 640  # and at which its corners are measured
_LOOKED_AT = 48  # frames that are looked at for that
_ASPECTS = (0.65, 1.0, 1.55)  # width by height of canvases; others near them are found
_MOST = 30  # quadrilaterals of each that are compared
_CHANGED = 12.0  # levels of 255 by which a painted pixel differs from the beginning to the end
_SETTLED = 6.0  # levels of 255 by which a pixel varies at the end, if it is finished
_INSIDE = 0.85  # share of what changes that lies within the canvas; hands change what is beside it
_LEAST = 0.5  # support of the edges, see `quadrilateral.support`
_ENOUGH = 0.15  # share of the canvas that changes
_FINE = 16  # steps a pixel to which the camera's motion is measured
_JUMP = 2.0  # pixels by which no camera on a desk moves between two frames
_REFINED = (1.0, 0.4, 0.15, 0.05)  # steps by which corners are moved, in pixels
# Rounds, and pixels from where they were found, in which corners are moved: beyond the picture,
# nothing holds them.
_ROUNDS, _FARTHEST = 20, 8.0
_MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))


def found(frames_THWC: np.ndarray) -> np.ndarray | None:
    """Corners of the canvas in each frame, float[T, 4, 2], as in `quadrilateral`.

    Args:
      frames_THWC: uint8 RGB, T >= 2, in even light: what the light changes is not painted.

    Returns:
      None if no quadrilateral has clear edges and holds nearly all of what changes, as where the
      canvas fills the frame.
    """
    small_THWC = np.stack([pictures.shrunk(frame_HWC, _SOUGHT) for frame_HWC in frames_THWC])
    moves_T2 = _moves(small_THWC.mean(-1))
    shown_S = np.linspace(0, len(frames_THWC) - 1, min(_LOOKED_AT, len(frames_THWC))).astype(int)
    corners_42 = _corners(_still(small_THWC[shown_S], moves_T2[shown_S]))
    if corners_42 is None:
        return None
    large = [pictures.shrunk(frames_THWC[t], _MEASURED) for t in shown_S]
    zoom = large[0].shape[1] / small_THWC.shape[2]
    still_SHWC = _still(np.stack(large), zoom * moves_T2[shown_S])
    corners_42 = _refined(zoom * corners_42, np.median(still_SHWC, 0)) / zoom
    return frames_THWC.shape[2] / small_THWC.shape[2] * (corners_42 - moves_T2[:, None, ::-1])


def front(frames_THWC: np.ndarray, corners_T42: np.ndarray, height: int, width: int) -> np.ndarray:
    """The canvas of each frame as seen from the front: uint8[T, height, width, C]."""
    return np.stack(
        [
            (quadrilateral.rectified(frame_HWC, corners_42, height, width) + 0.5).astype(np.uint8)
            for frame_HWC, corners_42 in zip(frames_THWC, corners_T42, strict=True)
        ]
    )


def _still(frames_SHWC: np.ndarray, moves_S2: np.ndarray) -> np.ndarray:
    """The frames moved onto each other, float32."""
    return np.stack(
        [
            ndimage.shift(frame_HWC.astype(np.float32), (*move_2, 0), order=1, mode="nearest")
            for frame_HWC, move_2 in zip(frames_SHWC, moves_S2, strict=True)
        ]
    )


def _moves(light_THW: np.ndarray) -> np.ndarray:
    """By how much (y, x) each frame is to be moved to lie on the one in the middle."""
    slopes_THW = np.stack([ndimage.gaussian_gradient_magnitude(one, 1.0) for one in light_THW])
    # Bounded, so that the texture of a desk says as much as the contrast of a logo that stays.
    slopes_THW /= slopes_THW + 2 * np.median(slopes_THW) + 1e-6
    reference_HW = slopes_THW[len(slopes_THW) // 2]
    if not reference_HW.any():
        return np.zeros((len(light_THW), 2))
    moves_T2 = np.stack(
        [
            registration.phase_cross_correlation(
                reference_HW, slopes_HW, upsample_factor=_FINE, normalization=None
            )[0]
            if slopes_HW.any()
            else np.zeros(2)
            for slopes_HW in slopes_THW
        ]
    )
    # A frame that is mostly hidden is taken to move as those around it.
    near_T2 = ndimage.median_filter(moves_T2, (5, 1), mode="nearest")
    return np.where(np.abs(moves_T2 - near_T2) > _JUMP, near_T2, moves_T2)


def _refined(corners_42: np.ndarray, picture_HWC: np.ndarray) -> np.ndarray:
    """Corners moved to where the slopes across the sides are steepest, within a few pixels."""
    slopes_2HW = np.stack(
        [
            np.sqrt(
                sum(ndimage.gaussian_filter(side_HW, 0.7, order) ** 2 for side_HW in picture_HWC.T)
            ).T
            for order in ((1, 0), (0, 1))
        ]
    )
    share_S1 = np.linspace(0.02, 0.98, 160)[:, None]

    def steepness(quad_42: np.ndarray) -> float:
        total = 0.0
        for start_2, end_2 in zip(quad_42, np.roll(quad_42, -1, axis=0), strict=True):
            x_S, y_S = (start_2 + share_S1 * (end_2 - start_2) - 0.5).T
            across_2 = np.abs(end_2 - start_2)[::-1] / np.linalg.norm(end_2 - start_2)
            for side_HW, weight in zip(slopes_2HW, across_2, strict=True):
                at_S = ndimage.map_coordinates(side_HW, (y_S, x_S), order=1, mode="nearest")
                # A steep stretch, such as a dark thing at the border, counts no more than others.
                total += weight * float(np.minimum(at_S, 3 * np.median(at_S) + 1e-6).mean())
        return total

    best, found_42 = steepness(corners_42), corners_42
    for step in _REFINED:
        for _ in range(_ROUNDS):
            improved = False
            for corner, move_2 in itertools.product(range(4), _MOVES):
                tried_42 = corners_42.copy()
                tried_42[corner] += step * np.array(move_2)
                if np.abs(tried_42 - found_42).max() > _FARTHEST:
                    continue
                if (value := steepness(tried_42)) > best:
                    best, corners_42, improved = value, tried_42, True
            if not improved:
                break
    return corners_42


def _corners(still_SHWC: np.ndarray) -> np.ndarray | None:
    third = max(1, len(still_SHWC) // 3)
    # Medians over time hold no hand.
    begin_HWC, end_HWC = (np.median(part, 0) for part in (still_SHWC[:third], still_SHWC[-third:]))
    changed_HW = np.abs(end_HWC - begin_HWC).max(-1) > _CHANGED
    # Where an arm often rests, what is seen at the end has not settled.
    moving_HW = np.median(np.abs(still_SHWC[-third:] - end_HWC), 0).max(-1) > _SETTLED
    changed_HW &= ~moving_HW
    changed_HW = ndimage.binary_opening(changed_HW, iterations=2)
    if not changed_HW.any():
        return None
    # The border of the canvas is there all the time, what is painted is not.
    each = [Edges.of(picture_HWC) for picture_HWC in (begin_HWC, np.median(still_SHWC, 0))]
    best, best_42 = -np.inf, None
    for edges in each:
        for aspect in _ASPECTS:
            for corners_42 in quadrilateral.candidates(edges, aspect, _MOST):
                inside_HW = draw.polygon2mask(changed_HW.shape, corners_42[:, ::-1] - 0.5)
                held = changed_HW[inside_HW].sum() / changed_HW.sum()
                # At one time or the other, the border stands out from what is around it.
                support = max(quadrilateral.support(one, corners_42) for one in each)
                if held < _INSIDE or support < _LEAST:
                    continue
                density = changed_HW[inside_HW].mean()
                if density > _ENOUGH and support + 0.5 * density > best:
                    best, best_42 = support + 0.5 * density, corners_42
    return best_42
