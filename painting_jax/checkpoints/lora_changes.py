"""Changes of whole parameters by a LoRA's file: full differences, LoHa, LoKr and DoRA.

Their changes are no products of two small matrices, so that they are added to the parameters and
never computed beside them. They are computed when their turn comes, layer by layer:
  difference  the change itself, of a kernel, a norm or a modulation
  LoHa        (w1_a w1_b) * (w2_a w2_b), elementwise (FedPara, arXiv 2108.06098)
  LoKr        kron(w1, w2), each of them whole or a product (LyCORIS, arXiv 2309.14859)
  DoRA        the changed kernel's rows (or columns) are given new lengths (arXiv 2402.09353)
In convolutions a factor may be a Tucker decomposition with a core.

Arrays are NumPy's or JAX's, in the published layout: O outputs, I inputs, R rank, and the taps of a
convolution last.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from painting_jax.models.tensor_names import Slot, Transform

_EPS = float(np.finfo(np.float32).eps)

Parts = dict[str, Any]  # arrays by the part's name in ComfyUI's keys


def _float32(array: Any) -> Any:
    return array.astype(np.float32)


def _joined(rows: tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, int]:
    """The size of a product of two matrices, the second of which may have taps.

    Raises:
      ValueError: If they do not go together.
    """
    if len(rows) != 2 or len(columns) < 2 or rows[1] != columns[0] or not rows[1]:
        raise ValueError(f"has factors of shapes {list(rows)} and {list(columns)}")
    return rows[0], math.prod(columns[1:])


def _tucker_size(core: Any, outer: Any, inner: Any) -> tuple[int, int]:
    """The size of `_tucker`; errors as in `_joined`."""
    fits = len(core.shape) > 2 and len(outer.shape) == len(inner.shape) == 2
    if not fits or tuple(core.shape[:2]) != (outer.shape[0], inner.shape[0]):
        shapes = ", ".join(str(list(x.shape)) for x in (core, outer, inner))
        raise ValueError(f"has a core and factors of shapes {shapes}")
    return outer.shape[1], inner.shape[1] * math.prod(core.shape[2:])


def _tucker(core: Any, outer_RO: Any, inner_RI: Any) -> Any:
    """sum over i, j of core[i, j, ...] outer[i, o] inner[j, i], as [O, I taps]."""
    core, outer_RO, inner_RI = map(_float32, (core, outer_RO, inner_RI))
    axes = core.ndim
    by_tap = core.transpose(*range(2, axes), 0, 1)
    product = outer_RO.T @ by_tap @ inner_RI
    return product.transpose(axes - 2, axes - 1, *range(axes - 2)).reshape(outer_RO.shape[1], -1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Difference:
    """A change that is there as it is."""

    diff: Any

    kind: ClassVar[str] = "whole"

    def size(self) -> tuple[int, int]:
        """Rows and columns; ValueError if the arrays have other axes or do not go together."""
        if not self.diff.shape:
            raise ValueError("has a difference without axes")
        return self.diff.shape[0], math.prod(self.diff.shape[1:])

    def matrix(self) -> Any:
        """The change, float32[rows, columns]."""
        return _float32(self.diff).reshape(self.size())

    def parts(self) -> Parts:
        """What ComfyUI's files hold of it."""
        return {"diff": self.diff}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LowRank:
    """A product of two matrices that is not simply added, or has a core."""

    down: Any
    up: Any
    mid: Any
    scale: float

    kind: ClassVar[str] = "low-rank"

    def size(self) -> tuple[int, int]:
        up = self.up.shape[:2]
        if self.mid is None:
            return _joined(up, self.down.shape)
        return _tucker_size(self.mid, *map(_without_taps, (self._up_RO(), self.down)))

    def _up_RO(self) -> Any:
        return _without_taps(self.up).transpose(1, 0)

    def matrix(self) -> Any:
        if self.mid is None:
            up, down = _float32(_without_taps(self.up)), _float32(self.down)
            return self.scale * (up @ down.reshape(down.shape[0], -1))
        return self.scale * _tucker(self.mid, self._up_RO(), _without_taps(self.down))

    def parts(self) -> Parts:
        core = {} if self.mid is None else {"lora_mid.weight": self.mid}
        alpha = np.float32(self.scale * self.down.shape[0])
        pair = {"lora_down.weight": self.down, "lora_up.weight": self.up}
        return pair | core | {"alpha": alpha}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Hadamard:
    """LoHa: an elementwise product of two low-rank matrices, each with a core or without."""

    w1_a: Any
    w1_b: Any
    w2_a: Any
    w2_b: Any
    t1: Any
    t2: Any
    scale: float

    kind: ClassVar[str] = "LoHa"

    def size(self) -> tuple[int, int]:
        if self.t1 is None:
            sizes = {
                _joined(self.w1_a.shape, self.w1_b.shape),
                _joined(self.w2_a.shape, self.w2_b.shape),
            }
        else:
            sizes = {
                _tucker_size(self.t1, self.w1_a, self.w1_b),
                _tucker_size(self.t2, self.w2_a, self.w2_b),
            }
        if len(sizes) > 1:
            raise ValueError("has two matrices of different sizes")
        return sizes.pop()

    def matrix(self) -> Any:
        if self.t1 is None:
            first = _float32(self.w1_a) @ _float32(self.w1_b)
            second = _float32(self.w2_a) @ _float32(self.w2_b)
        else:
            first = _tucker(self.t1, self.w1_a, self.w1_b)
            second = _tucker(self.t2, self.w2_a, self.w2_b)
        return self.scale * first * second

    def parts(self) -> Parts:
        names = ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")
        arrays = {f"hada_{name}": getattr(self, name) for name in names}
        alpha = np.float32(self.scale * self.w1_b.shape[0])
        return {name: x for name, x in arrays.items() if x is not None} | {"alpha": alpha}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Kronecker:
    """LoKr: a Kronecker product, each factor of which is whole or a product, the second with a core
    or without."""

    w1: Any
    w1_a: Any
    w1_b: Any
    w2: Any
    w2_a: Any
    w2_b: Any
    t2: Any
    scale: float

    kind: ClassVar[str] = "LoKr"

    @property
    def rank(self) -> int | None:
        """The rank of its products; None = both factors are whole."""
        for factor in (self.w2_b, self.w1_b):
            if factor is not None:
                return factor.shape[0]
        return None

    def size(self) -> tuple[int, int]:
        if self.w1 is None:
            first = _joined(self.w1_a.shape, self.w1_b.shape)
        else:
            first = _whole_size(self.w1)
        if self.t2 is not None:
            second = _tucker_size(self.t2, self.w2_a, self.w2_b)
        elif self.w2 is None:
            second = _joined(self.w2_a.shape, self.w2_b.shape)
        else:
            second = _whole_size(self.w2)
        return first[0] * second[0], first[1] * second[1]

    def matrix(self) -> Any:
        first = self.w1 if self.w1_a is None else _float32(self.w1_a) @ _float32(self.w1_b)
        if self.t2 is not None:
            second = _tucker(self.t2, self.w2_a, self.w2_b)
        elif self.w2 is None:
            second = _float32(self.w2_a) @ _float32(self.w2_b)
        else:
            second = self.w2
        first, second = _float32(first), _float32(second)
        second = second.reshape(second.shape[0], -1)
        product = first[:, None, :, None] * second[None, :, None, :]
        return self.scale * product.reshape(self.size())

    def parts(self) -> Parts:
        names = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
        arrays = {f"lokr_{name}": getattr(self, name) for name in names}
        arrays = {name: x for name, x in arrays.items() if x is not None}
        if self.rank is None:
            # Readers do not scale a product of whole factors.
            return arrays | {"lokr_w1": self.scale * _float32(self.w1)}
        return arrays | {"alpha": np.float32(self.scale * self.rank)}


def _without_taps(array: Any) -> Any:
    return array.reshape(array.shape[:2])


def _whole_size(array: Any) -> tuple[int, int]:
    if len(array.shape) < 2:
        raise ValueError(f"has a factor of shape {list(array.shape)}")
    return array.shape[0], math.prod(array.shape[1:])


Weights = Difference | LowRank | Hadamard | Kronecker


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("weights", "magnitude"),
    meta_fields=("transform",),
)
@dataclasses.dataclass(frozen=True)
class Change:
    """The change of one parameter.

    Attributes:
      weights: The change, or with a magnitude that before the lengths are set.
      magnitude: New lengths of a DoRA, in the published layout with an axis of size 1 for each that
        a length is taken over; None = the change is added.
      transform: Transform of the parameter between the published layout and ours.
    """

    weights: Weights
    magnitude: Any
    transform: Transform

    @property
    def kind(self) -> str:
        return self.weights.kind if self.magnitude is None else "DoRA"

    def __call__(self, parameter: Any) -> Any:
        """The change of a parameter in float32, both in our layout."""
        theirs = self.transform.theirs(parameter)
        change = self.weights.matrix().reshape(theirs.shape)
        if self.magnitude is not None:
            changed = theirs + change
            axes = tuple(axis for axis, size in enumerate(self.magnitude.shape) if size == 1)
            lengths = (changed * changed).sum(axis=axes, keepdims=True) ** 0.5
            change = changed * (_float32(self.magnitude) / (lengths + _EPS)) - theirs
        return self.transform.ours(change)


Changes = Mapping[Slot, Change]


def by_parameter(weighted: Sequence[tuple[Changes, float]]) -> list[list[tuple[Changes, float]]]:
    """Changes with their weights, apart for each parameter of a model.

    Added one after the other, no more than one stack of kernels is held twice at a time.
    """
    parts: dict[str, list[tuple[Changes, float]]] = {}
    for changes, weight in weighted:
        by_path: dict[str, dict[Slot, Change]] = {}
        for slot, change in changes.items():
            by_path.setdefault(slot.path, {})[slot] = change
        for path, own in by_path.items():
            parts.setdefault(path, []).append((own, weight))
    return list(parts.values())


def add(params: dict, weighted: Sequence[tuple[Changes, float]]) -> dict:
    """The parameters with changes added, in float32.

    Each change is that of the parameters as they are given, whatever the others do.

    Args:
      params: A tree such as `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.
      weighted: Changes with their weights.
    """
    by_slot: dict[Slot, list[tuple[Change, float]]] = {}
    for changes, weight in weighted:
        for slot, change in changes.items():
            by_slot.setdefault(slot, []).append((change, weight))
    result = jax.tree.map(lambda x: x, params)  # new dictionaries that share the arrays
    begun: set[str] = set()
    for (path, layer), of_slot in by_slot.items():
        *parents, name = path.split("/")
        level = result
        for parent in parents:
            level = level[parent]
        parameter = jnp.asarray(level[name])
        changes, weights = zip(*of_slot, strict=True)
        # The given array is the caller's; a stack is copied once, and then changed in place.
        adder = _adder(parameter.sharding, path in begun)
        level[name] = adder(parameter, layer, changes, weights)
        begun.add(path)
    return result


@functools.lru_cache
def _adder(sharding: jax.sharding.Sharding, donate: bool):
    def add(parameter, layer, changes, weights):
        if layer is None:
            return _changed(parameter, changes, weights)
        before = jax.lax.dynamic_index_in_dim(parameter, layer, keepdims=False)
        after = _changed(before, changes, weights)
        return jax.lax.dynamic_update_index_in_dim(parameter, after, layer, 0)

    return jax.jit(add, donate_argnums=0 if donate else (), out_shardings=sharding)


def _changed(parameter, changes, weights):
    with jax.default_matmul_precision("highest"):
        before = parameter.astype(jnp.float32)
        total = sum(
            weight * change(before) for change, weight in zip(changes, weights, strict=True)
        )
    return (before + total).astype(parameter.dtype)
