"""The finished picture in other looks, by a diffusion model that edits pictures.

Such as InstructPix2Pix, FLUX.1 Kontext or Qwen-Image-Edit, as pipelines of diffusers.
"""

import inspect
import math
import zlib
from typing import Any

import numpy as np
from PIL import Image

from painting_jax import media
from painting_jax.data import pictures
from painting_jax.data.enrichment.network import WEIGHTS, Network, refusals_told, torch_device

# Looks that are no media, as instructions; those of painvidpro's variants.
_OTHERS = {
    "photo": "Turn it into a photo-realistic photograph",
    "line_art": "Turn it into a page of a colouring book, black outlines on white paper",
}
LOOKS = (*media.MEDIA, *_OTHERS)
_SIDE = 1024  # of a square, in pixels, where a pipeline does not say what it was trained at
_MULTIPLE = 16  # of sides, which every pipeline takes


def instruction(look: str) -> str:
    """What the model is told, for a look of `LOOKS`."""
    if look in _OTHERS:
        told = _OTHERS[look]
    else:
        words = media.in_words(look)
        told = f"Turn it into {'an' if words[0] in 'aeiou' else 'a'} {words}"
    return f"{told}. Keep the composition."


class Editor:
    """Makes variants of a picture."""

    def __init__(self, network: Network, threads: int | None = None):
        """Loads a pipeline that takes an image and a prompt.

        Raises:
          UserError: If it is another one, or needs code of its own.
        """
        with refusals_told(network, "variants"):
            device = torch_device(threads)
            import diffusers  # noqa: PLC0415
            import torch  # noqa: PLC0415

            diffusers.utils.logging.set_verbosity_error()
            diffusers.utils.logging.disable_progress_bar()
            # The sizes of these models leave no choice on an accelerator, and CPUs are slow in it.
            dtype = torch.bfloat16 if device == "cuda" else torch.float32
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                str(network.folder), dtype=dtype, **WEIGHTS
            )
            taken = inspect.signature(pipeline.__call__).parameters
            if not {"image", "prompt"} <= taken.keys():
                raise ValueError(f"{type(pipeline).__name__} takes no image with a prompt")
            # Some pipelines make squares of whatever they are given unless they are told a size.
            self._sized = {"height", "width"} <= taken.keys()
            self._pipeline = pipeline.to(device)
            self._pipeline.set_progress_bar_config(disable=True)
        self._network = network

    def __call__(self, picture_HWC: np.ndarray, look: str, steps: int) -> np.ndarray | None:
        """A picture in another look, of its size; None if the model's own filter held it back.

        Args:
          picture_HWC: uint8 RGB.
          look: One of `LOOKS`.
          steps: Steps of the sampler.

        Returns:
          uint8[H, W, 3].

        Raises:
          UserError: If the model fails.
        """
        import torch  # noqa: PLC0415

        height, width = self._shape(*picture_HWC.shape[:2])
        # The same picture has the same variant, in whatever order recordings are read.
        seed = zlib.crc32(look.encode(), zlib.crc32(picture_HWC.tobytes()))
        with refusals_told(self._network, "variants"):
            made = self._pipeline(
                image=Image.fromarray(pictures.resize(picture_HWC, height, width)),
                prompt=instruction(look),
                num_inference_steps=steps,
                generator=torch.Generator().manual_seed(seed),
                output_type="pil",
                **({"height": height, "width": width} if self._sized else {}),
            )
            if any(getattr(made, "nsfw_content_detected", None) or ()):
                return None
            edited_HWC = np.asarray(made.images[0].convert("RGB"))
        return pictures.resize(edited_HWC, *picture_HWC.shape[:2])

    def _shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that the model edits at: the area it was trained at, or less."""
        zoom = min(1.0, _trained_side(self._pipeline) / math.sqrt(height * width))

        def side(given: int) -> int:
            return max(1, round(zoom * given / _MULTIPLE)) * _MULTIPLE

        return side(height), side(width)


def _trained_side(pipeline: Any) -> int:
    """Side of the squares that a pipeline was trained at, in pixels."""
    network = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    config = getattr(network, "config", {})
    size = getattr(pipeline, "default_sample_size", None) or config.get("sample_size")
    scale = getattr(pipeline, "vae_scale_factor", None)
    if isinstance(size, int) and isinstance(scale, int):
        return size * scale
    return _SIDE
