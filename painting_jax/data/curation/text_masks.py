"""Masks of what is named, by SAM 3 (arXiv 2511.16719; `transformers.Sam3Model`)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from painting_jax.data.curation import vision_network
from painting_jax.data.enrichment.network import Network

TYPES = ("sam3", "sam3_video")  # the published weights hold the tracker, too, which is not used

_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TOKENS = 32  # as the text encoder was trained
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
            masks = [self._found(seen, tokens, frames_NHWC.shape[:3]) for tokens in self._tokens]
        return np.any(masks, 0)

    def _found(self, seen, tokens, shape: tuple[int, ...]) -> np.ndarray:
        outputs = self._model(
            vision_embeds=seen,
            input_ids=tokens["input_ids"].expand(shape[0], -1),
            attention_mask=tokens["attention_mask"].expand(shape[0], -1),
        )
        # Whether an instance is what was named if the picture shows that, and whether it does.
        scores_NQ = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
        certain_NQ11 = (scores_NQ > _CERTAIN)[..., None, None]
        logits_NHW = outputs.pred_masks.where(certain_NQ11, -1e4).amax(1)
        return vision_network.stretched(logits_NHW, shape[1:]) > 0
