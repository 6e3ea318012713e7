"""What lies behind occluders: the clean view of each pixel that is nearest in time."""

import numpy as np
from jaxtyping import Bool, Int32, UInt8
from skimage import restoration

_NEVER = 1 << 20  # frames
_AT_ONCE = 1 << 22  # pixels of a film that are filled together, for the sake of memory


def filled(
    frames_THWC: UInt8[np.ndarray, "t h w 3"],
    occluded_THW: Bool[np.ndarray, "t h w"],
    *,
    prefers_last: bool = False,
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames in which occluded pixels show what was seen there last, or is seen next.

    The nearer view in time is shown, the last one if both are as near: what is painted behind a
    hand is painted early or late, and in the middle on average. A pixel without any clean view is
    inpainted.

    Args:
      frames_THWC: uint8 RGB.
      occluded_THW: Where occluders are.
      prefers_last: Whether what was seen last is shown, even if what is seen next is nearer.
    """
    clean_THWC = frames_THWC.copy()
    step = max(1, _AT_ONCE // (len(frames_THWC) * frames_THWC.shape[2]))
    for top in range(0, frames_THWC.shape[1], step):
        rows = slice(top, top + step)
        _fill(clean_THWC[:, rows], frames_THWC[:, rows], occluded_THW[:, rows], prefers_last)
    never_HW = np.asarray(occluded_THW.all(0))
    if never_HW.any() and not never_HW.all():
        clean_THWC[:, never_HW] = _inpainted(clean_THWC[-1], never_HW)[never_HW]
    return clean_THWC


def clean_views(
    occluded_THW: Bool[np.ndarray, "t h w"],
) -> tuple[Int32[np.ndarray, "t h w"], Int32[np.ndarray, "t h w"]]:
    """Frames in which each pixel was seen last and is seen next: the frame itself if it is clean.

    Where there is none, the first is negative, and the second not less than T.

    Args:
      occluded_THW: Where occluders are.
    """
    index_T11 = np.arange(len(occluded_THW), dtype=np.int32)[:, None, None]
    last_THW = np.where(occluded_THW, -_NEVER, index_T11)
    next_THW = np.where(occluded_THW, _NEVER, index_T11)
    # Frame by frame; `np.maximum.accumulate` goes through memory pixel by pixel.
    for t in range(1, len(occluded_THW)):
        np.maximum(last_THW[t - 1], last_THW[t], out=last_THW[t])
        np.minimum(next_THW[-t], next_THW[-t - 1], out=next_THW[-t - 1])
    return last_THW, next_THW


def _fill(
    clean_THWC: np.ndarray, frames_THWC: np.ndarray, occluded_THW: np.ndarray, prefers_last: bool
) -> None:
    """Writes the nearest clean views into the first array; where there is none, the first frame."""
    last_THW, next_THW = clean_views(occluded_THW)
    t_P, y_P, x_P = np.nonzero(occluded_THW)
    last_P, next_P = last_THW[t_P, y_P, x_P], next_THW[t_P, y_P, x_P]
    is_last_P = last_P >= 0 if prefers_last else t_P - last_P <= next_P - t_P
    near_P = np.where(is_last_P, last_P, next_P)
    near_P[np.abs(near_P) == _NEVER] = 0
    clean_THWC[t_P, y_P, x_P] = frames_THWC[near_P, y_P, x_P]


def _inpainted(picture_HWC: np.ndarray, missing_HW: np.ndarray) -> np.ndarray:
    whole_HWC = restoration.inpaint_biharmonic(
        picture_HWC, missing_HW, split_into_regions=True, channel_axis=-1
    )
    return np.clip(255 * whole_HWC + 0.5, 0, 255).astype(np.uint8)
