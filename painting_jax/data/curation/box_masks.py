"""Masks of what lies in boxes: by SAM (arXiv 2304.02643), SAM 2 (2408.00714), or GrabCut."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from painting_jax.data.curation import grab_cut, vision_network
from painting_jax.data.enrichment.network import Network
from painting_jax.errors import UserError

_SAM = "sam"
_CLASSES = {_SAM: "SamModel", "sam2": "Sam2Model", "sam2_video": "Sam2Model"}
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_ROUNDS = 4  # of GrabCut
_AROUND = 0.5  # part of a box that GrabCut sees on each side of it
_AROUND_IT = 16  # pixels that tell what lies around a box
_FEWEST = 3  # pixels of a side of a box in which there is something to cut out


class BoxMasks:
    """SAM or SAM 2, told where to look by boxes.

    Args:
      network: Where it lies.
      device: Device of torch.

    Raises:
      UserError: If it cannot be read, or holds another network.
    """

    def __init__(self, network: Network, device: str):
        import transformers  # noqa: PLC0415

        kind = vision_network.model_type(network)
        if kind not in _CLASSES:
            raise UserError(f"{network.path} holds a {kind}: --mask_model takes a SAM or a SAM 2")
        self._model = vision_network.model(network, getattr(transformers, _CLASSES[kind]), device)
        self._side = vision_network.square_side(
            self._model.config.prompt_encoder_config.image_size, network
        )
        self._normal = vision_network.normalization(network, _IMAGENET)
        self._keeps_shape = kind == _SAM

    def __call__(
        self, frames_NHWC: UInt8[np.ndarray, "n h w 3"], boxes: Sequence[Float[np.ndarray, "k 4"]]
    ) -> Bool[np.ndarray, "n h w"]:
        """Where frames show what lies in their boxes."""
        masks_NHW = np.zeros(frames_NHWC.shape[:3], bool)
        for n in range(len(frames_NHWC)):
            # Frames have different numbers of boxes.
            if len(boxes[n]):
                masks_NHW[n] = self._mask(frames_NHWC[n], boxes[n])
        return masks_NHW

    def _mask(self, frame_HWC: np.ndarray, boxes_K4: np.ndarray) -> np.ndarray:
        import torch  # noqa: PLC0415

        height, width = frame_HWC.shape[:2]
        inner_HW = self._side, self._side
        if self._keeps_shape:
            scale = self._side / max(height, width)
            inner_HW = int(height * scale + 0.5), int(width * scale + 0.5)
        pixels_13SS = np.zeros((1, 3, self._side, self._side), np.float32)
        pixels_13SS[..., : inner_HW[0], : inner_HW[1]] = vision_network.pixels(
            frame_HWC[None], inner_HW, *self._normal
        )
        scales_4 = np.array([inner_HW[1] / width, inner_HW[0] / height] * 2, np.float32)
        device = self._model.device
        with torch.inference_mode():
            outputs: Any = self._model(
                pixel_values=torch.from_numpy(pixels_13SS).to(device),
                input_boxes=torch.from_numpy(boxes_K4 * scales_4)[None].to(device),
                multimask_output=False,
            )
            logits_KHW = outputs.pred_masks[0, :, 0]
            # What was padded is cut off before the mask gets the shape of the frame.
            logits_KSS = vision_network.stretched(logits_KHW, (self._side, self._side))
            logits_KHW = torch.from_numpy(logits_KSS[:, : inner_HW[0], : inner_HW[1]])
            return np.any(vision_network.stretched(logits_KHW, (height, width)) > 0, axis=0)


def cut_out(
    frames_NHWC: UInt8[np.ndarray, "n h w 3"], boxes: Sequence[Float[np.ndarray, "k 4"]]
) -> Bool[np.ndarray, "n h w"]:
    """Where frames show what lies in their boxes and has other colours than what lies around them.

    A box in which nothing differs is taken whole.
    """
    masks_NHW = np.zeros(frames_NHWC.shape[:3], bool)
    for frame_HWC, boxes_K4, mask_HW in zip(frames_NHWC, boxes, masks_NHW, strict=True):
        for box_4 in boxes_K4:
            _cut_out(frame_HWC, box_4, mask_HW)
    return masks_NHW


def _cut_out(frame_HWC: np.ndarray, box_4: np.ndarray, mask_HW: np.ndarray) -> None:
    """Marks what lies in a box."""
    left, top = np.floor(box_4[:2]).astype(int)
    right, bottom = np.ceil(box_4[2:]).astype(int)
    if right - left < _FEWEST or bottom - top < _FEWEST:
        return
    more_y, more_x = (max(2, round(_AROUND * side)) for side in (bottom - top, right - left))
    window = np.s_[max(0, top - more_y) : bottom + more_y, max(0, left - more_x) : right + more_x]
    within = np.s_[top:bottom, left:right]
    known_HW = np.full(mask_HW.shape, cv2.GC_BGD, np.uint8)
    known_HW[within] = cv2.GC_PR_FGD
    shown_HW = np.zeros(mask_HW.shape, bool)
    if (known_HW[window] == cv2.GC_BGD).sum() >= _AROUND_IT:
        shown_HW[window] = grab_cut.foreground(frame_HWC[window], known_HW[window], _ROUNDS)
    # Nothing differs from what lies around, or all that there is lies in the box.
    mask_HW[within] |= shown_HW[within] if shown_HW.any() else True
