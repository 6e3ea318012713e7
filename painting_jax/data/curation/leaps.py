"""Videos whose frames leap, as many generated ones do: in them, motion tells nothing of hands.

What a hand hid is seen again as it was, but for the little that was painted meanwhile. Where a
whole background changes at once, what was taken for a hand is followed by something else.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation.filling import clean_views

_STRIDE = 4  # pixels, in each direction, of which one is looked at
_CHANGED = 24  # levels of 255
# Share of what was hidden, counted once however long it was, that has another colour afterwards. It
# is .03 to .27 in films of hands, most where washes are large, and .42 to .83 in generated videos.
_MOST = 1 / 3


def is_leaping(
    frames_THWC: UInt8[np.ndarray, "t h w 3"], occluded_THW: Bool[np.ndarray, "t h w"]
) -> bool:
    """Whether frames leap, so that what was taken for hands is paint.

    Args:
      frames_THWC: uint8 RGB frames of the canvas.
      occluded_THW: What motion took for hands in them, of `occluders.occluded`.
    """
    frames_THWC = frames_THWC[:, ::_STRIDE, ::_STRIDE]
    occluded_THW = occluded_THW[:, ::_STRIDE, ::_STRIDE]
    before_THW, after_THW = clean_views(occluded_THW)
    is_seen_again_THW = (before_THW >= 0) & (after_THW < len(frames_THWC))
    begins_THW = occluded_THW.copy()
    begins_THW[1:] &= ~occluded_THW[:-1]
    t_P, y_P, x_P = np.nonzero(begins_THW & is_seen_again_THW)
    if len(t_P) == 0:
        return False
    before_PC, after_PC = (
        frames_THWC[at_THW[t_P, y_P, x_P], y_P, x_P].astype(np.int16)
        for at_THW in (before_THW, after_THW)
    )
    return bool((np.abs(after_PC - before_PC).max(-1) > _CHANGED).mean() > _MOST)
