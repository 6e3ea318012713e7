"""Which published tensor goes where; everything that does not fit is said at once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from painting_jax.checkpoints.safetensors_file import Tensor, have_equal_bytes
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import (
    NOTHING,
    TRANSFORMS,
    Slot,
    Table,
    Transform,
    place,
    spellings,
)

_SHOWN = 8  # names of a kind, layers counted together


class Shaped(Protocol):
    """An array or a description of one."""

    shape: tuple[int, ...]


class Placement(NamedTuple):
    """A tensor of theirs and the place of ours that it fills."""

    tensor: Tensor
    slot: Slot
    transform: Transform


def account(
    source: Source, targets: Mapping[str, Shaped], tables: Sequence[Table], *, added: str = NOTHING
) -> list[Placement]:
    """Gives each tensor of the source its place, in the order in which they lie in the files.

    Args:
      source: of the published weights.
      targets: path -> shape of our parameters.
      tables: one for each way of naming the tensors; the one that knows most names is taken.
      added: regex of our paths that the published model does not have, so that nothing is missed.

    Raises:
      UserError: if tensors are missing, unexpected or of another shape, naming them all.
    """
    table = fitting(source, tables)
    spelled = spellings(table)
    wanted = {path: shape for path, shape in targets.items() if not re.search(added, path)}
    unspelled = sorted(wanted.keys() - spelled.keys())
    if unspelled:
        raise ValueError(f"the table has no rule for {unspelled}")
    slots = {
        Slot(path, layer): leaf.shape if layer is None else leaf.shape[1:]
        for path, leaf in wanted.items()
        for layer in _layers(spelled[path].name, leaf)
    }
    taken: dict[Slot, Placement] = {}
    unexpected, contrary, misshapen = [], [], []
    for name, tensor in source.tensors.items():
        rule, slot = place(table, name) or (None, None)
        if rule is not None and slot is None:
            continue
        if slot not in slots:
            unexpected.append(name)
            continue
        if slot in taken:
            # Tied tensors may be held under each of their names.
            if not have_equal_bytes(tensor, taken[slot].tensor):
                contrary.append(name)
            continue
        transform = TRANSFORMS[rule.transform]
        expected = transform.their_shape(slots[slot])
        if tensor.shape != expected:
            misshapen.append(f"{name} is {list(tensor.shape)} instead of {list(expected)}")
        taken[slot] = Placement(tensor, slot, transform)
    missing = [spelled[slot.path].of(slot.layer) for slot in slots if slot not in taken]
    kinds = {
        "missing": missing,
        "unexpected": unexpected,
        "held a second time with other numbers": contrary,
        "of another shape": misshapen,
    }
    _report(source.name, kinds)
    return sorted(taken.values(), key=lambda p: (p.tensor.path, p.tensor.offset))


def fitting(source: Source, tables: Sequence[Table]) -> Table:
    """The table that knows most names of the source."""
    return max(
        tables, key=lambda table: sum(place(table, name) is not None for name in source.tensors)
    )


def _layers(name: str, leaf: Shaped) -> Iterable[int | None]:
    return range(leaf.shape[0]) if "{layer}" in name else [None]


def _report(source: str, kinds: Mapping[str, list[str]]) -> None:
    said = [f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds.items() if names]
    if said:
        raise UserError(
            f"{source} does not fit the model, tensors are {'; '.join(said)}: name the weights of "
            f"this model, or the model of these weights"
        )


def _listed(names: list[str]) -> str:
    """Names in one line, those that differ by the layer's number together."""
    groups: dict[str, list[int]] = {}
    for name in names:
        number = re.search(r"\.([0-9]{1,9})\.", name)
        key = name[: number.start(1)] + "{}" + name[number.end(1) :] if number else name
        groups.setdefault(key, []).append(int(number[1]) if number else -1)
    shown = [
        # As long as a name can be, whatever a file says.
        f"{key:.200}".replace("{}", str(n[0]) if len(n) == 1 else "{" + _ranges(n) + "}", 1)
        for key, n in list(groups.items())[:_SHOWN]
    ]
    rest = len(groups) - len(shown)
    return ", ".join(shown) + (f" and {rest} more kinds" if rest else "")


def _ranges(numbers: list[int]) -> str:
    """3,4,5,8 as 3-5,8."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
