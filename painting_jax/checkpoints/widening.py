"""Weights of a transformer that is given room for more channels, which count nothing at first.

A LoRA can teach a model of text alone to take a picture beside the noise: it is then of a wider
convolution over the patches than the model's own, which is filled up with zeros, as ComfyUI does.
"""

import dataclasses

import numpy as np

from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source

_PATCHES = "patch_embedding.weight"  # the end of its name in every layout; [O, channels, 1, 2, 2]


@dataclasses.dataclass(frozen=True)
class _FilledUp(Tensor):
    """A tensor whose second axis is longer than in its file, `held`."""

    held: Tensor

    def view(self) -> np.ndarray:
        whole = np.zeros(self.shape, self.dtype)
        whole[:, : self.held.shape[1]] = self.held.view()
        return whole


def widened(source: Source, channels: int) -> Source:
    """The weights of a transformer for so many channels, or as they are if it takes that many.

    Args:
      source: of a Wan transformer.
      channels: of the latents with their image condition.
    """
    name = next((name for name in source.tensors if name.endswith(_PATCHES)), None)
    # What is of another shape does not fit the model, and is left to be said with all that do not.
    if name is None or len(source.tensors[name].shape) != 5:
        return source
    if source.tensors[name].shape[1] >= channels:
        return source
    held = source.tensors[name]
    shape = (held.shape[0], channels, *held.shape[2:])
    filled_up = _FilledUp(held.path, held.dtype, shape, held.offset, held)
    config = source.config
    if config:
        out_channels = config.get("out_channels") or held.shape[1]
        config = config | {"in_channels": channels, "out_channels": out_channels}
    return dataclasses.replace(source, tensors=source.tensors | {name: filled_up}, config=config)
