"""The adapter of one layer: its tensors in a LoRA's file to factors or a change for the model."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from painting_jax.checkpoints.lora_changes import (
    Change,
    Difference,
    Hadamard,
    Kronecker,
    LowRank,
    Weights,
)
from painting_jax.checkpoints.lora_config import Scaling
from painting_jax.checkpoints.lora_keys import LOHA, LOKR, Key, Part
from painting_jax.models.lora import Factors, Target
from painting_jax.models.tensor_names import TRANSFORMS, Slot

# Parts of one way to change a weight. A layer has one way.
_WAYS: tuple[tuple[Part, ...], ...] = (("down", "up", "mid"), ("diff",), LOHA, LOKR)
_BIASES = {"up_bias", "diff_b"}  # of which a layer has one at most, too
_RANKED: tuple[Part, ...] = ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b")  # with a row per rank
_PART_NAMES = {"down": "lora_A", "up": "lora_B", "mid": "lora_mid", "up_bias": "lora_B.bias"}
_PATCHES = Target("patch_embedding", None)
_SAME = TRANSFORMS["same"]


class NarrowerPatches(ValueError):
    """A LoRA is on a patch embedding of fewer channels than the model's."""


class Sizes(NamedTuple):
    """The shapes of a model's parameters by path.

    Attributes:
      kernels: Kernel shapes of its linear layers, by the layers' paths.
      others: Shapes of other parameters.
    """

    kernels: Mapping[str, tuple[int, ...]]
    others: Mapping[str, tuple[int, ...]]

    def has(self, key: Key) -> bool:
        """Whether the model has what a key changes."""
        if key.target is None:
            return False
        return (
            key.target.path in self.kernels if key.is_linear else slot_of(key).path in self.others
        )

    def of(self, key: Key) -> tuple[int, ...]:
        """The shape of what a key changes in our layout, of a linear layer that of its kernel.

        Raises:
          ValueError: If the model has fewer blocks.
        """
        slot = slot_of(key)
        shape = self.kernels[key.target.path] if key.is_linear else self.others[slot.path]
        if slot.layer is None:
            return shape
        if slot.layer >= shape[0]:
            raise ValueError(f"is beyond the {shape[0]} blocks of the model")
        return shape[1:]


def slot_of(key: Key) -> Slot:
    """The parameter that a key changes."""
    return key.bias if key.part == "diff_b" else key.weight


@dataclasses.dataclass(frozen=True)
class Layer:
    """The adapter of a layer, a norm or a modulation.

    Attributes:
      keys: Its keys by the part of the adapter.
      arrays: Its tensors by the part.
      names: Its tensors' names by the part.
    """

    keys: dict[Part, Key] = dataclasses.field(default_factory=dict)
    arrays: dict[Part, np.ndarray] = dataclasses.field(default_factory=dict)
    names: dict[Part, str] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> Key:
        """One of its keys."""
        return next(iter(self.keys.values()))

    @property
    def ranks(self) -> list[int]:
        """The ranks of its products, as far as its tensors show."""
        arrays = [self.arrays[part] for part in _RANKED if part in self.arrays]
        return [array.shape[0] for array in arrays if array.shape]

    def add(self, key: Key, name: str, array: np.ndarray) -> str | None:
        """Adds a tensor; returns the name of the one that it contradicts, if any."""
        for part, given in self.names.items():
            if _exclude(part, key.part):
                return given
        self.keys[key.part], self.arrays[key.part], self.names[key.part] = key, array, name
        return None

    def read(self, sizes: Sizes, scaling: Scaling) -> tuple[Factors | None, dict[Slot, Change]]:
        """The change of a linear layer as factors, and the changes of parameters.

        Args:
          sizes: Sizes of the model.
          scaling: Scaling of the LoRA.

        Raises:
          ValueError: If its parts do not fit the model or each other.
          NarrowerPatches: If it belongs to a model without a picture's channels.
        """
        for part, key in self.keys.items():
            sizes.of(key)
            shape = self.arrays[part].shape
            if not _has_valid_shape(key, shape, has_core="mid" in self.keys):
                raise ValueError(f"has {_PART_NAMES.get(part, part)} of shape {list(shape)}")
        if self.key.is_linear:
            return self._linear(sizes, scaling)
        return None, self._other(sizes)

    def own_size(self) -> tuple[int, int]:
        """Inputs and outputs of a linear layer, 0 where its adapter does not show them."""
        inputs = outputs = 0
        try:
            weights, _ = self._weights(None)
            if weights is not None:
                outputs, inputs = weights.size()
        except ValueError:
            # The parts do not go together, which `read` reports. Each has a side that it shows.
            for part, key in self.keys.items():
                shape = self.arrays[part].shape
                if _has_valid_shape(key, shape, has_core="mid" in self.keys):
                    if part in ("down", "diff"):
                        inputs = key.transform.our_shape(shape)[0]
                    if part in ("up", "diff"):
                        outputs = shape[0]
        for part in ("diff_b", "up_bias"):
            if part in self.arrays and len(self.arrays[part].shape) == 1:
                outputs = max(outputs, self.arrays[part].shape[0])
        return inputs, outputs

    def _linear(self, sizes: Sizes, scaling: Scaling) -> tuple[Factors | None, dict[Slot, Change]]:
        key = self.key
        inputs, outputs = sizes.of(key)
        kernel = key.transform.their_shape((inputs, outputs))
        weights, scale = self._weights(scaling)
        bias_O = self.arrays.get("diff_b")
        if "up_bias" in self.arrays:
            bias_O = scale * self.arrays["up_bias"].astype(np.float32)
        if bias_O is not None and bias_O.shape != (outputs,):
            raise ValueError(f"has a bias of {len(bias_O)}, in the model {outputs}")
        if weights is None and bias_O is None:
            raise ValueError(f"has {' and '.join(sorted(self.arrays))} and no matrices")
        changes: dict[Slot, Change] = {}
        a_IR, b_RO = np.zeros((inputs, 0), np.float32), np.zeros((0, outputs), np.float32)
        if weights is not None:
            _check_size(key, weights, inputs, outputs, taps=math.prod(kernel[2:]))
            magnitude = self._magnitude(kernel)
            if isinstance(weights, LowRank) and weights.mid is None and magnitude is None:
                a_IR = key.transform.ours(weights.down.astype(np.float32))
                b_RO = weights.up.astype(np.float32).reshape(weights.up.shape[:2]).T
            else:
                changes[key.weight] = Change(weights, magnitude, key.transform)
        if not a_IR.size and bias_O is None:
            return None, changes
        bias_O = None if bias_O is None else bias_O.astype(np.float32)
        return Factors(a_IR, b_RO, scale if a_IR.size else 1.0, bias_O), changes

    def _weights(self, scaling: Scaling | None) -> tuple[Weights | None, float]:
        """The change of the kernel, and its scale; None = there is none.

        Without a scaling the scale is 1.
        """
        arrays = self.arrays

        def scale_of(rank: int | None) -> float:
            return scaling.scale(self.key, arrays.get("alpha"), rank) if scaling else 1.0

        way = next((way for way in _WAYS if any(part in arrays for part in way)), None)
        if way is None:
            return None, 1.0
        if way == ("diff",):
            return Difference(arrays["diff"]), 1.0
        if way == LOHA:
            self._require("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
            if "hada_t1" in arrays or "hada_t2" in arrays:
                self._require("hada_t1", "hada_t2")
            factors: dict[str, Any] = {part[len("hada_") :]: arrays.get(part) for part in LOHA}
            hadamard = Hadamard(**factors, scale=1.0)
            scale = scale_of(_rows(hadamard.w1_b))
            return dataclasses.replace(hadamard, scale=scale), scale
        if way == LOKR:
            for whole in ("lokr_w1", "lokr_w2"):
                if whole not in arrays:
                    self._require(f"{whole}_a", f"{whole}_b")
                elif f"{whole}_a" in arrays or f"{whole}_b" in arrays:
                    raise ValueError(f"has {whole} and its factors")
            factors = {part[len("lokr_") :]: arrays.get(part) for part in LOKR}
            kronecker = Kronecker(**factors, scale=1.0)
            scale = scale_of(kronecker.rank)
            return dataclasses.replace(kronecker, scale=scale), scale
        if not {"down", "up"} <= arrays.keys():
            given = next(part for part in ("down", "up", "mid") if part in arrays)
            raise ValueError(f"has {_PART_NAMES[given]} without the other")
        down, up = arrays["down"], arrays["up"]
        rank = _rows(down)
        if "mid" not in arrays and up.shape[1:2] != (rank,):
            raise ValueError(f"has lora_A of rank {rank}, lora_B of rank {_columns(up)}")
        if not rank:
            raise ValueError("has matrices of rank 0")
        scale = scale_of(rank)
        return LowRank(down, up, arrays.get("mid"), scale), scale

    def _require(self, *parts: str) -> None:
        missing = [part for part in parts if part not in self.arrays]
        if missing:
            raise ValueError(f"lacks {' and '.join(missing)}")

    def _magnitude(self, kernel: tuple[int, ...]) -> np.ndarray | None:
        """The lengths of a DoRA, with an axis of size 1 for each axis of the kernel they go over.

        They are of the outputs (PEFT, LyCORIS) or of the inputs (LyCORIS). The kernel's shape is
        that of the published layout.
        """
        given = self.arrays.get("magnitude")
        if given is None:
            return None
        outputs, inputs, *taps = kernel
        ones = (1,) * len(taps)
        if given.shape in ((outputs,), (outputs, 1), (outputs, 1, *ones)):
            return given.reshape(outputs, 1, *ones)
        if given.shape in ((1, inputs), (1, inputs, *ones)):
            return given.reshape(1, inputs, *ones)
        raise ValueError(
            f"has lengths of shape {list(given.shape)}, in the model {outputs} outputs and "
            f"{inputs} inputs"
        )

    def _other(self, sizes: Sizes) -> dict[Slot, Change]:
        """The differences of a norm or a modulation."""
        changes: dict[Slot, Change] = {}
        for part, key in self.keys.items():
            if part == "alpha":
                continue
            if part not in ("diff", "diff_b"):
                given = _PART_NAMES.get(part, part)
                raise ValueError(f"has {given}, but is no linear layer: its difference is read")
            transform = key.transform if part == "diff" else _SAME
            array, expected = self.arrays[part], transform.their_shape(sizes.of(key))
            if array.shape != expected:
                raise ValueError(
                    f"has {part} of shape {list(array.shape)}, in the model {list(expected)}"
                )
            changes[slot_of(key)] = Change(Difference(array), None, transform)
        return changes


def _exclude(part: Part, other: Part) -> bool:
    """Whether a layer cannot have both parts."""
    ways = [next((way for way in _WAYS if x in way), None) for x in (part, other)]
    two_ways = None not in ways and ways[0] != ways[1]
    return part == other or two_ways or {part, other} == _BIASES


def _rows(array: np.ndarray) -> int:
    return array.shape[0] if array.shape else 0


def _columns(array: np.ndarray) -> int:
    return array.shape[1] if len(array.shape) > 1 else 0


def _has_valid_shape(key: Key, shape: tuple[int, ...], *, has_core: bool) -> bool:
    """Whether a part of an adapter has the axes of one."""
    if key.part == "up" or (key.part == "down" and has_core):
        return len(shape) >= 2 and math.prod(shape[2:]) == 1
    if key.part in ("down", "diff"):
        try:
            return key.transform.their_shape(key.transform.our_shape(shape)) == tuple(shape)
        except ValueError:
            return False
    if key.part == "alpha":
        return math.prod(shape) == 1
    if key.part in ("up_bias", "diff_b"):
        return len(shape) == 1
    return True  # of the others, which depend on each other


def _check_size(key: Key, weights: Weights, inputs: int, outputs: int, *, taps: int) -> None:
    """Checks the size of a change against the model's kernel.

    Raises:
      ValueError: If it is another one.
      NarrowerPatches: If it is one of fewer channels on the patches.
    """
    rows, columns = weights.size()
    if key.target == _PATCHES and rows == outputs and columns < inputs and not columns % taps:
        raise NarrowerPatches(
            f"left out its patch_embedding of {columns // taps} channels, as the model's has "
            f"{inputs // taps}"
        )
    if (rows, columns) != (outputs, inputs):
        raise ValueError(f"is {columns}x{rows}, in the model {inputs}x{outputs}")
