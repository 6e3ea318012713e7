"""Noise of the camera and the codec taken out: each pixel as the mean of when it looked alike."""

import numpy as np
from jaxtyping import UInt8

_APART = (1, 2, 4, 7, 11, 16)  # frames before and after; codecs repeat their noise in the next
_SHRUNK = 2  # pixels, in each direction, that are compared at once
_NOISE = 8.0  # levels of 255 by which a codec changes them; paint changes them by more
_AT_ONCE = 1 << 18  # pixels of a film that are compared together, so that they stay in the cache


def denoised(frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames whose pixels are means over time, of frames that show the same there.

    A frame counts by exp(-(d / 8)²), where d is the root mean square of the difference in levels
    of 255. So a stroke stays as sharp as it was, and appears when it did.

    Args:
      frames_THWC: uint8 RGB frames of the canvas from the front, without occluders.
    """
    count, height, width, _ = frames_THWC.shape
    calm_THWC = np.empty_like(frames_THWC)
    step = _SHRUNK * max(1, _AT_ONCE // (_SHRUNK * count * width))
    for top in range(0, height, step):
        rows = slice(top, top + step)
        calm_THWC[:, rows] = _calmed(frames_THWC[:, rows])
    return calm_THWC


def _calmed(frames_THWC: np.ndarray) -> np.ndarray:
    """As `denoised`, of rows that are compared together."""
    count, height, width, _ = frames_THWC.shape
    edges = ((0, 0), (0, -height % _SHRUNK), (0, -width % _SHRUNK), (0, 0))
    padded_THWC = np.pad(frames_THWC, edges, mode="edge")
    squares = (padded_THWC.shape[1] // _SHRUNK, _SHRUNK, padded_THWC.shape[2] // _SHRUNK, _SHRUNK)
    # The pixels of a square beside each other: all of them have the same weight.
    seen_NThw = np.moveaxis(padded_THWC.reshape(count, *squares, 3), (2, 4, 5), (0, 1, 2))
    seen_NThw = np.ascontiguousarray(seen_NThw, np.float32).reshape(-1, count, *squares[::2])
    sums_NThw, weights_Thw = seen_NThw.copy(), np.ones_like(seen_NThw[0])
    for apart in _APART:
        late_NShw, early_NShw = seen_NThw[:, apart:], seen_NThw[:, :-apart]
        # Each tells as much of the other.
        tells_Shw = np.exp(np.square(late_NShw - early_NShw).mean(0) / -(_NOISE**2))
        for frames, others_NShw in ((slice(apart, None), early_NShw), (slice(-apart), late_NShw)):
            sums_NThw[:, frames] += tells_Shw * others_NShw
            weights_Thw[frames] += tells_Shw
    calm_NThw = np.rint(sums_NThw / weights_Thw).astype(np.uint8)
    calm_THWC = np.moveaxis(
        calm_NThw.reshape(_SHRUNK, _SHRUNK, 3, count, *squares[::2]), (0, 1, 2), (2, 4, 5)
    ).reshape(padded_THWC.shape)
    return calm_THWC[:, :height, :width]
