"""The canvas in a recording: a quadrilateral of edges, in which the picture changes."""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage

from painting_jax.data import quadrilateral
from painting_jax.data.curation import camera, medians
from painting_jax.data.quadrilateral import Edges

_SOUGHT = 320  # longer side in pixels at which the canvas is sought
_MEASURED = 640  # and at which its corners are measured
_LOOKED_AT = 48  # frames that are looked at for that
_EARLY = 6  # part of them in which little is painted yet
_ASPECTS = (0.65, 1.0, 1.55)  # width by height of canvases; others near them are found
_MOST = 30  # quadrilaterals of each that are compared
_CHANGED = 12.0  # levels of 255 by which a painted pixel differs from the beginning to the end
_PLAIN = 40.0  # levels by which it differs plainly
_SETTLED = 6.0  # levels of 255 by which a pixel varies at the end, if it is finished
_INSIDE = 0.85  # share of what changes that lies within the canvas; hands change what is beside it
_LEAST = 0.5  # support of the edges, see `quadrilateral.support`
_ENOUGH = 0.15  # share of the canvas that changes
_REACHES = (10.0, 4.0, 2.5, 1.5)  # pixels at either side of a side where its edge is sought
_PROFILES, _STEP = 200, 0.25  # places along it, and steps across it in pixels
_FARTHEST = 14.0  # pixels by which a corner may move in all
_TIGHT, _FITS = 0.15, 6  # pixels from the line of what counts half in the end; rounds


def found(frames_THWC: np.ndarray, to_common_T33: np.ndarray) -> np.ndarray | None:
    """Corners of the canvas in each frame, float[T, 4, 2], as in `quadrilateral`.

    Args:
      frames_THWC: uint8 RGB, T >= 2, in even light: what the light changes is not painted.
      to_common_T33: Where the camera looks; see `camera`.

    Returns:
      None if no quadrilateral has clear edges and holds nearly all of what changes, as where the
      canvas fills the frame.
    """
    shown_S = np.linspace(0, len(frames_THWC) - 1, min(_LOOKED_AT, len(frames_THWC))).astype(int)
    frames_SHWC, to_common_S33 = frames_THWC[shown_S], to_common_T33[shown_S]
    small_SHWC = camera.common_view(frames_SHWC, to_common_S33, _SOUGHT)
    corners_42 = _corners(small_SHWC.astype(np.float32))
    if corners_42 is None:
        return None
    large_SHWC = camera.common_view(frames_SHWC, to_common_S33, _MEASURED)
    zoom, third = large_SHWC.shape[2] / small_SHWC.shape[2], max(1, len(shown_S) // 3)
    parts = large_SHWC[:third], large_SHWC, large_SHWC[-third:]
    corners_42 = _refined(zoom * corners_42, [medians.median(part) for part in parts])
    corners_42 *= frames_THWC.shape[2] / large_SHWC.shape[2]
    return np.stack(
        [
            cv2.perspectiveTransform(corners_42[None], np.linalg.inv(to_33))[0]
            for to_33 in to_common_T33
        ]
    )


def sides(corners_T42: np.ndarray) -> tuple[int, int]:
    """Height and width of the canvas from the front: the longer of each two opposite sides."""
    sides_4 = np.linalg.norm(np.roll(corners_T42, -1, axis=1) - corners_T42, axis=2).mean(0)
    return round(max(sides_4[1], sides_4[3])), round(max(sides_4[0], sides_4[2]))


def front(frames_THWC: np.ndarray, corners_T42: np.ndarray, height: int, width: int) -> np.ndarray:
    """The canvas of each frame as seen from the front: uint8[T, height, width, 3].

    There is no smoothing: the result should not be much smaller than the canvas in the frames.
    """
    to_42 = quadrilateral.whole((height, width)).astype(np.float32)
    return np.stack(
        [
            camera.warped(
                frame_HWC,
                cv2.getPerspectiveTransform(corners_42.astype(np.float32), to_42),
                height,
                width,
                sharp=True,
            )
            for frame_HWC, corners_42 in zip(frames_THWC, corners_T42, strict=True)
        ]
    )


def mask_from_front(
    mask_HW: np.ndarray, corners_T42: np.ndarray, height: int, width: int
) -> np.ndarray:
    """A mask that is the same in all frames, as it lies on the canvas: bool[T, height, width]."""
    if not mask_HW.any():
        return np.zeros((len(corners_T42), height, width), bool)
    shown_HWC = 255 * mask_HW[..., None].repeat(3, -1).astype(np.uint8)
    frames_THWC = np.broadcast_to(shown_HWC, (len(corners_T42), *shown_HWC.shape))
    return front(frames_THWC, corners_T42, height, width)[..., 0] > 127


def _refined(corners_42: np.ndarray, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Corners where the lines through the edges along the sides cross, within a few pixels.

    Args:
      corners_42: Corners to begin with.
      pictures: The canvas at several times, float[H, W, 3]; what is painted differs.
    """
    slopes_2HWN = np.stack(
        [
            np.concatenate(
                [
                    ndimage.gaussian_filter(picture_HWC, (0.7, 0.7, 0), (*order, 0))
                    for picture_HWC in pictures
                ],
                axis=-1,
            )
            for order in ((0, 1), (1, 0))
        ]
    )
    found_42 = corners_42
    for reach in _REACHES:
        lines = [
            _edge(start_2, end_2, slopes_2HWN, reach)
            for start_2, end_2 in zip(corners_42, np.roll(corners_42, -1, axis=0), strict=True)
        ]
        corners_42 = np.stack([_crossing(lines[i - 1], lines[i]) for i in range(4)])
        # Where nothing holds them, as beyond the picture, they stay where they were found.
        if not np.abs(corners_42 - found_42).max() <= _FARTHEST:
            return found_42
    return corners_42


def _edge(
    start_2: np.ndarray, end_2: np.ndarray, slopes_2HWN: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two points of the line through the edge beside a side."""
    along_2 = (end_2 - start_2) / np.linalg.norm(end_2 - start_2)
    normal_2 = np.array([-along_2[1], along_2[0]])
    share_S = np.linspace(0.03, 0.97, _PROFILES)
    off_O = np.arange(-reach, reach + _STEP / 2, _STEP)
    points_SO2 = (start_2 + share_S[:, None] * (end_2 - start_2))[:, None] + (
        off_O[:, None] * normal_2
    )
    at_2SO = points_SO2[..., ::-1].transpose(2, 0, 1) - 0.5
    across_SON = sum(
        part * np.stack([ndimage.map_coordinates(s, at_2SO, order=1, mode="nearest") for s in of])
        for part, of in zip(normal_2, np.moveaxis(slopes_2HWN, -1, 1), strict=True)
    )
    steep_SO = np.sqrt(np.square(across_SON).sum(0))
    # Nearer edges first: those of the picture may be steeper.
    steep_SO *= np.exp(-0.5 * np.square(off_O / (0.6 * reach)))
    best_S = np.clip(steep_SO.argmax(1), 1, len(off_O) - 2)
    low_S, top_S, high_S = (steep_SO[np.arange(_PROFILES), best_S + i] for i in (-1, 0, 1))
    bend_S = np.maximum(2 * top_S - low_S - high_S, 1e-6)
    edge_S = off_O[best_S] + _STEP * np.clip((high_S - low_S) / (2 * bend_S), -1, 1)
    # A line that few strays do not move: least squares of what lies near it, again and again.
    weight_S = np.minimum(top_S, 2 * np.median(top_S)) + 1e-6
    line = np.array([0.0, np.median(edge_S)])
    for width in np.geomspace(reach, _TIGHT, _FITS):
        near_S = 1 / (1 + np.square((edge_S - np.polyval(line, share_S)) / width) ** 2)
        line = np.polyfit(share_S, edge_S, 1, w=np.sqrt(weight_S * near_S))
    from_2, to_2 = (
        start_2 + share * (end_2 - start_2) + np.polyval(line, share) * normal_2
        for share in (0.0, 1.0)
    )
    return from_2, to_2


def _crossing(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Where two lines cross, each given by two of its points: float[2]."""
    lines = [np.cross(np.append(a_2, 1), np.append(b_2, 1)) for a_2, b_2 in (one, other)]
    x, y, w = np.cross(lines[0], lines[1])
    # Lines side by side cross nowhere.
    return np.array([x, y]) / w if w else np.full(2, np.inf)


def _corners(still_SHWC: np.ndarray) -> np.ndarray | None:
    third, early = (max(1, len(still_SHWC) // n) for n in (3, _EARLY))
    # Medians over time hold no hand.
    early_HWC, begin_HWC, end_HWC = (
        medians.median(part_SHWC)
        for part_SHWC in (still_SHWC[:early], still_SHWC[:third], still_SHWC[-third:])
    )
    apart_HW = np.abs(end_HWC - begin_HWC).max(-1)
    # What is painted first changes little afterwards; a hand may still be seen before it.
    from_early_HW = np.maximum(apart_HW, np.abs(end_HWC - early_HWC).max(-1))
    # Where an arm often rests, what is seen at the end has not settled; but nor has a canvas that
    # is painted all over to the end.
    moving_HW = medians.median(np.abs(still_SHWC[-third:] - end_HWC)).max(-1) > _SETTLED
    # The border of the canvas is there all the time, what is painted is not; and where the canvas
    # has the colour of the desk, change ends at its border.
    apart_HWC = np.minimum(from_early_HW / _PLAIN, 1)[..., None].repeat(3, -1) * 255
    pictures = early_HWC, begin_HWC, medians.median(still_SHWC), apart_HWC
    each = [Edges.of(picture_HWC) for picture_HWC in pictures]
    quads_N42 = np.concatenate(
        [quadrilateral.candidates(edges, aspect, _MOST) for edges in each for aspect in _ASPECTS]
    )
    for changed_HW in (from_early_HW > _CHANGED, apart_HW > _CHANGED):
        for seen_HW in (changed_HW & ~moving_HW, changed_HW):
            corners_42 = _around(seen_HW, quads_N42, each)
            if corners_42 is not None:
                return corners_42
    return None


def _around(
    changed_HW: np.ndarray, quads_N42: np.ndarray, each: Sequence[Edges]
) -> np.ndarray | None:
    """The quadrilateral of the clearest edges around what changes; None if there is none."""
    changed_HW = ndimage.binary_opening(changed_HW, iterations=2)
    if not changed_HW.any():
        return None
    best, best_42 = -np.inf, None
    for corners_42 in quads_N42:
        inside_HW = quadrilateral.inside(corners_42, changed_HW.shape)
        held = changed_HW[inside_HW].sum() / changed_HW.sum()
        if held < _INSIDE:
            continue
        density = changed_HW[inside_HW].mean()
        if density <= _ENOUGH:
            continue
        # At one time or the other, the border stands out from what is around it.
        support = max(quadrilateral.support(one, corners_42) for one in each)
        if support >= _LEAST and support + 0.5 * density > best:
            best, best_42 = support + 0.5 * density, corners_42
    return best_42
