"""Shifts of the colours at the end of a process, and the picture's colours carried through it.

Some models are known to shift the colours of the frame that they are given, which is the finished
picture here. The process then jumps in its last step, or ends in other colours.
"""

import numpy as np
from scipy import ndimage

from painting_jax.generation.job import Painted
from painting_jax.models.painting.conditioning import LUMA

_SOFT = 1 / 32  # blur of the compared pictures, as a share of the shorter side
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0


def shifts(painted: Painted) -> dict[str, float]:
    """How far the colours shift in the last step, and from there to the picture.

    Returns:
      Mean absolute differences of blurred pictures, 0..255: "last_step" between the last two
      frames, "to_the_picture" between the last frame and the picture.
    """
    *_, before_HWC, last_HWC = painted.frames_THWC
    return {
        "last_step": round(_shift(before_HWC, last_HWC), 2),
        "to_the_picture": round(_shift(last_HWC, _picture(painted)), 2),
    }


def matched(painted: Painted) -> np.ndarray:
    """The frames with the gain and offset of each channel that the last one needs.

    Its mean and standard deviation become the picture's; the same map is applied to every frame.

    Returns:
      uint8[T, H, W, 3].
    """
    last_PC = painted.frames_THWC[-1].reshape(-1, 3).astype(np.float32)
    picture_PC = _picture(painted).reshape(-1, 3).astype(np.float32)
    gain_C = (picture_PC.std(0) + 1) / (last_PC.std(0) + 1)
    gain_C = np.clip(gain_C, _LEAST_GAIN, _MOST_GAIN)
    offset_C = picture_PC.mean(0) - gain_C * last_PC.mean(0)
    # Each level of a channel has one result.
    table_LC = np.clip(np.arange(256)[:, None] * gain_C + offset_C + 0.5, 0, 255).astype(np.uint8)
    channels = [table_LC[painted.frames_THWC[..., c], c] for c in range(3)]
    return np.stack(channels, -1)


def _picture(painted: Painted) -> np.ndarray:
    """The picture at the size of the frames; without colours for a medium of one pigment."""
    if not painted.is_mono:
        return painted.picture_HWC
    luma_HW1 = (painted.picture_HWC.astype(np.float32) @ LUMA)[..., None]
    return np.repeat((luma_HW1 + 0.5).astype(np.uint8), 3, -1)


def _shift(a_HWC: np.ndarray, b_HWC: np.ndarray) -> float:
    difference_HWC = a_HWC.astype(np.float32) - b_HWC.astype(np.float32)
    sigma = _SOFT * min(a_HWC.shape[:2])
    return float(np.abs(ndimage.gaussian_filter(difference_HWC, (sigma, sigma, 0))).mean())
