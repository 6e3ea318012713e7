"""Names of LoRA tensors in all dialects for Wan.

A key names a linear layer, in diffusers' names or the original ones, and a part of its adapter:
  diffusers, PEFT   transformer.blocks.0.attn1.to_q.lora_A.weight
  ComfyUI           diffusion_model.blocks.0.self_attn.q.lora_down.weight, and .alpha
  DiffSynth         blocks.0.self_attn.q.lora_A.default.weight
  musubi            lora_unet_blocks_0_self_attn_q.lora_down.weight, and .alpha
Any way to name a layer combines with any way to name the part.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from painting_jax.errors import UserError
from painting_jax.models.lora import Target
from painting_jax.models.tensor_names import LAYER, TRANSFORMS, Transform, place, spellings
from painting_jax.models.wan import params as wan

Dialect = Literal["diffusers", "comfyui"]
# down: the matrix A of [rank, inputs]; up: B of [outputs, rank]; up_bias: a bias that is scaled
# like B. diff and diff_b: a change of the whole kernel and of the bias, not scaled. dora_scale:
# magnitudes of a DoRA.
Part = Literal["down", "up", "up_bias", "alpha", "diff", "diff_b", "dora_scale"]


class Spelling(NamedTuple):
    """How a dialect that can be written spells a key: `{prefix}.{layer}.{part}`."""

    prefix: str
    down: str
    up: str
    bias: str


SPELLINGS: dict[Dialect, Spelling] = {
    "diffusers": Spelling("transformer", "lora_A.weight", "lora_B.weight", "lora_B.bias"),
    "comfyui": Spelling("diffusion_model", "lora_down.weight", "lora_up.weight", "diff_b"),
}

_PARTS: dict[str, Part] = {
    "lora_A": "down",
    "lora_down": "down",
    "lora.down": "down",
    "lora_B": "up",
    "lora_up": "up",
    "lora.up": "up",
    "alpha": "alpha",
    "diff": "diff",
    "diff_b": "diff_b",
    "dora_scale": "dora_scale",
    "lora_magnitude_vector": "dora_scale",
}
_KEY = re.compile(
    rf"(?P<module>.+?)\.(?P<part>{'|'.join(map(re.escape, sorted(_PARTS, reverse=True)))})"
    # PEFT puts the adapter's name here; a file holds one adapter.
    r"(?:\.(?!weight$|bias$)[^.]+)?(?P<bias>\.bias)?(?:\.weight)?"
)
_PREFIXES = r"(?:(?:base_model|model|transformer|transformer_2|diffusion_model)\.)*"
_SECOND = "transformer_2."  # prefix of keys for Wan2.2's low-noise transformer
_MUSUBI = "lora_unet_"


class Key(NamedTuple):
    """A parsed key.

    Attributes:
      module: the layer as the file names it.
      part: the part of its adapter.
      target: the linear layer; None = not a layer of Wan.
      transform: transform of the layer's kernel between the published layout and ours.
    """

    module: str
    part: Part
    target: Target | None
    transform: Transform

    @property
    def prefix(self) -> str:
        """What the key has before the layer's name in the model."""
        return re.match(_PREFIXES, self.module)[0]

    @property
    def for_second(self) -> bool:
        """Whether the key is for the low-noise transformer."""
        return _SECOND in self.prefix


def parse_key(name: str) -> Key | None:
    """Parses a tensor's name; None if it is not a LoRA's."""
    match = _KEY.fullmatch(name)
    if not match:
        return None
    module = match["module"]
    part = "up_bias" if match["bias"] else _PARTS[match["part"]]
    key = Key(module, part, None, TRANSFORMS["same"])
    if module.startswith(_MUSUBI):
        for pattern, path, transform in _MUSUBI_LAYERS:
            match = pattern.fullmatch(module)
            if match:
                layer = match.groupdict().get("layer")
                target = Target(path, None if layer is None else int(layer))
                return key._replace(target=target, transform=transform)
        return key
    for table in wan.RULES:
        rule, slot = place(table, f"{module.removeprefix(key.prefix)}.weight") or (None, None)
        if slot and slot.path.endswith("/kernel"):
            target = Target(slot.path.removesuffix("/kernel"), slot.layer)
            return key._replace(target=target, transform=TRANSFORMS[rule.transform])
    return key


def is_lora(names: Iterable[str]) -> bool:
    """Whether any of these tensor names is a LoRA's, in any dialect."""
    return any(map(_KEY.fullmatch, names))


def _with_underscores(name: str) -> re.Pattern:
    flat = name.removesuffix(".weight").replace(".", "_")
    return re.compile(_MUSUBI + flat.replace("{layer}", LAYER))


_MUSUBI_LAYERS = [
    (_with_underscores(spelling.name), path.removesuffix("/kernel"), spelling.transform)
    for table in wan.RULES
    for path, spelling in spellings(table).items()
    if path.endswith("/kernel")
]


def targets(
    ends: Iterable[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Selects linear layers by the ends of their names, like PEFT's `target_modules`.

    Args:
      ends: ends of layers' names in diffusers, such as "to_q" or "attn1.to_q".
      shapes: kernel shapes of the model by path.

    Returns:
      The selected entries of `shapes`.

    Raises:
      UserError: if an end matches no layer.
    """
    published, selected = names(shapes), {}
    for end in ends:
        found = [path for path, name in published.items() if f".{name}".endswith(f".{end}")]
        if not found or not end:
            raise UserError(
                f"{end!r} is not a linear layer of the model that a LoRA can train: there are "
                f"{', '.join(sorted(published.values()))}"
            )
        selected |= {path: shapes[path] for path in found}
    return selected


def names(paths: Iterable[str]) -> dict[str, str]:
    """diffusers' names of our linear layers by path; without the block's number."""
    spelled = spellings(wan.DIFFUSERS)
    return {
        path: spelled[f"{path}/kernel"].name.removesuffix(".weight").removeprefix("blocks.{layer}.")
        for path in paths
        if f"{path}/kernel" in spelled
    }
