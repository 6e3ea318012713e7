"""What lies before the canvas, by a network that is told what it looks like, and by motion.

The network names a hand that rests, and one in the first frame or the last. It sees no shadow, and
what is blurred it may miss: both move. So what moves counts, too, if it touches what the network
found shortly before or after. What moves elsewhere is paint.
"""

import functools

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation import box_masks, networks, occluders, text_boxes, text_masks
from painting_jax.data.curation.options import Prompted

_AT_ONCE = 4  # frames
_STRIDE = 4  # frames between those that the network looks at, on a CPU
_GROWN = 0.02  # of the shorter side, by which masks grow over soft borders
_SAME = 16  # levels of 255 by which a pixel may change between frames in which a mask is the same


class Prompts:
    """Networks and what they are asked for.

    Args:
      asked: Names of the networks, and the prompts.
      stride: Frames between those that the network looks at; None for all on CUDA, and every
        fourth on a CPU.

    Raises:
      UserError: If a network cannot be read.
    """

    def __init__(self, asked: Prompted, stride: int | None = None):
        self._finds = _finder(asked)
        import torch  # noqa: PLC0415

        self._stride = stride or (1 if torch.cuda.is_available() else _STRIDE)

    def occluded(self, frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> Bool[np.ndarray, "t h w"]:
        """Where something lies before the canvas, as `occluders.occluded`."""
        count = len(frames_THWC)
        looked_N = np.unique([*range(0, count, self._stride), count - 1])
        seen_NHW = np.concatenate(
            [
                self._finds(frames_THWC[looked_N[n : n + _AT_ONCE]])
                for n in range(0, len(looked_N), _AT_ONCE)
            ]
        )
        moving_THW = occluders.occluded(frames_THWC, from_outside=False)
        return joined(frames_THWC, looked_N, seen_NHW, moving_THW)


def joined(
    frames_THWC: UInt8[np.ndarray, "t h w 3"],
    looked_N: np.ndarray,
    seen_NHW: Bool[np.ndarray, "n h w"],
    moving_THW: Bool[np.ndarray, "t h w"],
) -> Bool[np.ndarray, "t h w"]:
    """What a network saw in some frames, and what moves and touches it, in all of them.

    In frames between those that it looked at, its mask of the nearest one holds where the picture
    is the same.

    Args:
      frames_THWC: uint8 RGB.
      looked_N: Indices of the frames that the network looked at, in order, with the first and the
        last one.
      seen_NHW: What it saw there.
      moving_THW: What moves.
    """
    height, width = frames_THWC.shape[1:3]
    side = 2 * max(1, round(_GROWN * min(height, width))) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    grown_NHW = [cv2.dilate(seen_HW.astype(np.uint8), around) for seen_HW in seen_NHW]
    mask_THW = np.zeros(frames_THWC.shape[:3], bool)
    for t, frame_HWC in enumerate(frames_THWC):
        n = int(np.abs(looked_N - t).argmin())
        mask_HW = grown_NHW[n]
        if looked_N[n] != t:
            apart_HWC = cv2.absdiff(frame_HWC, frames_THWC[looked_N[n]])
            mask_HW = mask_HW & (apart_HWC.max(-1) <= _SAME)
        # Those just before and after it: what the network missed once, it sees twice.
        first = np.searchsorted(looked_N, t) - 1
        last = np.searchsorted(looked_N, t, "right")
        near_HW = np.any(grown_NHW[max(0, first) : last + 1], 0)
        mask_THW[t] = (mask_HW > 0) | _touching(moving_THW[t], near_HW)
    return mask_THW


def _touching(mask_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
    """The components of a mask that touch another one."""
    count, labels_HW = cv2.connectedComponents(mask_HW.astype(np.uint8))
    touches_L = np.zeros(count, bool)
    touches_L[labels_HW[other_HW]] = True
    touches_L[0] = False
    return touches_L[labels_HW]


@functools.lru_cache(maxsize=1)
def prompts(asked: Prompted) -> Prompts:
    """The networks, loaded once in a process.

    Raises:
      UserError: If a network cannot be read.
    """
    return Prompts(asked)


def check(asked: Prompted) -> None:
    """Loads the networks once, and lets go of them: many recordings would fail for one reason.

    Raises:
      UserError: If torch is not installed, or a network cannot be read.
    """
    _finder(asked)


def _finder(asked: Prompted) -> networks.Finder:
    networks.require_torch("--occluder_model")
    path = networks.folder(asked.model)
    if networks.model_type(path) in text_masks.TYPES:
        return text_masks.TextMasks(path, asked.prompts)
    boxes = text_boxes.TextBoxes(path, asked.prompts)
    cut_out = box_masks.grab_cut
    if asked.mask_model:
        cut_out = box_masks.BoxMasks(networks.folder(asked.mask_model))
    return lambda frames_NHWC: cut_out(frames_NHWC, boxes(frames_NHWC))
