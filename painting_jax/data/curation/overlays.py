"""Logos and captions that stay in a corner of the frame, over the canvas and what is beside it."""

import cv2
import numpy as np
from scipy import ndimage

_LOOKED_AT = 48  # frames that are looked at
_CORNER = 0.3  # share of the frame's sides at which a corner ends
_CHANGES = 12.0  # levels of 255 by which the codec changes a pixel that stays
_STANDS_OUT = 24.0  # levels by which a logo differs from what is around it
_AROUND = 0.1  # share of the frame's sides: what is around a pixel
_LETS_THROUGH = 0.5  # share of a change below it that a logo shows
_MOVES = 3.0  # pixels by which the camera moves at least
_STAYS = 0.55  # share of what stands out, there and beside it, that looks the same in all frames
_GROWN = 3  # pixels over which letters are joined, and by which what is found grows
_SMALLEST, _LARGEST = 1e-4, 0.03  # area, as a share of the frame


def found(frames_THWC: np.ndarray, to_common_T33: np.ndarray) -> np.ndarray:
    """Where a logo lies over the frames: bool[H, W].

    It lies whole within a corner, stands out in the first frame, when the canvas is blank, and has
    the same colours in all of them, or lets little of what changes below it through. What is
    painted moves with the camera, and a logo does not: from a camera that stands still, none is
    found.

    Args:
      frames_THWC: uint8 RGB, as they were recorded; not of a screen.
      to_common_T33: Where the camera looks; see `camera`.
    """
    count, height, width, _ = frames_THWC.shape
    hidden_HW = np.zeros((height, width), bool)
    if np.ptp(to_common_T33[:, :2, 2], axis=0).max() < _MOVES:
        return hidden_HW
    shown_S = np.linspace(0, count - 1, min(_LOOKED_AT, count)).astype(int)
    tall, wide = round(_CORNER * height), round(_CORNER * width)
    for rows in (slice(tall), slice(height - tall, None)):
        for columns in (slice(wide), slice(width - wide, None)):
            corner_SHWC = frames_THWC[shown_S][:, rows, columns]
            hidden_HW[rows, columns] = _within(corner_SHWC, height * width)
    return hidden_HW


def _within(corner_SHWC: np.ndarray, size: int) -> np.ndarray:
    """Where a logo lies in a corner: bool[h, w].

    Args:
      corner_SHWC: The corner in some frames.
      size: Pixels of the whole frame.
    """
    around = 2 * max(1, round(_AROUND * size**0.5 / 2)) + 1
    first_HWC = np.ascontiguousarray(corner_SHWC[0])
    plain_HWC = cv2.medianBlur(first_HWC, around)
    stands_out_HW = cv2.absdiff(first_HWC, plain_HWC).max(-1) > _STANDS_OUT
    # Hands pass now and then.
    low_HWC, high_HWC = np.percentile(corner_SHWC, (15, 85), axis=0)
    range_HW = (high_HWC - low_HWC).max(-1).astype(np.uint8)
    below_HW = cv2.medianBlur(range_HW, around)
    stays_HW = range_HW < np.maximum(_CHANGES, _LETS_THROUGH * below_HW)
    joined_HW = ndimage.binary_dilation(stands_out_HW & stays_HW, iterations=_GROWN)
    labels_HW, _ = ndimage.label(joined_HW)
    found_HW = np.zeros(joined_HW.shape, bool)
    for label, where in enumerate(ndimage.find_objects(labels_HW), 1):
        one_HW = labels_HW[where] == label
        is_whole = all(
            part.start > 0 and part.stop < side
            for part, side in zip(where, joined_HW.shape, strict=True)
        )
        # The borders of what is painted move with the camera.
        stays = stays_HW[where][one_HW & stands_out_HW[where]].mean()
        if is_whole and stays > _STAYS and _SMALLEST < one_HW.sum() / size < _LARGEST:
            found_HW[where] |= one_HW
    return found_HW
