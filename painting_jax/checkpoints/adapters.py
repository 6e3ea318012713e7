"""LoRAs for a published transformer: named on the command line, read, merged or kept apart."""

import dataclasses
import math
import os
from collections.abc import Sequence

from flax import nnx

from painting_jax.checkpoints import hub, lora_files, widening
from painting_jax.checkpoints.components import Loaded
from painting_jax.checkpoints.lora_files import LoraFile
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models import lora


@dataclasses.dataclass(frozen=True)
class Named:
    """A LoRA as the user names it.

    Attributes:
      name: a safetensors file, a folder with one in it, or a hub id.
      weight: how much it counts.
    """

    name: str
    weight: float = 1.0

    @property
    def title(self) -> str:
        """What results call it, without the folders of this machine."""
        name, path = self.name, hub.expanded(self.name)
        if path.exists():
            name = path.resolve().stem
        return name if self.weight == 1 else f"{name}:{self.weight:g}"


def parse(texts: Sequence[str]) -> list[Named]:
    """Reads "a", "a:0.8" and "a:1.0,b:0.8"; a file that is there may have either sign in its name.

    Raises:
      UserError: for an empty name or a weight that is no finite number.
    """
    named = []
    for part in (part.strip() for text in texts for part in _parts(text)):
        name, colon, weight = part.rpartition(":")
        if not colon or os.path.exists(part):
            name, weight = part, "1"
        try:
            value = float(weight)
        except ValueError:
            raise UserError(
                f"the weight {weight!r} of the LoRA {name} is no number: write {name}:0.8"
            ) from None
        if not name or not math.isfinite(value):
            raise UserError(f"--lora={part}: name a LoRA and a weight, as in style.safetensors:0.8")
        named.append(Named(name, value))
    return named


def _parts(text: str) -> list[str]:
    whole = os.path.exists(text) or os.path.exists(text.rpartition(":")[0])
    return [text] if whole else text.split(",")


def read(named: Sequence[Named], shapes: dict[str, tuple[int, ...]]) -> list[LoraFile]:
    """Reads LoRAs for a transformer whose kernels have these shapes; errors as of `hub`, `lora`."""
    return [lora_files.read(hub.local(one.name), shapes) for one in named]


def widened(source: Source, named: Sequence[Named]) -> Source:
    """A transformer's weights with room for the channels that LoRAs are made for.

    Those of models that take as many are as they were; errors as of `hub` and `lora`.
    """
    channels = (lora_files.channels(hub.local(one.name)) for one in named)
    return widening.widened(source, max(channels, default=0))


def applied(
    transformer: Loaded,
    named: Sequence[Named],
    files: Sequence[LoraFile],
    shapes: dict[str, tuple[int, ...]],
    *,
    apart: bool,
) -> Loaded:
    """A transformer with LoRAs, each with its weight.

    Args:
      transformer: without any; freed if no one else holds it.
      named: the LoRAs.
      files: what they hold.
      shapes: of the transformer's kernels.
      apart: beside the kernels, which then stay as they are, instead of merged into them.
    """
    weights = [one.weight for one in named]
    branches = lora.combine(zip((file.factors for file in files), weights, strict=True), shapes)
    if not apart:
        graph, params = transformer.graph, transformer.params
        del transformer
        # One by one, so that there are never two of more than one stack of kernels.
        for path in list(branches):
            params = lora.merge(params, {path: branches.pop(path)})
        return Loaded(graph, params)
    model = transformer.model()
    lora.attach(model, branches)
    graph, state = nnx.split(model)
    return Loaded(graph, nnx.to_pure_dict(state))
