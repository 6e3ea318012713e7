"""LoRA files: reading every dialect that Wan's are written in, writing diffusers' and ComfyUI's.

A key names a layer, in diffusers' words or the original ones, and a part of its adapter:
  diffusers, PEFT   transformer.blocks.0.attn1.to_q.lora_A.weight
  ComfyUI           diffusion_model.blocks.0.self_attn.q.lora_down.weight, and .alpha
  DiffSynth         blocks.0.self_attn.q.lora_A.default.weight
  musubi            lora_unet_blocks_0_self_attn_q.lora_down.weight, and .alpha
Any of the ways to name a layer goes with any of the ways to name the part.
"""

import dataclasses
import json
import math
import os
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np

from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.key_matching import HasShape
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import read_json
from painting_jax.errors import UserError
from painting_jax.models.lora import Factors, Lora, Target
from painting_jax.models.tensor_names import LAYER, TRANSFORMS, Transform, place, spellings
from painting_jax.models.wan import params as wan

Dialect = Literal["diffusers", "comfyui"]

_PREFIXES = r"(?:(?:base_model|model|transformer|transformer_2|diffusion_model)\.)*"
_MUSUBI = "lora_unet_"
_KEY = re.compile(
    r"(?P<module>.+?)\."
    r"(?P<part>lora_A|lora_B|lora[_.]down|lora[_.]up|alpha|diff_b|diff|dora_scale"
    r"|lora_magnitude_vector)"
    # PEFT puts an adapter's name between; there is one adapter in a file.
    r"(?:\.(?!weight$|bias$)[^.]+)?(?P<bias>\.bias)?(?:\.weight)?"
)
_PARTS = {
    "lora_A": "a",
    "lora_down": "a",
    "lora.down": "a",
    "lora_B": "b",
    "lora_up": "b",
    "lora.up": "b",
    "lora_magnitude_vector": "dora_scale",
}
# Parts of which a layer can have but one.
_RIVALS = {
    "a": ("diff",),
    "b": ("diff",),
    "diff": ("a", "b"),
    "bias": ("diff_b",),
    "diff_b": ("bias",),
}
_WORDS = {"a": "lora_A", "b": "lora_B", "bias": "lora_B.bias"}
_SECOND = "transformer_2."  # before the keys for Wan2.2's transformer for low noise
_METADATA = "lora_adapter_metadata"
_PATCHES = Target("patch_embedding", None)
# Of adapters that are no sums of products of two matrices: LyCORIS' and PEFT's.
_OTHER_KIND = re.compile(r"(?:.*\.)?(?:hada|lokr|oft|boft|ia3|vera)_.+")
_PICTURE, _FIRST_FRAME = "painting_jax.picture", "first frame"
_SHOWN = 3
_LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class LoraFile:
    """What a file holds for a model.

    Attributes:
      factors: by linear layer of the model.
      unused: keys that the model has no linear layer for, or that say something else.
      first_frame: whether it says that it was trained with the picture as the video's first latent
        frame; those that were not trained here say nothing.
    """

    factors: Lora
    unused: tuple[str, ...] = ()
    first_frame: bool = False

    def __str__(self) -> str:
        """What it changes, in one line."""
        kinds = Counter(target.path.removeprefix("blocks/") for target in self.factors)
        layers = {target.layer for target in self.factors} - {None}
        ranks = sorted({factors.rank for factors in self.factors.values()})
        said = f"{len(self.factors)} matrices of rank {', '.join(map(str, ranks))}"
        said += f" in {len(layers)} blocks: {', '.join(sorted(kinds))}"
        if self.unused:
            shown = ", ".join(self.unused[:_SHOWN]) + ", ..." * (len(self.unused) > _SHOWN)
            said += f"; {len(self.unused)} keys unused: {shown}"
        return said


def read(path: str | os.PathLike, shapes: Mapping[str, tuple[int, ...]]) -> LoraFile:
    """Reads a LoRA from a safetensors file, or from a folder with one in it.

    Args:
      path: of the file or folder.
      shapes: of the model's kernels by path, as of `models.lora.kernels`.

    Raises:
      UserError: if there is no such file, or it does not fit the model.
    """
    file = _file(pathlib.Path(path))
    tensors, metadata = safetensors_file.read_header(file)
    beside = file.parent / "adapter_config.json"
    try:
        settings = json.loads(metadata.get(_METADATA, "null"))
    except (ValueError, RecursionError) as error:
        raise UserError(_damaged(str(path), str(error))) from error
    if settings is None and beside.is_file():
        settings = read_json(beside)
    arrays = {key: np.asarray(tensor.view()) for key, tensor in tensors.items()}
    first_frame = metadata.get(_PICTURE) == _FIRST_FRAME
    found = parse(str(path), arrays, shapes, settings)
    return dataclasses.replace(found, first_frame=first_frame)


def channels(path: str | os.PathLike) -> int:
    """The channels of the model that a LoRA was made for; 0 if it does not change the patches.

    Arguments and errors as of `read`.
    """
    tensors, _ = safetensors_file.read_header(_file(pathlib.Path(path)))
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        part = match and _PARTS.get(match["part"], match["part"])
        # Of the two matrices that on the side of the inputs, [O, channels, 1, 2, 2].
        if part in ("a", "diff") and len(tensor.shape) == 5:
            found = _layer(match["module"])
            if found and found[0] == _PATCHES:
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
    settings: Mapping | None = None,
) -> LoraFile:
    """Fits a LoRA's tensors to a model's linear layers.

    Args:
      name: of the LoRA, for messages.
      tensors: by key, of any dialect.
      shapes: of the model's kernels by path.
      settings: PEFT's configuration, if there is one: `r`, `lora_alpha` and the like.

    Raises:
      UserError: if no key names a layer of the model, if two say the same or are for two
        transformers, if matrices are of another size, if one of a pair is missing, if the
        adapters are of another kind, or if a number is not finite.
    """
    _check_usable(name, tensors)
    parts, named, unused = _by_layer(name, tensors, shapes)
    if not parts:
        raise UserError(_nothing_fits(name, list(tensors), shapes))
    strength = _Strength.of(name, settings)
    factors, wrong = {}, []
    for target, keys in sorted(parts.items(), key=lambda item: str(item[0])):
        given = {part: tensors[key] for part, key in keys.items()}
        module, transform = named[target]
        *stack, inputs, outputs = shapes[target.path]
        try:
            if target.layer is not None and target.layer >= stack[0]:
                raise ValueError(f"is beyond the {stack[0]} blocks of the model")
            for part, array in given.items():
                if not _shaped(part, array.shape, transform):
                    raise ValueError(f"has {_WORDS.get(part, part)} of shape {list(array.shape)}")
            scale = strength.scale(given.get("alpha"), module)
            factors[target] = _factors(given, transform, scale, inputs, outputs)
        except ValueError as error:
            wrong.append(f"{module} {error}")
    if wrong:
        rest = f" (and {len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
        raise UserError(
            f"{name} does not fit the model: {wrong[0]}{rest}: use a LoRA that was trained on this "
            f"model"
        )
    return LoraFile(factors, tuple(unused))


def _check_usable(name: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Refuses a file of another kind, and one with numbers that would spoil a model."""
    for key, array in tensors.items():
        if _OTHER_KIND.fullmatch(key):
            raise UserError(
                f"{name} is an adapter of another kind, by its key {key}: only LoRAs can be used"
            )
        if not np.isfinite(array.astype(np.float32)).all():
            raise UserError(f"{name} is damaged: {key} holds what is no number")


def _by_layer(
    name: str, tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[Target, dict[str, str]], dict[Target, tuple[str, Transform]], list[str]]:
    """The keys of each layer's parts, what the file calls it and its transform; keys of none."""
    parts: dict[Target, dict[str, str]] = {}
    named: dict[Target, tuple[str, Transform]] = {}
    experts: dict[bool, str] = {}  # a key of each transformer
    unused = []
    for key in tensors:
        match = _KEY.fullmatch(key)
        found = match and _layer(match["module"])
        if not found or found[0].path not in shapes:
            unused.append(key)
            continue
        part = "bias" if match["bias"] else _PARTS.get(match["part"], match["part"])
        target, transform = found
        experts.setdefault(_SECOND in _prefixes(match["module"]), key)
        if len(experts) == 2:
            raise UserError(
                f"{name} is for two transformers, by its keys {' and '.join(experts.values())}: "
                "write a file for each, the first goes to --lora and the second to --lora_2"
            )
        told = parts.setdefault(target, {})
        for rival in (part, *_RIVALS.get(part, ())):
            if rival in told:
                raise UserError(
                    f"{name} says twice what to add to one layer, by its keys {told[rival]} and "
                    f"{key}: leave one of them out"
                )
        told[part] = key
        named[target] = match["module"], transform
    return parts, named, unused


def is_lora(names: Iterable[str]) -> bool:
    """Whether tensors of these names are a LoRA's, of any dialect."""
    return any(_KEY.fullmatch(name) for name in names)


def own_shapes(tensors: Mapping[str, HasShape]) -> dict[str, tuple[int, ...]]:
    """Shapes of the kernels that a LoRA must have been made for, as far as it tells.

    Args:
      tensors: arrays or descriptions of them, by key.

    Returns:
      As of `models.lora.kernels`: [I, O], or [L, I, O] with as many layers as it has.
    """
    sizes: dict[str, list[int]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        found = match and _layer(match["module"])
        if not found:
            continue
        (path, layer), transform = found
        layers_inputs_outputs = sizes.setdefault(path, [0, 0, 0])
        part = "bias" if match["bias"] else _PARTS.get(match["part"], match["part"])
        told = [0 if layer is None else layer + 1, 0, 0]
        # What cannot be is left to `parse` to say.
        shaped = _shaped(part, tensor.shape, transform)
        if shaped and part in ("a", "diff"):
            told[1] = transform.our_shape(tensor.shape)[0]
        if shaped and part in ("b", "diff", "diff_b", "bias"):
            told[2] = tensor.shape[0]
        sizes[path] = list(map(max, layers_inputs_outputs, told))
    return {path: tuple(told if told[0] else told[1:]) for path, told in sizes.items()}


def _shaped(part: str, shape: tuple[int, ...], transform: Transform) -> bool:
    """Whether a part of an adapter has the axes of one."""
    if part in ("a", "diff"):
        try:
            return transform.their_shape(transform.our_shape(shape)) == tuple(shape)
        except ValueError:
            return False
    if part == "b":
        return len(shape) >= 2 and math.prod(shape[2:]) == 1
    return part == "dora_scale" or (math.prod(shape) == 1 if part == "alpha" else len(shape) == 1)


def _layer(module: str) -> tuple[Target, Transform] | None:
    """The linear layer that a key means."""
    if module.startswith(_MUSUBI):
        return _flat_layer(module.removeprefix(_MUSUBI))
    bare = module.removeprefix(_prefixes(module))
    for table in wan.RULES:
        found = place(table, f"{bare}.weight")
        if found and found[1] and found[1].path.endswith("/kernel"):
            rule, (path, layer) = found
            target = Target(path.removesuffix("/kernel"), layer)
            return target, TRANSFORMS[rule.transform]
    return None


def _prefixes(module: str) -> str:
    """What a key has before the layer's name in the model."""
    return re.match(_PREFIXES, module)[0]


def _flat_layer(module: str) -> tuple[Target, Transform] | None:
    """The linear layer of a name whose points were made underscores."""
    for pattern, path, transform in _FLAT:
        match = pattern.fullmatch(module)
        if match:
            layer = match.groupdict().get("layer")
            target = Target(path, None if layer is None else int(layer))
            return target, transform
    return None


def _flattened(name: str) -> re.Pattern:
    flat = name.removesuffix(".weight").replace(".", "_")
    return re.compile(flat.replace("{layer}", LAYER))


_FLAT = [
    (_flattened(spelling.name), path.removesuffix("/kernel"), spelling.transform)
    for table in wan.RULES
    for path, spelling in spellings(table).items()
    if path.endswith("/kernel")
]


def _factors(
    given: dict[str, np.ndarray],
    transform: Transform,
    scale: Callable[[int], float],
    inputs: int,
    outputs: int,
) -> Factors:
    if "dora_scale" in given:
        raise ValueError("is a DoRA, and only plain LoRAs can be used")
    given = {part: x.astype(np.float32) for part, x in given.items()}
    bias_O = given.get("diff_b")
    if {"a", "b"} <= given.keys():
        a_IR = transform.ours(given["a"])
        b_RO = given["b"].reshape(given["b"].shape[:2]).T
        if a_IR.shape[1] != b_RO.shape[0]:
            raise ValueError(f"has lora_A of rank {a_IR.shape[1]}, lora_B of rank {b_RO.shape[0]}")
        if not a_IR.shape[1]:
            raise ValueError("has matrices of rank 0")
        factor = scale(a_IR.shape[1])
        if "bias" in given:
            bias_O = factor * given["bias"]
    elif {"a", "b"} & given.keys():
        raise ValueError(f"has lora_{'A' if 'a' in given else 'B'} without the other")
    elif "diff" in given:
        # A whole matrix is a pair whose second one is the identity.
        a_IR, b_RO, factor = transform.ours(given["diff"]), np.eye(outputs, dtype=np.float32), 1.0
    elif bias_O is not None:
        a_IR, b_RO, factor = np.zeros((inputs, 0)), np.zeros((0, outputs)), 1.0
    else:
        raise ValueError(f"has {' and '.join(sorted(given))} and no matrices")
    size = a_IR.shape[0], b_RO.shape[1]
    if size != (inputs, outputs):
        raise ValueError(f"is {size[0]}x{size[1]}, in the model {inputs}x{outputs}")
    if bias_O is not None and bias_O.shape != (outputs,):
        raise ValueError(f"has a bias of {len(bias_O)}, in the model {outputs}")
    return Factors(a_IR, b_RO, factor, bias_O)


@dataclasses.dataclass(frozen=True)
class _Strength:
    """What PEFT's settings say of how much a LoRA counts.

    Attributes:
      alpha: of every layer; None = nothing is said.
      patterns: alphas of layers whose names fit; the first one counts.
      by_root: whether it is divided by the root of the rank.
    """

    alpha: float | None
    patterns: list[tuple[re.Pattern, float]]
    by_root: bool

    @classmethod
    def of(cls, name: str, settings: Any) -> "_Strength":
        """Reads the settings of the LoRA of this name; whatever they are, a `UserError` says so."""
        settings = {} if settings is None else settings
        if not isinstance(settings, Mapping):
            raise UserError(_damaged(name, "they are no JSON object"))
        settings = {re.sub(r"^transformer(_2)?\.", "", key): x for key, x in settings.items()}
        alpha, patterns = settings.get("lora_alpha"), settings.get("alpha_pattern") or {}
        if not isinstance(patterns, Mapping):
            raise UserError(_damaged(name, "alpha_pattern is no JSON object"))
        for key, value in {"lora_alpha": 0 if alpha is None else alpha, **patterns}.items():
            if type(value) not in (int, float) or not abs(value) < _LARGEST:
                raise UserError(_damaged(name, f"the alpha of {key!r:.80} is no number"))
        try:
            compiled = [(re.compile(rf"(?:.*\.)?(?:{key})"), x) for key, x in patterns.items()]
        except (re.error, RecursionError, OverflowError) as error:
            raise UserError(
                _damaged(name, f"alpha_pattern has no regular expression: {error}")
            ) from error
        return cls(alpha, compiled, bool(settings.get("use_rslora")))

    def scale(self, alpha: np.ndarray | None, module: str) -> Callable[[int], float]:
        """alpha / rank as a function of the rank; 1 where nothing says otherwise.

        Args:
          alpha: that the file has for the layer.
          module: the layer, as the file's keys name it.
        """
        if alpha is not None:
            return lambda rank: float(alpha.astype(np.float32).reshape(())) / rank
        # PEFT's patterns are of the layer's name in its model, which the file may put prefixes
        # before.
        names = [module[start.end() :] for start in re.finditer(r"^|\.", _prefixes(module))]
        fitting = (x for pattern, x in self.patterns if any(map(pattern.fullmatch, names)))
        value = next(fitting, self.alpha)
        if value is None:
            return lambda rank: 1.0
        return lambda rank: value / (rank**0.5 if self.by_root else rank)


def _damaged(name: str, why: str) -> str:
    return f"{name} has damaged settings of its adapter ({why}): fetch it again"


def _nothing_fits(name: str, keys: list[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    spelled = spellings(wan.DIFFUSERS)
    ours = [
        spelled[f"{path}/kernel"].of(0).removesuffix(".weight")
        for path in shapes
        if f"{path}/kernel" in spelled
    ]
    if not ours:
        return f"{name} is no LoRA of Wan: its first keys are {', '.join(keys[:_SHOWN])}"
    return (
        f"{name} fits no layer of the model: its first keys are "
        f"{', '.join(keys[:_SHOWN]) or 'none'}; the model's layers are {', '.join(ours[:_SHOWN])}, "
        f"...: use a LoRA for this model"
    )


def targets(
    ends: Iterable[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The linear layers that are meant by names, as by PEFT's `target_modules`.

    Args:
      ends: each of a layer's name in diffusers, such as "to_q" or "attn1.to_q".
      shapes: of the model's kernels by path.

    Returns:
      Those of `shapes` that are meant.

    Raises:
      UserError: if a name means no layer.
    """
    theirs, meant = names(shapes), {}
    for end in ends:
        found = [path for path, name in theirs.items() if f".{name}".endswith(f".{end}")]
        if not found or not end:
            raise UserError(
                f"{end!r} is no linear layer of the model to train a LoRA on: there are "
                f"{', '.join(sorted(theirs.values()))}"
            )
        meant |= {path: shapes[path] for path in found}
    return meant


def names(paths: Iterable[str]) -> dict[str, str]:
    """What diffusers calls our linear layers, those of a block without its number."""
    spelled = spellings(wan.DIFFUSERS)
    return {
        path: spelled[f"{path}/kernel"].name.removesuffix(".weight").removeprefix("blocks.{layer}.")
        for path in paths
        if f"{path}/kernel" in spelled
    }


def tensors_of(lora: Lora, dialect: Dialect) -> dict[str, np.ndarray]:
    """A LoRA's tensors under published keys, in float32.

    Args:
      lora: by paths of a `WanTransformer`.
      dialect: of the keys. In each the scale is multiplied into the matrices, which all readers
        take for a scale of 1: of alphas diffusers reads only those of blocks.

    Raises:
      UserError: if a layer is not one that the published model has.
    """
    spelled = spellings(wan.DIFFUSERS if dialect == "diffusers" else wan.ORIGINAL)
    alien = sorted({t.path for t in lora if f"{t.path}/kernel" not in spelled})
    if alien:
        raise UserError(
            f"the published layout has no place for a LoRA on {', '.join(alien[:_SHOWN])}: train "
            f"one on other layers, or merge it"
        )
    result = {}
    for target, factors in lora.items():
        spelling = spelled[f"{target.path}/kernel"]
        name = spelling.of(target.layer).removesuffix(".weight")
        if not factors.rank and dialect == "diffusers":
            # A bias alone: diffusers looks for a pair to tell that the layer is adapted.
            a_IR, b_RO = np.zeros((len(factors.a_IR), 1)), np.zeros((1, factors.b_RO.shape[1]))
            factors = dataclasses.replace(factors, a_IR=a_IR, b_RO=b_RO)
        a_RI = spelling.transform.theirs(factors.a_IR)
        b_OR = factors.b_RO.T.reshape(*factors.b_RO.T.shape, *(1,) * (a_RI.ndim - 2))
        # About half of it into each, so that a small one makes no number too small for float16;
        # and that by a power of two, which rounds nothing.
        half = 2.0 ** (math.frexp(factors.scale)[1] // 2)
        pair = half * a_RI, factors.scale / half * b_OR
        if dialect == "diffusers":
            words, prefix, bias = ("lora_A", "lora_B"), "transformer", "lora_B.bias"
        else:
            words, prefix, bias = ("lora_down", "lora_up"), "diffusion_model", "diff_b"
        parts = {f"{word}.weight": x for word, x in zip(words, pair, strict=True) if x.size}
        if factors.bias_O is not None:
            parts[bias] = factors.bias_O
        result |= {f"{prefix}.{name}.{part}": x.astype(np.float32) for part, x in parts.items()}
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

    Arguments and errors as of `tensors_of` and `safetensors_file.write_file`, `first_frame` as of
    `LoraFile`, and the tensors' dtype.
    """
    tensors = {
        key: PendingTensor(dtype, array.shape, lambda array=array: array)
        for key, array in tensors_of(lora, dialect).items()
    }
    metadata = {"format": "pt"} | ({_PICTURE: _FIRST_FRAME} if first_frame else {})
    safetensors_file.write_file(path, tensors, metadata)
