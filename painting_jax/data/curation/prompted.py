"""What lies before the canvas, by a network that is told what it looks like, and by motion.

The network names a hand that rests, and one in the first frame or the last, which motion takes for
paint. Motion finds shadows and sleeves, which nobody named. Where the network found something in a
frame, what moves counts if it touches that: the rest is paint. Where it found nothing, or did not
look, it may have missed a hand that is blurred: there, all counts that motion finds alone.
"""

import functools
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation import (
    box_masks,
    leaps,
    occluders,
    text_boxes,
    text_masks,
    vision_network,
)
from painting_jax.data.curation.options import Prompted
from painting_jax.data.enrichment.network import refusals_told, torch_device

# Where frames show what was asked for: uint8[N, H, W, 3] to bool[N, H, W].
Finder = Callable[[UInt8[np.ndarray, "n h w 3"]], np.ndarray]

_AT_ONCE = 4  # frames, on CUDA; on a CPU more at once are no faster
_STRIDE = 4  # frames between those that the network looks at, on a CPU
_GROWN = 0.02  # of the shorter side, by which masks grow over soft borders
_EDGE = 4  # pixels of a frame at its edge; the canvas may be found a little too large
_SAME = 16  # levels of 255 by which a pixel may change between frames in which a mask is the same


class Prompts:
    """Networks and what they are asked for.

    Args:
      asked: The networks, and the prompts.
      stride: Frames between those that the network looks at; None for all on CUDA, and every
        fourth on a CPU.

    Raises:
      UserError: If a network cannot be read.
    """

    def __init__(self, asked: Prompted, stride: int | None = None):
        device = torch_device(asked.threads)
        self._model = asked.model
        with refusals_told(asked.model, "masks"):
            self._finds = _finder(asked, device)
        self._at_once = 1 if device == "cpu" else _AT_ONCE
        self._stride = stride or (_STRIDE if device == "cpu" else 1)

    def occluded(self, frames_THWC: UInt8[np.ndarray, "t h w 3"]) -> Bool[np.ndarray, "t h w"]:
        """Where something lies before the canvas, as `occluders.occluded`."""
        count = len(frames_THWC)
        looked_N = np.unique([*range(0, count, self._stride), count - 1])
        with refusals_told(self._model, "masks"):
            seen = [
                self._finds(frames_THWC[looked_N[n : n + self._at_once]])
                for n in range(0, len(looked_N), self._at_once)
            ]
        moving_THW = occluders.occluded(frames_THWC, from_outside=False)
        if leaps.is_leaping(frames_THWC, moving_THW):
            moving_THW = np.zeros_like(moving_THW)
        return joined(frames_THWC, looked_N, np.concatenate(seen), moving_THW)


def joined(
    frames_THWC: UInt8[np.ndarray, "t h w 3"],
    looked_N: np.ndarray,
    seen_NHW: Bool[np.ndarray, "n h w"],
    moving_THW: Bool[np.ndarray, "t h w"],
) -> Bool[np.ndarray, "t h w"]:
    """What a network saw in some frames, joined with what moves, in all of them.

    In frames between those that it looked at, its mask of the nearest one holds where the picture
    is the same.

    Args:
      frames_THWC: uint8 RGB.
      looked_N: Indices of the frames that the network looked at, in order.
      seen_NHW: What it saw there.
      moving_THW: What moves, `occluders.occluded` of whatever reaches in or does not.
    """
    side = 2 * max(1, round(_GROWN * min(frames_THWC.shape[1:3]))) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    edge_HW = np.ones(frames_THWC.shape[1:3], bool)
    edge_HW[_EDGE:-_EDGE, _EDGE:-_EDGE] = False
    mask_THW = np.zeros_like(moving_THW)
    for t, frame_HWC in enumerate(frames_THWC):
        # As without a network: an arm reaches in from beyond the canvas.
        mask_THW[t] = _touching(moving_THW[t], edge_HW)
        n = int(np.abs(looked_N - t).argmin())
        if not seen_NHW[n].any():
            continue
        seen_HW = cv2.dilate(seen_NHW[n].astype(np.uint8), around) > 0
        if looked_N[n] == t:
            mask_THW[t] = seen_HW | _touching(moving_THW[t], seen_HW)
        else:
            apart_HWC = cv2.absdiff(frame_HWC, frames_THWC[looked_N[n]])
            mask_THW[t] |= seen_HW & (apart_HWC.max(-1) <= _SAME)
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


def _finder(asked: Prompted, device: str) -> Finder:
    if vision_network.model_type(asked.model) in text_masks.TYPES:
        return text_masks.TextMasks(asked.model, asked.prompts, device)
    boxes = text_boxes.TextBoxes(asked.model, asked.prompts, device)
    cut_out = box_masks.cut_out
    if asked.mask_model:
        cut_out = box_masks.BoxMasks(asked.mask_model, device)
    return lambda frames_NHWC: cut_out(frames_NHWC, boxes(frames_NHWC))
