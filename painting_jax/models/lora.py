"""Low-rank adapters (LoRA, arXiv 2106.09685) on the linear layers of a model.

An adapter adds `scale * a b` to the kernel of a layer. Adapters are either merged into the kernels
or kept as branches beside the layers, where they are trained while the kernels are frozen.

Shapes: L layers of a scanned stack, I inputs and O outputs of a linear layer, R rank.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from painting_jax.models.quantised_kernel import multiplied


class Target(NamedTuple):
    """A linear layer: its path in the model, and its index if it is in a scanned stack."""

    path: str
    layer: int | None


@dataclasses.dataclass(frozen=True)
class Factors:
    """The update of one linear layer: `scale * a_IR @ b_RO`, and `bias_O` if there is one."""

    a_IR: Float[np.ndarray, "i r"]
    b_RO: Float[np.ndarray, "r o"]
    scale: float = 1.0
    bias_O: Float[np.ndarray, " o"] | None = None

    @property
    def rank(self) -> int:
        return self.a_IR.shape[1]


Lora = Mapping[Target, Factors]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Branch:
    """Adapters of a linear layer or of a scanned stack of them, float32, with the scale in `b`."""

    a: Float[Array, "*l i r"]
    b: Float[Array, "*l r o"]
    bias: Float[Array, "*l o"] | None = None


def kernels(model: nnx.Module) -> dict[str, tuple[int, ...]]:
    """The shape of the kernel, [I, O] or stacked [L, I, O], of every linear layer by its path."""
    return {
        "/".join(map(str, path)): module.kernel.shape
        for path, module in nnx.iter_modules(model)
        if isinstance(module, nnx.Linear | AdaptedLinear)
    }


def init_branches(
    key: PRNGKeyArray, shapes: Mapping[str, tuple[int, ...]], rank: int
) -> dict[str, Branch]:
    """New branches for training; their updates are zero.

    Args:
      key: Random key.
      shapes: Shapes of the kernels to adapt, by path.
      rank: Rank of the branches, R.
    """
    branches = {}
    for i, (path, (*stack, inputs, outputs)) in enumerate(sorted(shapes.items())):
        bound = inputs**-0.5
        a = jax.random.uniform(
            jax.random.fold_in(key, i), (*stack, inputs, rank), minval=-bound, maxval=bound
        )
        branches[path] = Branch(a, jnp.zeros((*stack, rank, outputs)))
    return branches


def combine(
    weighted: Iterable[tuple[Lora, float]], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Branch]:
    """The weighted sum of several LoRAs as branches, whose rank is the sum of the ranks.

    Args:
      weighted: LoRAs that fit the model, with their weights.
      shapes: shapes of the model's kernels, by path.
    """
    by_path: dict[str, list[list[tuple[int | None, Factors, float]]]] = {}
    for lora, weight in weighted:
        own: dict[str, list] = {}
        for (path, layer), factors in lora.items():
            own.setdefault(path, []).append((layer, factors, weight))
        for path, entries in own.items():
            by_path.setdefault(path, []).append(entries)
    return {path: _branch(shapes[path], loras) for path, loras in by_path.items()}


def _branch(shape: tuple[int, ...], loras: list[list[tuple[int | None, Factors, float]]]) -> Branch:
    *stack, inputs, outputs = shape
    ranks = [max(factors.rank for _, factors, _ in entries) for entries in loras]
    a = np.zeros((*stack, inputs, sum(ranks)), np.float32)
    b = np.zeros((*stack, sum(ranks), outputs), np.float32)
    bias = np.zeros((*stack, outputs), np.float32)
    first = 0
    for entries, widest in zip(loras, ranks, strict=True):
        for layer, factors, weight in entries:
            where = () if layer is None else layer
            own = slice(first, first + factors.rank)
            a[where][:, own] = factors.a_IR
            b[where][own] = weight * factors.scale * np.asarray(factors.b_RO, np.float32)
            if factors.bias_O is not None:
                bias[where] += weight * np.asarray(factors.bias_O, np.float32)
        first += widest
    return Branch(jnp.asarray(a), jnp.asarray(b), jnp.asarray(bias) if bias.any() else None)


def unstack(branches: Mapping[str, Branch]) -> dict[Target, Factors]:
    """The factors of each linear layer; branches of stacked layers are taken apart."""
    result = {}
    for path, branch in branches.items():
        branch = jax.tree.map(np.asarray, branch)
        if branch.a.ndim == 2:
            result[Target(path, None)] = Factors(branch.a, branch.b, bias_O=branch.bias)
            continue
        for layer in range(len(branch.a)):
            bias_O = None if branch.bias is None else branch.bias[layer]
            result[Target(path, layer)] = Factors(branch.a[layer], branch.b[layer], bias_O=bias_O)
    return result


def merge(params: dict, branches: Mapping[str, Branch]) -> dict:
    """The parameters with branches added to the kernels and biases, in float32.

    Args:
      params: a tree such as `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.
      branches: branches by the path of their linear layer.
    """
    merged = jax.tree.map(lambda x: x, params)  # new dictionaries that share the arrays
    for path, branch in branches.items():
        linear: Any = merged
        for part in path.split("/"):
            linear = linear[part]
        linear["kernel"] = _merged(linear["kernel"], branch)
        if branch.bias is not None:
            linear["bias"] = (linear["bias"] + branch.bias).astype(linear["bias"].dtype)
    return merged


def _merged(kernel: Float[Array, "*l i o"], branch: Branch) -> Float[Array, "*l i o"]:
    def one(layer):
        kernel_IO, a_IR, b_RO = layer
        change_IO = jnp.matmul(a_IR, b_RO, precision="highest")
        return (kernel_IO.astype(jnp.float32) + change_IO).astype(kernel_IO.dtype)

    layers = (kernel, branch.a, branch.b)
    # Layer by layer, so that a stack of large kernels is never in float32 as a whole.
    return one(layers) if kernel.ndim == 2 else jax.lax.map(one, layers)


def as_tree(branches: Mapping[str, Branch]) -> dict:
    """Branches as the tree of parameters that `nnx.to_pure_dict` gives of a model with them."""
    tree: dict = {}
    for path, branch in branches.items():
        parts = {"lora_a": branch.a, "lora_b": branch.b}
        if branch.bias is not None:
            parts["lora_bias"] = branch.bias
        level = tree
        for name in path.split("/"):
            level = level.setdefault(name, {})
        level.update(parts)
    return tree


def from_tree(tree: Mapping) -> dict[str, Branch]:
    """The inverse of `as_tree`."""
    if "lora_a" in tree:
        return {"": Branch(tree["lora_a"], tree["lora_b"], tree.get("lora_bias"))}
    return {
        f"{name}/{path}".rstrip("/"): branch
        for name, below in tree.items()
        for path, branch in from_tree(below).items()
    }


def join_params(frozen: Mapping, adapters: Mapping) -> dict:
    """The parameters of a model and of its adapters as one tree."""
    both = dict(frozen)
    for name, below in adapters.items():
        if isinstance(below, Mapping):
            both[name] = join_params(frozen[name], below)
        else:
            both[name] = below
    return both


class AdaptedLinear(nnx.Module):
    """A linear layer with a branch beside it. Its kernel may be quantised (`quantised_kernel`).

    The parameters of the layer keep their paths. Those of the branch are `nnx.LoRAParam`s, so that
    `nnx.split(model, nnx.LoRAParam, ...)` separates them.
    """

    def __init__(self, linear: nnx.Linear, branch: Branch):
        self.kernel = linear.kernel
        self.bias = linear.bias
        self.dtype = linear.dtype
        self.lora_a = nnx.LoRAParam(branch.a)
        self.lora_b = nnx.LoRAParam(branch.b)
        self.lora_bias = None if branch.bias is None else nnx.LoRAParam(branch.bias)

    def __call__(self, x: Float[Array, "*n i"]) -> Float[Array, "*n o"]:
        dtype = self.dtype or x.dtype
        x = x.astype(dtype)
        y = multiplied(jnp.matmul, x, self.kernel.get_value(), dtype)
        y += (x @ self.lora_a[...].astype(dtype)) @ self.lora_b[...].astype(dtype)
        for bias in (self.bias, self.lora_bias):
            if bias is not None:
                y += bias[...].astype(dtype)
        return y


def attach(model: nnx.Module, branches: Mapping[str, Branch]) -> None:
    """Puts branches beside the linear layers of a model, in place.

    Args:
      model: a model without branches.
      branches: branches by the path of their linear layer.
    """
    for path, branch in branches.items():
        parent, name = _parent(model, path)
        setattr(parent, name, AdaptedLinear(getattr(parent, name), branch))


def _parent(model: nnx.Module, path: str) -> tuple[nnx.Module, str]:
    *parents, name = path.split("/")
    for part in parents:
        model = getattr(model, part)
    return model, name
