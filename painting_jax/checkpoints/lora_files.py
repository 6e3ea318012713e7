"""LoRA files: reads every dialect that exists for Wan, writes diffusers' and ComfyUI's."""

import dataclasses
import functools
import math
import os
import pathlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from painting_jax import json_text
from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.key_matching import HasShape
from painting_jax.checkpoints.lora_keys import SPELLINGS, Dialect, Key, Part, parse_key
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import read_json
from painting_jax.errors import UserError
from painting_jax.models.lora import Factors, Lora, Target
from painting_jax.models.tensor_names import spellings
from painting_jax.models.wan import params as wan

# Parts that a layer cannot have together with a part.
_EXCLUDED: dict[Part, tuple[Part, ...]] = {
    "down": ("diff",),
    "up": ("diff",),
    "diff": ("down", "up"),
    "up_bias": ("diff_b",),
    "diff_b": ("up_bias",),
}
_PART_NAMES = {"down": "lora_A", "up": "lora_B", "up_bias": "lora_B.bias"}  # in messages
_PEFT_CONFIG = "lora_adapter_metadata"  # in the header
_PATCHES = Target("patch_embedding", None)
# Adapters of LyCORIS and PEFT that are not products of two matrices.
_OTHER_KIND = re.compile(r"(?:.*\.)?(?:hada|lokr|oft|boft|ia3|vera)_.+")
_PICTURE, _FIRST_FRAME = "painting_jax.picture", "first frame"  # in the header
_MAX_SHOWN = 3
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class LoraFile:
    """The content of a file for a model.

    Attributes:
      factors: factors by linear layer of the model.
      unused: keys that name no linear layer of the model, or are not a LoRA's.
      first_frame: whether the header says that the LoRA was trained with the picture as first
        latent frame. Only files written here say so.
    """

    factors: Lora
    unused: tuple[str, ...] = ()
    first_frame: bool = False

    def __str__(self) -> str:
        """The layers that it changes, in one line."""
        kinds = Counter(target.path.removeprefix("blocks/") for target in self.factors)
        layers = {target.layer for target in self.factors} - {None}
        ranks = sorted({factors.rank for factors in self.factors.values()})
        text = f"{len(self.factors)} matrices of rank {', '.join(map(str, ranks))}"
        text += f" in {len(layers)} blocks: {', '.join(sorted(kinds))}"
        if self.unused:
            shown = ", ".join(self.unused[:_MAX_SHOWN]) + ", ..." * (len(self.unused) > _MAX_SHOWN)
            text += f"; {len(self.unused)} keys unused: {shown}"
        return text


def read(path: str | os.PathLike, shapes: Mapping[str, tuple[int, ...]]) -> LoraFile:
    """Reads a LoRA from a safetensors file, or from a folder with one in it.

    Args:
      path: path of the file or folder.
      shapes: kernel shapes of the model by path, as returned by `models.lora.kernels`.

    Raises:
      UserError: if there is no such file, or the LoRA does not fit the model.
    """
    file = _file(pathlib.Path(path))
    tensors, metadata = safetensors_file.read_header(file)
    beside = file.parent / "adapter_config.json"
    try:
        peft_config = json_text.parse(metadata.get(_PEFT_CONFIG, "null"))
    except ValueError as error:
        raise UserError(_damaged(str(path), str(error))) from error
    if peft_config is None and beside.is_file():
        peft_config = read_json(beside)
    arrays = {key: np.asarray(tensor.view()) for key, tensor in tensors.items()}
    first_frame = metadata.get(_PICTURE) == _FIRST_FRAME
    return dataclasses.replace(
        parse(str(path), arrays, shapes, peft_config), first_frame=first_frame
    )


def input_channels(path: str | os.PathLike) -> int:
    """The input channels that a LoRA on the patch embedding needs; 0 for one without.

    Arguments and errors as of `read`.
    """
    tensors, _ = safetensors_file.read_header(_file(pathlib.Path(path)))
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is None or key.target != _PATCHES or len(tensor.shape) != 5:
            continue
        # The factor on the side of the inputs, [O, channels, 1, 2, 2].
        if key.part in ("down", "diff"):
            return tensor.shape[1]
    return 0


def _file(path: pathlib.Path) -> pathlib.Path:
    if not path.exists():
        raise UserError(f"{path} does not exist: name a LoRA's safetensors file or its folder")
    if path.is_file():
        return path
    files = sorted(path.glob("*.safetensors"))
    if len(files) != 1:
        raise UserError(
            f"{path} holds {len(files)} safetensors files instead of one: name the LoRA's file"
        )
    return files[0]


def parse(
    name: str,
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    peft_config: Any = None,
) -> LoraFile:
    """Fits a LoRA's tensors to a model's linear layers.

    Args:
      name: name of the LoRA for messages.
      tensors: tensors by key, in any dialect.
      shapes: kernel shapes of the model by path.
      peft_config: PEFT's JSON config, if there is one: `r`, `lora_alpha` and the like.

    Raises:
      UserError: if no key names a layer of the model, two keys contradict each other or are for
        two transformers, a matrix has another size or lacks its partner, the adapter is of another
        kind, or a value is not finite.
    """
    _check_usable(name, tensors)
    layers, unused = _by_layer(name, tensors, shapes)
    if not layers:
        raise UserError(_nothing_fits(name, list(tensors), shapes))
    scaling = _Scaling.of(name, peft_config)
    factors, errors = {}, []
    for target, parts in sorted(layers.items(), key=lambda item: str(item[0])):
        arrays = {part: tensors[key] for part, (key, _) in parts.items()}
        _, key = next(iter(parts.values()))
        try:
            factors[target] = _factors(arrays, key, shapes[target.path], scaling)
        except ValueError as error:
            errors.append(f"{key.module} {error}")
    if errors:
        rest = f" (and {len(errors) - 1} more like it)" if len(errors) > 1 else ""
        raise UserError(
            f"{name} does not fit the model: {errors[0]}{rest}: use a LoRA that was trained on "
            f"this model"
        )
    return LoraFile(factors, tuple(unused))


def _check_usable(name: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Refuses adapters of another kind, and values that would spoil a model."""
    for key, array in tensors.items():
        if _OTHER_KIND.fullmatch(key):
            raise UserError(
                f"{name} is an adapter of another kind, by its key {key}: only LoRAs can be used"
            )
        if not np.isfinite(array.astype(np.float32)).all():
            raise UserError(f"{name} is damaged: {key} holds NaN or infinity")


def _by_layer(
    name: str, tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[Target, dict[Part, tuple[str, Key]]], list[str]]:
    """The tensor names and parsed keys of each layer's parts, and the unused tensor names."""
    layers: dict[Target, dict[Part, tuple[str, Key]]] = {}
    by_expert: dict[bool, str] = {}  # an example of a key for each transformer
    unused = []
    for tensor in tensors:
        key = parse_key(tensor)
        if key is None or key.target is None or key.target.path not in shapes:
            unused.append(tensor)
            continue
        by_expert.setdefault(key.for_second, tensor)
        if len(by_expert) == 2:
            raise UserError(
                f"{name} is for two transformers, by its keys {' and '.join(by_expert.values())}: "
                "write a file for each, the first goes to --lora and the second to --lora_2"
            )
        parts = layers.setdefault(key.target, {})
        for excluded in (key.part, *_EXCLUDED.get(key.part, ())):
            if excluded in parts:
                raise UserError(
                    f"{name} changes one layer twice, by its keys {parts[excluded][0]} and "
                    f"{tensor}: leave one of them out"
                )
        parts[key.part] = tensor, key
    return layers, unused


def own_shapes(tensors: Mapping[str, HasShape]) -> dict[str, tuple[int, ...]]:
    """The kernel shapes that a LoRA was made for, as far as its tensors show.

    Args:
      tensors: arrays or descriptions of them, by key.

    Returns:
      Shapes like those of `models.lora.kernels`: [I, O], or [L, I, O] with as many layers as the
      LoRA has.
    """
    sizes: dict[str, list[int]] = {}
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is None or key.target is None:
            continue
        path, layer = key.target
        known = [0 if layer is None else layer + 1, 0, 0]
        # `parse` reports tensors of impossible shapes.
        if _has_valid_shape(key, tensor.shape):
            if key.part in ("down", "diff"):
                known[1] = key.transform.our_shape(tensor.shape)[0]
            if key.part in ("up", "diff", "diff_b", "up_bias"):
                known[2] = tensor.shape[0]
        sizes[path] = list(map(max, sizes.get(path, [0, 0, 0]), known))
    return {path: tuple(shape if shape[0] else shape[1:]) for path, shape in sizes.items()}


def _has_valid_shape(key: Key, shape: tuple[int, ...]) -> bool:
    """Whether a part of an adapter has the axes of one."""
    if key.part in ("down", "diff"):
        try:
            return key.transform.their_shape(key.transform.our_shape(shape)) == tuple(shape)
        except ValueError:
            return False
    if key.part == "up":
        return len(shape) >= 2 and math.prod(shape[2:]) == 1
    if key.part == "alpha":
        return math.prod(shape) == 1
    return key.part == "dora_scale" or len(shape) == 1


def _factors(
    arrays: dict[Part, np.ndarray], key: Key, kernel: tuple[int, ...], scaling: "_Scaling"
) -> Factors:
    """The factors of one layer.

    Args:
      arrays: the parts of its adapter.
      key: a key of the layer.
      kernel: shape of the layer's kernel.
      scaling: scaling of the LoRA.

    Raises:
      ValueError: if the parts do not fit the layer or each other.
    """
    _check_parts(arrays, key, kernel)
    inputs, outputs = kernel[-2:]
    arrays = {part: x.astype(np.float32) for part, x in arrays.items()}
    a_IR: np.ndarray
    bias_O = arrays.get("diff_b")
    if {"down", "up"} <= arrays.keys():
        a_IR = key.transform.ours(arrays["down"])
        b_RO = arrays["up"].reshape(*arrays["up"].shape[:2]).T
        if a_IR.shape[1] != b_RO.shape[0]:
            raise ValueError(f"has lora_A of rank {a_IR.shape[1]}, lora_B of rank {b_RO.shape[0]}")
        if not a_IR.shape[1]:
            raise ValueError("has matrices of rank 0")
        scale = scaling.scale(key, arrays.get("alpha"), a_IR.shape[1])
        if "up_bias" in arrays:
            bias_O = scale * arrays["up_bias"]
    elif {"down", "up"} & arrays.keys():
        raise ValueError(f"has lora_{'A' if 'down' in arrays else 'B'} without the other")
    elif "diff" in arrays:
        # A change of the whole kernel is a product with the identity.
        a_IR, b_RO, scale = (
            key.transform.ours(arrays["diff"]),
            np.eye(outputs, dtype=np.float32),
            1.0,
        )
    elif bias_O is not None:
        a_IR, b_RO, scale = np.zeros((inputs, 0)), np.zeros((0, outputs)), 1.0
    else:
        raise ValueError(f"has {' and '.join(sorted(arrays))} and no matrices")
    size = a_IR.shape[0], b_RO.shape[1]
    if size != (inputs, outputs):
        raise ValueError(f"is {size[0]}x{size[1]}, in the model {inputs}x{outputs}")
    if bias_O is not None and bias_O.shape != (outputs,):
        raise ValueError(f"has a bias of {len(bias_O)}, in the model {outputs}")
    return Factors(a_IR, b_RO, scale, bias_O)


def _check_parts(arrays: dict[Part, np.ndarray], key: Key, kernel: tuple[int, ...]) -> None:
    if key.target.layer is not None and key.target.layer >= kernel[0]:
        raise ValueError(f"is beyond the {kernel[0]} blocks of the model")
    for part, array in arrays.items():
        if not _has_valid_shape(key._replace(part=part), array.shape):
            raise ValueError(f"has {_PART_NAMES.get(part, part)} of shape {list(array.shape)}")
    if "dora_scale" in arrays:
        raise ValueError("is a DoRA, and only plain LoRAs can be used")


@dataclasses.dataclass(frozen=True)
class _Scaling:
    """The scale of a LoRA by PEFT's config.

    Attributes:
      alpha: alpha of every layer; None = not given.
      patterns: alphas of layers that match a pattern; the first match counts.
      rank_stabilized: whether alpha is divided by the root of the rank (rsLoRA).
    """

    alpha: float | None
    patterns: list[tuple[re.Pattern, float]]
    rank_stabilized: bool

    @classmethod
    def of(cls, name: str, config: Any) -> "_Scaling":
        """Reads the config of the LoRA of this name.

        Raises:
          UserError: if the config is damaged in any way.
        """
        config = {} if config is None else config
        if not isinstance(config, Mapping):
            raise UserError(_damaged(name, "it is not a JSON object"))
        config = {re.sub(r"^transformer(_2)?\.", "", key): x for key, x in config.items()}
        alpha, patterns = config.get("lora_alpha"), config.get("alpha_pattern") or {}
        if not isinstance(patterns, Mapping):
            raise UserError(_damaged(name, "alpha_pattern is not a JSON object"))
        for key, value in {"lora_alpha": 0 if alpha is None else alpha, **patterns}.items():
            if type(value) not in (int, float) or not abs(value) < _FLOAT32_MAX:
                raise UserError(_damaged(name, f"the alpha of {key!r:.80} is not a number"))
        try:
            compiled = [(re.compile(rf"(?:.*\.)?(?:{key})"), x) for key, x in patterns.items()]
        except (re.error, RecursionError, OverflowError) as error:
            raise UserError(
                _damaged(name, f"alpha_pattern is not a regular expression: {error}")
            ) from error
        return cls(alpha, compiled, bool(config.get("use_rslora")))

    def scale(self, key: Key, alpha: np.ndarray | None, rank: int) -> float:
        """alpha / rank of a layer; 1 without any alpha.

        Args:
          key: a key of the layer.
          alpha: the layer's own alpha in the file, which wins over the config.
          rank: the layer's rank.
        """
        if alpha is not None:
            return float(alpha.reshape(())) / rank
        # A pattern matches the layer's name in its model. Keys may have prefixes before that name.
        layers = [key.module[dot.end() :] for dot in re.finditer(r"^|\.", key.prefix)]
        matching = (x for pattern, x in self.patterns if any(map(pattern.fullmatch, layers)))
        value = next(matching, self.alpha)
        if value is None:
            return 1.0
        return value / (rank**0.5 if self.rank_stabilized else rank)


def _damaged(name: str, reason: str) -> str:
    return f"{name} has a damaged adapter config ({reason}): fetch it again"


def _nothing_fits(name: str, keys: list[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    spelled = spellings(wan.DIFFUSERS)
    layers = [
        spelled[f"{path}/kernel"].of(0).removesuffix(".weight")
        for path in shapes
        if f"{path}/kernel" in spelled
    ]
    first = ", ".join(keys[:_MAX_SHOWN]) or "none"
    if not layers:
        return f"{name} is not a LoRA for Wan: its first keys are {first}"
    return (
        f"{name} fits no layer of the model: its first keys are {first}; the model's layers are "
        f"{', '.join(layers[:_MAX_SHOWN])}, ...: use a LoRA for this model"
    )


def tensors_of(lora: Lora, dialect: Dialect) -> dict[str, np.ndarray]:
    """A LoRA's tensors under published keys, in float32.

    The scale is multiplied into the matrices, as a LoRA without alpha has scale 1 for all readers.
    An alpha would not do: diffusers reads alphas of blocks only.

    Args:
      lora: factors by layer of a `WanTransformer`.
      dialect: dialect of the keys.

    Raises:
      UserError: if the published model does not have a layer.
    """
    spelled = spellings(wan.DIFFUSERS if dialect == "diffusers" else wan.ORIGINAL)
    unknown = sorted({t.path for t in lora if f"{t.path}/kernel" not in spelled})
    if unknown:
        raise UserError(
            f"the published layout has no place for a LoRA on {', '.join(unknown[:_MAX_SHOWN])}: "
            f"train one on other layers, or merge it"
        )
    result = {}
    prefix, down, up, bias = SPELLINGS[dialect]
    for target, factors in lora.items():
        kernel = spelled[f"{target.path}/kernel"]
        layer = f"{prefix}.{kernel.of(target.layer).removesuffix('.weight')}"
        if not factors.rank and dialect == "diffusers":
            # diffusers recognises an adapted layer by its matrices, which a bias alone lacks.
            a_IR, b_RO = np.zeros((len(factors.a_IR), 1)), np.zeros((1, factors.b_RO.shape[1]))
            factors = dataclasses.replace(factors, a_IR=a_IR, b_RO=b_RO)
        a_RI = kernel.transform.theirs(factors.a_IR)
        b_OR = factors.b_RO.T.reshape(*factors.b_RO.T.shape, *(1,) * (a_RI.ndim - 2))
        # The scale is split evenly, as a small one could underflow float16 in one matrix; and by a
        # power of two, which is exact.
        half = 2.0 ** (math.frexp(factors.scale)[1] // 2)
        parts = {down: half * a_RI, up: factors.scale / half * b_OR}
        if factors.bias_O is not None:
            parts[bias] = factors.bias_O
        result |= {f"{layer}.{part}": x.astype(np.float32) for part, x in parts.items() if x.size}
    return dict(sorted(result.items()))


def write(
    path: str | os.PathLike,
    lora: Lora,
    dialect: Dialect,
    dtype=np.float32,
    *,
    first_frame: bool = False,
) -> None:
    """Writes a LoRA to a safetensors file.

    Args:
      path: path of the file, written beside and renamed.
      lora: factors by layer of a `WanTransformer`.
      dialect: dialect of the keys.
      dtype: dtype of the tensors.
      first_frame: see `LoraFile`.

    Raises:
      UserError: as of `tensors_of` and `safetensors_file.write_file`.
    """
    tensors = {
        key: PendingTensor(dtype, array.shape, functools.partial(np.asarray, array))
        for key, array in tensors_of(lora, dialect).items()
    }
    metadata = {"format": "pt"} | ({_PICTURE: _FIRST_FRAME} if first_frame else {})
    safetensors_file.write_file(path, tensors, metadata)
