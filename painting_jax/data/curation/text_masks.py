"""Masks of what is named, by SAM 3 (arXiv 2511.16719; `transformers.Sam3Model`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation import vision_network
from painting_jax.data.enrichment.network import Network

if TYPE_CHECKING:
    import torch

TYPES = ("sam3", "sam3_video")  # the published weights hold the tracker, too, which is not used

_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TOKENS = 32  # as the text encoder was trained
_NOTHING = -1e4  # logit
_CERTAIN = 0.5  # score from which on an instance counts, as SAM 3's authors have it


class TextMasks:
    """SAM 3 and what it is asked for.

    Args:
      network: Where it lies.
      prompts: What is looked for, such as "hand".
      device: Device of torch.

    Raises:
      UserError: If it cannot be read.
    """

    def __init__(self, network: Network, prompts: Sequence[str], device: str):
        import transformers  # noqa: PLC0415

        self._model = vision_network.model(network, transformers.Sam3Model, device)
        tokenizer = vision_network.processor(network, transformers.AutoTokenizer)
        self._tokens = [
            tokenizer(
                prompt,
                padding="max_length",
                truncation=True,
                max_length=min(_TOKENS, self._model.config.text_config.max_position_embeddings),
                return_tensors="pt",
            ).to(self._model.device)
            for prompt in prompts
        ]
        self._side = vision_network.square_side(self._model.config.image_size, network)
        self._normal = vision_network.normalization(network, _HALF)

    def __call__(self, frames_NHWC: UInt8[np.ndarray, "n h w 3"]) -> Bool[np.ndarray, "n h w"]:
        """Where frames show any of it."""
        import torch  # noqa: PLC0415

        pixels_N3SS = vision_network.pixels(frames_NHWC, (self._side, self._side), *self._normal)
        with torch.inference_mode():
            seen = self._model.get_vision_features(
                torch.from_numpy(pixels_N3SS).to(self._model.device)
            )
            # The pictures are looked at once for all prompts.
            logits = [self._logits(seen, tokens, len(frames_NHWC)) for tokens in self._tokens]
            most_NHW = torch.stack(logits).amax(0)
        return vision_network.stretched(most_NHW, frames_NHWC.shape[1:3]) > 0

    def _logits(self, seen, tokens, count: int) -> "torch.Tensor":
        """Of all instances of a prompt that are certain."""
        outputs = self._model(
            vision_embeds=seen,
            input_ids=tokens["input_ids"].expand(count, -1),
            attention_mask=tokens["attention_mask"].expand(count, -1),
        )
        # Whether an instance is what was named if the picture shows that, and whether it does.
        scores_NQ = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
        certain_NQ11 = (scores_NQ > _CERTAIN)[..., None, None]
        return outputs.pred_masks.where(certain_NQ11, _NOTHING).amax(1)
