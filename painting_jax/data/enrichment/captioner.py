"""Captions by a network that tells what a picture shows, such as BLIP or GIT."""

import re

import numpy as np
from PIL import Image

from painting_jax.data.enrichment.network import Network, loaded, refusals_told
from painting_jax.errors import one_line

_TOKENS = 40
_LONGEST = 200  # letters
# A caption names the subject: the medium is told otherwise.
_MEDIUM = re.compile(
    r"^(?:(?:this|there|it) is |here is )?(?:an? |the )?"
    r"(?:(?:acrylic|oil|watercolou?r|colou?red|colou?r|pencil|charcoal|ink|pastel|digital|"
    r"black and white|close[- ]up|beautiful) )*"
    r"(?:painting|drawing|sketch|picture|photo|photograph|image|illustration|artwork) of ",
    re.IGNORECASE,
)


class Captioner:
    """Tells in one line what a picture shows."""

    def __init__(self, network: Network, threads: int | None = None):
        """Loads a network of `AutoModelForImageTextToText` that takes no instruction.

        Raises:
          UserError: If it is another one, or needs code of its own.
        """
        self._model, self._processor = loaded(
            network, "captions", "AutoModelForImageTextToText", "AutoProcessor", threads
        )
        self._network = network

    def __call__(self, picture_HWC: np.ndarray) -> str:
        """The caption of a picture, uint8[H, W, 3]: a line of at most 200 letters; may be empty.

        Raises:
          UserError: If the network fails.
        """
        import torch  # noqa: PLC0415

        with refusals_told(self._network, "captions"):
            inputs = self._processor(images=Image.fromarray(picture_HWC), return_tensors="pt")
            with torch.inference_mode():
                ids = self._model.generate(
                    **inputs.to(self._model.device), max_new_tokens=_TOKENS, do_sample=False
                )
            [text] = self._processor.batch_decode(ids, skip_special_tokens=True)
        return tidy(text)


def tidy(text: str) -> str:
    """A caption in one line without control characters, without the medium, and not too long."""
    line = one_line(" ".join(text.split()))
    line = _MEDIUM.sub("", line, count=1)
    if len(line) <= _LONGEST:
        return line
    cut = line[:_LONGEST]
    return cut.rpartition(" ")[0] or cut
