"""Boxes of what is named, by Grounding DINO (arXiv 2303.05499) and the detectors like it."""

import inspect
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from painting_jax.data.curation import vision_network
from painting_jax.data.enrichment.network import Network

_LARGEST = 0.9  # share of the frame; a box of all of it names the picture, not what lies before it


class TextBoxes:
    """A detector of `AutoModelForZeroShotObjectDetection` and what it is asked for.

    Args:
      network: Where it lies.
      prompts: What is looked for, such as "hand".
      device: Device of torch.

    Raises:
      UserError: If it cannot be read.
    """

    def __init__(self, network: Network, prompts: Sequence[str], device: str):
        import transformers  # noqa: PLC0415

        self._model = vision_network.model(
            network, transformers.AutoModelForZeroShotObjectDetection, device
        )
        self._processor = vision_network.processor(network, transformers.AutoProcessor)
        self._prompts = list(prompts)
        taken = inspect.signature(self._processor.post_process_grounded_object_detection).parameters
        # Grounding DINO tells a prompt from the others by its tokens, the other detectors do not.
        self._by_tokens = "input_ids" in taken

    def __call__(self, frames_NHWC: UInt8[np.ndarray, "n h w 3"]) -> list[Float[np.ndarray, "k 4"]]:
        """The boxes in each frame: left, top, right and bottom, in pixels."""
        import torch  # noqa: PLC0415

        count, height, width, _ = frames_NHWC.shape
        labels = [self._prompts] * count
        inputs = self._processor(
            images=list(frames_NHWC), text=labels, return_tensors="pt", padding=True
        ).to(self._model.device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        more = {"input_ids": inputs["input_ids"]} if self._by_tokens else {"text_labels": labels}
        # The score from which on a box counts is the library's: it differs between detectors.
        found = self._processor.post_process_grounded_object_detection(
            outputs, target_sizes=[(height, width)] * count, **more
        )
        most_4 = np.array([width, height] * 2, np.float32)
        boxes = [np.clip(one["boxes"].float().cpu().numpy(), 0, most_4) for one in found]
        return [one[_area(one) <= _LARGEST * height * width] for one in boxes]


def _area(boxes_K4: np.ndarray) -> np.ndarray:
    return np.prod(boxes_K4[:, 2:] - boxes_K4[:, :2], axis=1)
