"""Names of LoRA tensors in all dialects for Wan.

A key names a layer, in diffusers' names or the original ones, and a part of its adapter:
  diffusers, PEFT   transformer.blocks.0.attn1.to_q.lora_A.weight
  ComfyUI           diffusion_model.blocks.0.self_attn.q.lora_down.weight, and .alpha
  DiffSynth         pipe.dit.blocks.0.self_attn.q.lora_A.default.weight
  musubi, Fun       lora_unet_blocks_0_self_attn_q.lora_down.weight, and .alpha
  LyCORIS           lycoris_blocks_0_attn1_to_q.lokr_w1, and .alpha
Any prefix combines with any way to name a layer, with points or underscores, and any part.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, get_args

from painting_jax.errors import UserError
from painting_jax.models.lora import Target
from painting_jax.models.tensor_names import (
    LAYER,
    TRANSFORMS,
    Slot,
    Transform,
    spellings,
    split_prefix,
)
from painting_jax.models.wan import params as wan

Dialect = Literal["diffusers", "comfyui"]
# Factors of LoHa and of LoKr.
_HadamardPart = Literal[
    "hada_w1_a",
    "hada_w1_b",
    "hada_w2_a",
    "hada_w2_b",
    "hada_t1",
    "hada_t2",
]
_KroneckerPart = Literal[
    "lokr_w1",
    "lokr_w1_a",
    "lokr_w1_b",
    "lokr_w2",
    "lokr_w2_a",
    "lokr_w2_b",
    "lokr_t2",
]
# down: the matrix A of [rank, inputs]; up: B of [outputs, rank]; mid: the core of a convolution's
# Tucker decomposition; up_bias: a bias that is scaled like B. diff and diff_b: a change of the
# whole weight and of the bias, not scaled. magnitude: the lengths that a DoRA gives its vectors.
Part = Literal[
    "down",
    "up",
    "mid",
    "up_bias",
    "alpha",
    "diff",
    "diff_b",
    "magnitude",
    _HadamardPart,
    _KroneckerPart,
]
LOHA: tuple[Part, ...] = get_args(_HadamardPart)
LOKR: tuple[Part, ...] = get_args(_KroneckerPart)


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
    "lora_linear_layer.down": "down",
    "lora_B": "up",
    "lora_up": "up",
    "lora.up": "up",
    "lora_linear_layer.up": "up",
    "lora_mid": "mid",
    "alpha": "alpha",
    "diff": "diff",
    "w_norm": "diff",
    "diff_m": "diff",
    "diff_b": "diff_b",
    "b_norm": "diff_b",
    "dora_scale": "magnitude",
    "lora_magnitude_vector": "magnitude",
    **{part: part for part in (*LOHA, *LOKR)},
}
_KEY = re.compile(
    rf"(?P<module>.+?)\.(?P<part>{'|'.join(map(re.escape, sorted(_PARTS, reverse=True)))})"
    # PEFT puts the adapter's name here; a file holds one adapter.
    r"(?:\.(?!weight$|bias$)[^.]+)?(?P<bias>\.bias)?(?:\.weight)?"
)
_MODULATION = "diff_m"  # names the module of a modulation, and not the modulation itself
_SECOND = ("transformer_2", "dit2")  # prefixes of keys for Wan2.2's low-noise transformer
_MAX_LENGTH = 1000  # of a key


class Key(NamedTuple):
    """A parsed key.

    Attributes:
      module: The layer as the file names it.
      part: The part of its adapter.
      prefix: What the module has before the layer's name in the model.
      target: The layer, or a norm or modulation; None = not one of Wan's.
      leaf: Name of the parameter that the weight of this module is, such as "kernel"; "" = the
        target is the parameter itself.
      transform: Transform of this parameter between the published layout and ours.
    """

    module: str
    part: Part
    prefix: str
    target: Target | None
    leaf: str
    transform: Transform

    @property
    def for_second(self) -> bool:
        """Whether the key is for the low-noise transformer."""
        return any(prefix in self.prefix.split(".") for prefix in _SECOND)

    @property
    def is_linear(self) -> bool:
        """Whether the target is a linear layer."""
        return self.leaf == "kernel"

    @property
    def weight(self) -> Slot:
        """The parameter that the module's weight is."""
        path, layer = self.target
        return Slot(f"{path}/{self.leaf}" if self.leaf else path, layer)

    @property
    def bias(self) -> Slot:
        """The parameter that the module's bias is, if it has one."""
        return Slot(f"{self.target.path}/bias", self.target.layer)


class _Module(NamedTuple):
    path: str
    leaf: str
    transform: Transform


def parse_key(name: str) -> Key | None:
    """Parses a tensor's name; None if it is not a LoRA's."""
    match = _KEY.fullmatch(name) if len(name) <= _MAX_LENGTH else None
    if not match:
        return None
    module = match["module"]
    part: Part = "up_bias" if match["bias"] else _PARTS[match["part"]]
    prefix, own = split_prefix(module)
    if match["part"] == _MODULATION:
        own = f"{own}.modulation"
    flat, number = own.replace(".", "_"), None
    layer = _LAYER.match(flat)
    if layer:
        number = int(layer["layer"])
        flat = f"{flat[: layer.start('layer')]}{{layer}}{flat[layer.end('layer') :]}"
    found = _MODULES.get(flat)
    if found is None:
        return Key(module, part, prefix, None, "", TRANSFORMS["same"])
    target = Target(found.path, number)
    return Key(module, part, prefix, target, found.leaf, found.transform)


def is_lora(names: Iterable[str]) -> bool:
    """Whether any of these tensor names is a LoRA's, in any dialect."""
    return any(len(name) <= _MAX_LENGTH and _KEY.fullmatch(name) for name in names)


# The layers with a number in an underscored name, which no other name begins like.
_LAYER = re.compile(rf"blocks_{LAYER}(?=_)")


def _modules() -> dict[str, _Module]:
    """What a module's weight is, by the module's published name with underscores."""
    result = {}
    for table in wan.RULES:
        for path, spelling in spellings(table).items():
            module, leaf = spelling.name, ""
            if module.endswith(".weight"):
                module = module.removesuffix(".weight")
                path, _, leaf = path.rpartition("/")
            elif module.endswith(".bias"):
                continue
            result[module.replace(".", "_")] = _Module(path, leaf, spelling.transform)
    return result


_MODULES = _modules()


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
