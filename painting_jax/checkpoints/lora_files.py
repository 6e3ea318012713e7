"""LoRA files: reads every dialect that exists for Wan, writes diffusers' and ComfyUI's."""

import dataclasses
import functools
import math
import os
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from painting_jax import json_text
from painting_jax.checkpoints import hub, safetensors_file
from painting_jax.checkpoints.key_matching import HasShape
from painting_jax.checkpoints.lora_changes import Change, Changes, Difference
from painting_jax.checkpoints.lora_config import Scaling, damaged
from painting_jax.checkpoints.lora_keys import SPELLINGS, Dialect, parse_key
from painting_jax.checkpoints.lora_layers import Layer, NarrowerPatches, Sizes, slot_of
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.checkpoints.source import read_json
from painting_jax.errors import UserError
from painting_jax.models.lora import Factors, Lora, Target
from painting_jax.models.tensor_names import TRANSFORMS, Slot, Spelling, spellings
from painting_jax.models.wan import params as wan

_PEFT_CONFIG = "lora_adapter_metadata"  # in the header
_BESIDE = "adapter_config.json"
_PATCHES = Target("patch_embedding", None)
# Adapters of LyCORIS, PEFT and ComfyUI that are not read.
_OTHER_KIND = re.compile(
    r"(?:.*\.)?(?:(?:oft|boft|ia3|vera)_.+|[ab][12]\.weight|set_weight|rescale|on_input)"
)
_PICTURE, _FIRST_FRAME = "painting_jax.picture", "first frame"  # in the header
_MAX_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class LoraFile:
    """The content of a file for a model.

    Attributes:
      factors: Factors by linear layer of the model, and changes of their biases.
      changes: Changes of other parameters, and of kernels by other than two factors.
      unused: Keys that name no layer of the model, or are not a LoRA's.
      notes: What else is to be said of it.
      scales: The scales of its products.
      scaled_by: Where they come from.
      first_frame: Whether the header says that the LoRA was trained with the picture as first
        latent frame. Only files written here say so.
    """

    factors: Lora
    changes: Changes = dataclasses.field(default_factory=dict)
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    scaled_by: tuple[str, ...] = ()
    first_frame: bool = False

    def __str__(self) -> str:
        """What it changes and by how much, in one line."""
        parameters = [slot for slot in self.changes if not slot.path.endswith("/kernel")]
        kernels = {slot: change for slot, change in self.changes.items() if slot not in parameters}
        targets = [
            *self.factors,
            *(Target(slot.path.removesuffix("/kernel"), slot.layer) for slot in self.changes),
        ]
        counts = []
        ranks = sorted({factors.rank for factors in self.factors.values()} - {0})
        if ranks:
            pairs = sum(factors.rank > 0 for factors in self.factors.values())
            counts.append(f"{pairs} matrices of rank {', '.join(map(str, ranks))}")
        for kind, count in sorted(Counter(x.kind for x in kernels.values()).items()):
            counts.append(f"{count} {kind} matrices")
        biases = sum(factors.bias_O is not None for factors in self.factors.values())
        for count, what in ((len(parameters), "norms and modulations"), (biases, "biases")):
            counts += [f"{count} {what}"] * bool(count)
        blocks = {target.layer for target in targets} - {None}
        kinds = Counter(target.path.removeprefix("blocks/") for target in targets)
        text = f"{', '.join(counts)} in {len(blocks)} blocks"
        if self.scales:
            ends = sorted({self.scales[0], self.scales[-1]})
            text += f", scaled by {' to '.join(f'{scale:.4g}' for scale in ends)}"
            text += f" ({' and '.join(self.scaled_by)})"
        text += f": {', '.join(sorted(kinds))}"
        for note in self.notes:
            text += f"; {note}"
        if self.unused:
            shown = ", ".join(f"{key:.200}" for key in self.unused[:_MAX_SHOWN])
            shown += ", ..." * (len(self.unused) > _MAX_SHOWN)
            text += f"; {len(self.unused)} keys unused: {shown}"
        return text


def read(
    path: str | os.PathLike,
    shapes: Mapping[str, tuple[int, ...]],
    others: Mapping[str, tuple[int, ...]] | None = None,
) -> LoraFile:
    """Reads a LoRA from a safetensors file, or from a folder with one in it.

    Args:
      path: Path of the file or folder.
      shapes: Kernel shapes of the model by path, as returned by `models.lora.kernels`.
      others: Shapes of its other parameters that are changed, by path; None = none of them is.

    Raises:
      UserError: If there is no such file, or the LoRA does not fit the model.
    """
    file = _file(pathlib.Path(path))
    tensors, metadata = safetensors_file.read_header(file)
    try:
        config = json_text.parse(metadata.get(_PEFT_CONFIG, "null"))
    except ValueError as error:
        raise UserError(damaged(str(path), str(error))) from error
    origin, must_fit = f"{_PEFT_CONFIG} in its header", False
    beside = file.parent / _BESIDE
    if config is None and beside.is_file():
        # PEFT's own files have this name. Beside any other LoRA the config may lie by chance.
        origin, must_fit = f"{_BESIDE} beside it", not file.name.startswith("adapter_model")
        try:
            config = read_json(beside)
        except UserError:
            if not must_fit:
                raise
            config = {}
    parsed = parse(
        str(path),
        safetensors_file.views(tensors),
        shapes,
        config,
        others=others,
        origin=origin,
        must_fit=must_fit,
    )
    return dataclasses.replace(parsed, first_frame=metadata.get(_PICTURE) == _FIRST_FRAME)


def input_channels(path: str | os.PathLike) -> int:
    """The input channels that a LoRA on the patch embedding needs; 0 for one without.

    Arguments and errors as in `read`.
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
    return path / hub.choose_lora(str(path), sorted(file.name for file in path.iterdir()))


def parse(
    name: str,
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    peft_config: Any = None,
    *,
    others: Mapping[str, tuple[int, ...]] | None = None,
    origin: str = "its config",
    must_fit: bool = False,
) -> LoraFile:
    """Fits a LoRA's tensors to a model's layers.

    Args:
      name: Name of the LoRA for messages.
      tensors: Tensors by key, in any dialect.
      shapes: Kernel shapes of the model by path.
      peft_config: PEFT's JSON config, if there is one: `r`, `lora_alpha` and the like.
      others: As in `read`.
      origin: Where the config is from.
      must_fit: Whether the config counts only if the ranks in it are those of the matrices.

    Raises:
      UserError: If no key names a layer of the model, two keys contradict each other or are for
        two transformers, a matrix has another size or lacks its partner, the adapter is of another
        kind, or a value is not finite.
    """
    _check_usable(name, tensors)
    sizes = Sizes(shapes, others or {})
    layers, unused = _by_layer(name, tensors, sizes)
    if not layers:
        raise UserError(_nothing_fits(name, list(tensors), shapes))
    scaling, notes = _scaling(name, peft_config, layers.values(), origin, must_fit=must_fit)
    factors: dict[Target, Factors] = {}
    changes: dict[Slot, Change] = {}
    errors = []
    for target, layer in sorted(layers.items(), key=lambda item: str(item[0])):
        try:
            own_factors, own_changes = layer.read(sizes, scaling)
        except NarrowerPatches as error:
            notes.append(str(error))
        except ValueError as error:
            errors.append(f"{layer.key.module:.200} {error}")
        else:
            changes |= own_changes
            if own_factors is not None:
                factors[target] = own_factors
    if errors:
        rest = f" (and {len(errors) - 1} more like it)" if len(errors) > 1 else ""
        raise UserError(
            f"{name} does not fit the model: {errors[0]}{rest}: use a LoRA that was trained on "
            f"this model"
        )
    if not factors and not changes:
        raise UserError(f"{name} changes nothing of the model: {'; '.join(notes)}")
    return LoraFile(
        factors,
        changes,
        tuple(unused),
        tuple(notes),
        tuple(sorted(scaling.scales)),
        tuple(sorted(scaling.origins)),
    )


def _check_usable(name: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Refuses adapters of another kind, and values that would spoil a model."""
    for key, array in tensors.items():
        if _OTHER_KIND.fullmatch(key):
            raise UserError(
                f"{name} is an adapter of another kind, by its key {key:.200}: LoRA, DoRA, LoHa, "
                "LoKr and full differences are read"
            )
        if not np.isfinite(array.astype(np.float32)).all():
            raise UserError(f"{name} is damaged: {key:.200} holds NaN or infinity")


def _by_layer(
    name: str, tensors: Mapping[str, np.ndarray], sizes: Sizes
) -> tuple[dict[Target, Layer], list[str]]:
    """The layers, and the unused tensor names."""
    layers: dict[Target, Layer] = {}
    by_expert: dict[bool, str] = {}  # an example of a key for each transformer
    unused = []
    for tensor, array in tensors.items():
        key = parse_key(tensor)
        if key is None or key.target is None or not sizes.has(key):
            unused.append(tensor)
            continue
        by_expert.setdefault(key.for_second, tensor)
        if len(by_expert) == 2:
            raise UserError(
                f"{name} is for two transformers, by its keys {_both(*by_expert.values())}: "
                "write a file for each, the first goes to --lora and the second to --lora_2"
            )
        contradicted = layers.setdefault(key.target, Layer()).add(key, tensor, array)
        if contradicted:
            raise UserError(
                f"{name} changes one layer twice, by its keys {_both(contradicted, tensor)}: leave "
                "one of them out"
            )
    return layers, unused


def _both(one: str, other: str) -> str:
    return f"{one:.200} and {other:.200}"


def own_shapes(tensors: Mapping[str, HasShape]) -> dict[str, tuple[int, ...]]:
    """The kernel shapes that a LoRA was made for, as far as its tensors show.

    Args:
      tensors: Arrays or descriptions of them, by key.

    Returns:
      Shapes like those of `models.lora.kernels`: [I, O], or [L, I, O] with as many layers as the
      LoRA has.
    """
    layers: dict[Target, Layer] = {}
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is not None and key.target is not None and key.is_linear:
            # Of this shape, and without memory of its own.
            array = np.broadcast_to(np.float32(0), tensor.shape)
            layers.setdefault(key.target, Layer()).add(key, name, array)
    sizes: dict[str, list[int]] = {}
    for (path, number), layer in layers.items():
        known = [0 if number is None else number + 1, *layer.own_size()]
        sizes[path] = list(map(max, sizes.get(path, [0, 0, 0]), known))
    return {path: tuple(shape if shape[0] else shape[1:]) for path, shape in sizes.items()}


def own_others(tensors: Mapping[str, HasShape]) -> dict[str, tuple[int, ...]]:
    """The shapes of the other parameters that a LoRA changes; see `own_shapes`."""
    result: dict[str, tuple[int, ...]] = {}
    for name, tensor in tensors.items():
        key = parse_key(name)
        if key is None or key.target is None or key.is_linear:
            continue
        slot = slot_of(key)
        transform = key.transform if slot == key.weight else TRANSFORMS["same"]
        try:
            own = transform.our_shape(tensor.shape)
        except ValueError:
            continue  # `parse` reports it
        if slot.layer is not None:
            own = (max(slot.layer + 1, result.get(slot.path, (0,))[0]), *own)
        result[slot.path] = own
    return result


def _scaling(
    name: str, config: Any, layers: Iterable[Layer], origin: str, *, must_fit: bool
) -> tuple[Scaling, list[str]]:
    """The scaling by a config, and what is to be said of it."""
    layers = list(layers)
    second = layers[0].key.for_second
    if not must_fit:
        return Scaling.of(name, config, origin, second=second), []
    try:
        scaling = Scaling.of(name, config, origin, second=second)
        if scaling.fits((layer.key, rank) for layer in layers for rank in layer.ranks):
            return scaling, []
    except UserError:
        pass  # A config that is none of this LoRA's may be anything.
    return Scaling(), [f"{origin} is not used, as it does not state the ranks of these matrices"]


def _nothing_fits(name: str, keys: list[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    spelled = spellings(wan.DIFFUSERS)
    layers = [
        spelled[f"{path}/kernel"].of(0).removesuffix(".weight")
        for path in shapes
        if f"{path}/kernel" in spelled
    ]
    first = ", ".join(f"{key:.200}" for key in keys[:_MAX_SHOWN]) or "none"
    if not layers:
        return f"{name} is not a LoRA for Wan: its first keys are {first}"
    return (
        f"{name} fits no layer of the model: its first keys are {first}; the model's layers are "
        f"{', '.join(layers[:_MAX_SHOWN])}, ...: use a LoRA for this model"
    )


class _Written(NamedTuple):
    """A tensor to be written under a key."""

    shape: tuple[int, ...]
    array: Callable[[], np.ndarray]

    @classmethod
    def of(cls, array: np.ndarray) -> "_Written":
        return cls(array.shape, lambda: array)


def tensors_of(
    lora: Lora, dialect: Dialect, changes: Changes | None = None
) -> dict[str, np.ndarray]:
    """A LoRA's tensors under published keys, in float32.

    The scale is multiplied into the matrices, as a LoRA without alpha has scale 1 for all readers.
    An alpha would not do: diffusers reads alphas of blocks only.

    Args:
      lora: Factors by layer of a `WanTransformer`.
      dialect: Dialect of the keys.
      changes: Other changes, as in `LoraFile`. What the dialect has no place for is left out, see
        `left_out`.

    Raises:
      UserError: If the published model does not have a layer, or the dialect has no way to write a
        kernel's change.
    """
    written = _written(lora, changes or {}, dialect)
    return {key: one.array().astype(np.float32) for key, one in written.items()}


def left_out(changes: Changes, dialect: Dialect) -> list[str]:
    """Published names of the parameters whose changes a dialect has no place for."""
    if dialect == "comfyui":
        return []
    spelled = spellings(wan.DIFFUSERS)
    return sorted(
        spelled[path].of(layer) for path, layer in changes if not path.endswith("/kernel")
    )


def _written(lora: Lora, changes: Changes, dialect: Dialect) -> dict[str, _Written]:
    spelled = spellings(wan.DIFFUSERS if dialect == "diffusers" else wan.ORIGINAL)
    paths = {f"{t.path}/kernel" for t in lora} | {slot.path for slot in changes}
    unknown = sorted(path.removesuffix("/kernel") for path in paths if path not in spelled)
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
        own = Slot(f"{target.path}/kernel", target.layer)
        if not factors.rank and dialect == "diffusers" and own not in changes:
            # diffusers recognises an adapted layer by its matrices, which a bias alone lacks.
            a_IR, b_RO = np.zeros((len(factors.a_IR), 1)), np.zeros((1, factors.b_RO.shape[1]))
            factors = dataclasses.replace(factors, a_IR=a_IR, b_RO=b_RO)
        parts = {} if factors.bias_O is None else {bias: factors.bias_O}
        if factors.rank:
            a_RI = kernel.transform.theirs(factors.a_IR)
            b_OR = factors.b_RO.T.reshape(*factors.b_RO.T.shape, *(1,) * (a_RI.ndim - 2))
            # The scale is split evenly, as a small one could underflow float16 in one matrix; and
            # by a power of two, which is exact.
            half = 2.0 ** (math.frexp(factors.scale)[1] // 2)
            parts |= {down: half * a_RI, up: factors.scale / half * b_OR}
        result |= {f"{layer}.{part}": _Written.of(x) for part, x in parts.items()}
    for slot, change in changes.items():
        write = _in_diffusers if dialect == "diffusers" else _in_comfyui
        result |= {
            f"{prefix}.{key}": written for key, written in write(spelled[slot.path], slot, change)
        }
    return dict(sorted(result.items()))


def _in_comfyui(spelling: Spelling, slot: Slot, change: Change) -> Iterable[tuple[str, _Written]]:
    """A change as ComfyUI's files hold it."""
    name = spelling.of(slot.layer)
    if name.endswith(".bias"):
        yield f"{name.removesuffix('.bias')}.diff_b", _Written.of(change.weights.parts()["diff"])
        return
    module = name.removesuffix(".weight")
    for part, array in change.weights.parts().items():
        yield f"{module}.{part}", _Written.of(np.asarray(array))
    if change.magnitude is not None:
        yield f"{module}.dora_scale", _Written.of(change.magnitude)


def _in_diffusers(spelling: Spelling, slot: Slot, change: Change) -> Iterable[tuple[str, _Written]]:
    """A change as diffusers reads it, if it does."""
    name, weights = spelling.of(slot.layer), change.weights
    if not slot.path.endswith("/kernel"):
        return
    module = name.removesuffix(".weight")
    if not isinstance(weights, Difference) or change.magnitude is not None:
        raise UserError(
            f"diffusers reads no {change.kind}, which is what changes {module}: write it with "
            "--format=comfyui, or merge it into a model with --lora"
        )
    # A change of the whole kernel is a product with the identity.
    rows, columns = weights.size()
    diff, ones = weights.diff, (1,) * (weights.diff.ndim - 2)
    if rows <= columns or ones:
        a_shape, b_shape = diff.shape, (rows, rows, *ones)
        yield f"{module}.lora_A.weight", _Written(a_shape, lambda: diff)
        yield (
            f"{module}.lora_B.weight",
            _Written(b_shape, lambda: np.eye(rows, dtype=np.float32).reshape(b_shape)),
        )
    else:
        yield (
            f"{module}.lora_A.weight",
            _Written((columns, columns), lambda: np.eye(columns, dtype=np.float32)),
        )
        yield f"{module}.lora_B.weight", _Written(diff.shape, lambda: diff)


def write(
    path: str | os.PathLike,
    lora: Lora,
    dialect: Dialect,
    dtype=np.float32,
    *,
    changes: Changes | None = None,
    first_frame: bool = False,
) -> None:
    """Writes a LoRA to a safetensors file.

    Args:
      path: Path of the file, written beside and renamed.
      lora: Factors by layer of a `WanTransformer`.
      dialect: Dialect of the keys.
      dtype: Dtype of the tensors.
      changes: As in `tensors_of`.
      first_frame: See `LoraFile`.

    Raises:
      UserError: As in `tensors_of` and `safetensors_file.write_file`.
    """
    tensors = {
        key: PendingTensor(dtype, one.shape, functools.partial(_as_float32, one.array))
        for key, one in _written(lora, changes or {}, dialect).items()
    }
    metadata = {"format": "pt"} | ({_PICTURE: _FIRST_FRAME} if first_frame else {})
    safetensors_file.write_file(path, tensors, metadata)


def _as_float32(array: Callable[[], np.ndarray]) -> np.ndarray:
    return array().astype(np.float32)
