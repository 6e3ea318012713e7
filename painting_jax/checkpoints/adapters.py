"""LoRAs for a published transformer: parsed from flags, read, and merged or kept as branches."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from flax import nnx

from painting_jax.checkpoints import hub, lora_changes, lora_files
from painting_jax.checkpoints.components import Loaded
from painting_jax.checkpoints.lora_files import LoraFile
from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models import lora

_PATCH_KERNEL = "patch_embedding.weight"  # end of its name in every layout; [O, channels, 1, 2, 2]


@dataclasses.dataclass(frozen=True)
class LoraSpec:
    """A LoRA and its weight, as in a flag.

    Attributes:
      name: a safetensors file, a folder with one in it, or a hub id (see `hub.local_lora`).
      weight: factor of its change to the kernels.
    """

    name: str
    weight: float = 1.0

    @property
    def title(self) -> str:
        """The name in results, without the folders of this machine."""
        name, path = self.name, hub.expanded(self.name)
        if path.exists():
            name = path.resolve().stem
        return name if self.weight == 1 else f"{name}:{self.weight:g}"


def parse(texts: Sequence[str]) -> list[LoraSpec]:
    """Parses "a", "a:0.8" and "a:1.0,b:0.8"; names of existing files may hold colons and commas.

    Raises:
      UserError: for an empty name, or a weight that is not a finite number.
    """
    specs = []
    for part in (part.strip() for text in texts for part in _parts(text)):
        name, colon, weight = part.rpartition(":")
        if not colon or os.path.exists(part):
            name, weight = part, "1"
        try:
            value = float(weight)
        except ValueError:
            raise UserError(
                f"the weight {weight!r} of the LoRA {name} is not a number: write {name}:0.8"
            ) from None
        if not name or not math.isfinite(value):
            raise UserError(f"--lora={part}: name a LoRA and a weight, as in style.safetensors:0.8")
        specs.append(LoraSpec(name, value))
    return specs


def _parts(text: str) -> list[str]:
    is_one = os.path.exists(text) or os.path.exists(text.rpartition(":")[0])
    return [text] if is_one else text.split(",")


def read(
    specs: Sequence[LoraSpec],
    shapes: Mapping[str, tuple[int, ...]],
    others: Mapping[str, tuple[int, ...]],
) -> list[LoraFile]:
    """Reads LoRAs for a transformer.

    Args:
      specs: the LoRAs.
      shapes: kernel shapes of its linear layers by path.
      others: shapes of its other parameters by path.

    Errors as in `hub.local_lora` and `lora_files.read`.
    """
    return [lora_files.read(hub.local_lora(spec.name), shapes, others) for spec in specs]


def apply(
    transformer: Loaded,
    specs: Sequence[LoraSpec],
    files: Sequence[LoraFile],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    merge: bool,
) -> Loaded:
    """A transformer with LoRAs.

    Args:
      transformer: a transformer without LoRAs; freed if the caller keeps no reference.
      specs: the LoRAs.
      files: their content, as returned by `read`.
      shapes: kernel shapes of the transformer by path.
      merge: whether to add the products of two factors to the kernels, rather than to compute them
        as branches. All other changes are always added.
    """
    weights = [spec.weight for spec in specs]
    branches = lora.combine(zip((file.factors for file in files), weights, strict=True), shapes)
    graph, params = transformer.graph, transformer.params
    del transformer
    # One by one, so that only one stack of kernels is held twice at a time.
    changes = list(zip((file.changes for file in files), weights, strict=True))
    for part in lora_changes.by_parameter(changes):
        params = lora_changes.add(params, part)
    if merge:
        for path in list(branches):
            params = lora.merge(params, {path: branches.pop(path)})
        return Loaded(graph, params)
    model = Loaded(graph, params).model()
    lora.attach(model, branches)
    graph, state = nnx.split(model)
    return Loaded(graph, nnx.to_pure_dict(state))


def widened(source: Source, specs: Sequence[LoraSpec]) -> Source:
    """A transformer's weights, with as many input channels as the LoRAs need.

    A LoRA can teach a text-to-video model to take a picture beside the noise. Its patch embedding
    then has more input channels than the model's, whose kernel is padded with zeros as in ComfyUI.

    Returns:
      The source itself if it has enough channels.

    Raises:
      UserError: as in `hub.local_lora` and `lora_files.input_channels`.
    """
    paths = (hub.local_lora(spec.name) for spec in specs)
    needed = max(map(lora_files.input_channels, paths), default=0)
    name = next((name for name in source.tensors if name.endswith(_PATCH_KERNEL)), None)
    kernel = source.tensors.get(name)
    # Key matching reports a kernel of another shape.
    if kernel is None or len(kernel.shape) != 5 or kernel.shape[1] >= needed:
        return source
    shape = (kernel.shape[0], needed, *kernel.shape[2:])
    padded = _PaddedTensor(kernel.path, kernel.dtype, shape, kernel.offset, kernel)
    config = source.config
    if config.get("_class_name") == "WanModel":
        config = config | {"in_dim": needed}
    elif config:
        out_channels = config.get("out_channels") or kernel.shape[1]
        config = config | {"in_channels": needed, "out_channels": out_channels}
    return dataclasses.replace(source, tensors=source.tensors | {name: padded}, config=config)


@dataclasses.dataclass(frozen=True)
class _PaddedTensor(Tensor):
    """A tensor whose second axis is padded with zeros; `stored` is the tensor in the file."""

    stored: Tensor

    @property
    def stored_parts(self) -> tuple[Tensor, ...]:
        return self.stored.stored_parts

    def view(self) -> np.ndarray:
        stored = self.stored.view()
        padded = np.zeros(self.shape, stored.dtype)
        padded[:, : self.stored.shape[1]] = stored
        return padded
