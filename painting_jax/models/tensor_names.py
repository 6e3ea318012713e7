"""The language of the tables that map published tensor names to our parameters.

A table is a list of rules, tried in order. The pattern of a rule is a simple regular expression, so
that a table can also be read backwards: literals, alternations of literals in named groups, and one
group, `LAYER`, for layers that we keep stacked along a first axis.
"""

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

NOTHING = r"(?!)"  # a regex that no path matches
# The number of a layer. The length is limited, since names in a file may be of any length.
LAYER = r"(?P<layer>[0-9]{1,4})"


@dataclasses.dataclass(frozen=True)
class Transform:
    """A change of layout in both directions, for anything with the methods of an array."""

    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]

    def our_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in our layout of a tensor with this shape in theirs."""
        return self.ours(_no_memory(shape)).shape

    def their_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in their layout of a tensor with this shape in ours."""
        return self.theirs(_no_memory(shape)).shape


def _no_memory(shape: tuple[int, ...]) -> np.ndarray:
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.uint8(0), shape)


def _transposition(*axes: int) -> Transform:
    back = tuple(map(axes.index, range(len(axes))))
    return Transform(lambda x: x.transpose(axes), lambda x: x.transpose(back))


def _patches(*patch: int) -> Transform:
    """Between a strided convolution over patches [O, I, *patch] and a linear layer [patch I, O]."""
    dims = len(patch)
    order = _transposition(*range(2, 2 + dims), 1, 0)
    return Transform(
        lambda x: order.ours(x).reshape(-1, x.shape[0]),
        lambda x: order.theirs(x.reshape(*patch, -1, x.shape[-1])),
    )


def _pointwise(dims: int) -> Transform:
    """Between a 1x1 convolution [O, I, 1, ...] and a linear layer [I, O]."""
    return Transform(
        lambda x: x.reshape(x.shape[:2]).transpose(1, 0),
        lambda x: x.transpose(1, 0).reshape(*x.shape[::-1], *(1,) * dims),
    )


TRANSFORMS: dict[str, Transform] = {
    "same": Transform(lambda x: x, lambda x: x),
    "transpose": _transposition(1, 0),
    "first": Transform(lambda x: x.reshape(x.shape[1:]), lambda x: x.reshape(1, *x.shape)),
    "token": Transform(lambda x: x.reshape(x.shape[2:]), lambda x: x.reshape(1, 1, *x.shape)),
    "conv1d": _transposition(2, 1, 0),
    "conv2d": _transposition(2, 3, 1, 0),
    "conv3d": _transposition(2, 3, 4, 1, 0),
    "pointwise2d": _pointwise(2),
    "pointwise3d": _pointwise(3),
    "scale2d": Transform(lambda x: x.reshape(x.shape[0]), lambda x: x.reshape(-1, 1, 1)),
    "scale3d": Transform(lambda x: x.reshape(x.shape[0]), lambda x: x.reshape(-1, 1, 1, 1)),
    "patches_1x2x2": _patches(1, 2, 2),
}


# What programs put before a tensor's own name, in any number and order: PEFT, diffusers, ComfyUI,
# DiffSynth, torch's compiler and its wrappers for several devices; with underscores kohya,
# OneTrainer and LyCORIS.
_PREFIX = re.compile(
    r"(?:(?:base_model|model|module|transformer|transformer_2|diffusion_model|diffusion|pipe|dit|dit2"
    r"|unet|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
    r"|(?:lora_(?:prior_)?unet|lora_transformer|lora_dit|lycoris)_+)*"
)
# What they put into it.
_INSIDE = re.compile(
    r"(?<=\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer)\."
)


def split_prefix(name: str) -> tuple[str, str]:
    """What programs put before a tensor's or layer's own name, and that name without additions."""
    end = _PREFIX.match(name).end()
    return name[:end], _INSIDE.sub("", name[end:])


class Rule(NamedTuple):
    """One line of a table.

    Attributes:
      pattern: matches the whole published name.
      path: path of our parameter, levels separated by "/", with `\\g<group>` of the pattern; None =
        the tensor is known but not needed.
      transform: a key of `TRANSFORMS`.
    """

    pattern: str
    path: str | None
    transform: str = "same"


Table = Sequence[Rule]


class PublishedTensor(Protocol):
    """A tensor of published weights, of which only the shape is known."""

    @property
    def shape(self) -> tuple[int, ...]: ...


class PublishedWeights(Protocol):
    """Published weights that are opened but not read; `checkpoints.source.Source` is one.

    Attributes:
      name: what error messages call them.
      tensors: the tensors by their published names.
      config: content of the component's config.json; empty if there is none.
    """

    @property
    def name(self) -> str: ...

    @property
    def tensors(self) -> Mapping[str, PublishedTensor]: ...

    @property
    def config(self) -> Mapping[str, Any]: ...


class Slot(NamedTuple):
    """Where one of their tensors goes: the path of a parameter, and its layer if it is stacked."""

    path: str
    layer: int | None


def linear(theirs: str, ours: str, *, bias: bool = True) -> list[Rule]:
    """The rules for a linear layer."""
    weight = Rule(rf"{theirs}\.weight", f"{ours}/kernel", "transpose")
    return [weight, Rule(rf"{theirs}\.bias", f"{ours}/bias")] if bias else [weight]


def norm(theirs: str, ours: str, *, bias: bool = False) -> list[Rule]:
    """The rules for the scale of a normalisation, and for its bias if it has one."""
    weight = Rule(rf"{theirs}\.weight", f"{ours}/scale")
    return [weight, Rule(rf"{theirs}\.bias", f"{ours}/bias")] if bias else [weight]


def conv(theirs: str, ours: str, dims: int, *, bias: bool = True) -> list[Rule]:
    """The rules for a convolution over `dims` dimensions."""
    weight = Rule(rf"{theirs}\.weight", f"{ours}/kernel", f"conv{dims}d")
    return [weight, Rule(rf"{theirs}\.bias", f"{ours}/bias")] if bias else [weight]


def place(table: Table, name: str) -> tuple[Rule, Slot | None] | None:
    """The first rule that matches a published name, and the slot; None if no rule matches.

    A name that no rule matches as it is may have a prefix, see `split_prefix`.
    """
    _, bare = split_prefix(name)
    return _placed(table, name) or (None if bare == name else _placed(table, bare))


def _placed(table: Table, name: str) -> tuple[Rule, Slot | None] | None:
    for rule in table:
        match = re.fullmatch(rule.pattern, name)
        if match:
            if rule.path is None:
                return rule, None
            layer = match.groupdict().get("layer")
            return rule, Slot(match.expand(rule.path), None if layer is None else int(layer))
    return None


class Spelling(NamedTuple):
    """The published name of one of our parameters."""

    name: str  # contains "{layer}" if every layer has a tensor of its own
    transform: Transform

    def of(self, layer: int | None) -> str:
        return self.name.replace("{layer}", str(layer))


def spellings(table: Table) -> dict[str, Spelling]:
    """Reads a table backwards: our path -> their name, the first one if there are several."""
    result: dict[str, Spelling] = {}
    for rule in table:
        if rule.path is not None:
            for name, path in _expand(rule):
                result.setdefault(path, Spelling(name, TRANSFORMS[rule.transform]))
    return result


def _expand(rule: Rule) -> Iterator[tuple[str, str]]:
    """All pairs (their name, our path) that a rule stands for, with "{layer}" for the layer."""
    # The parts are in turn: a literal, the name of a group, the content of the group.
    parts = re.split(r"\(\?P<(\w+)>([^()]*)\)", rule.pattern)
    groups, contents, literals = parts[1::3], parts[2::3], parts[0::3]
    options = [
        ["{layer}"] if g == "layer" else c.split("|") for g, c in zip(groups, contents, strict=True)
    ]
    for chosen in itertools.product(*options):
        name = literals[0] + "".join(c + text for c, text in zip(chosen, literals[1:], strict=True))
        path = rule.path
        for group, option in zip(groups, chosen, strict=True):
            path = path.replace(rf"\g<{group}>", option.replace(r"\.", "."))
        yield name.replace(r"\.", "."), path
