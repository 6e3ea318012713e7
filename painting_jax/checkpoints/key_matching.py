"""Matching published tensors to our parameters; one error names everything that does not fit."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from painting_jax.checkpoints.safetensors_file import Tensor, have_equal_bytes
from painting_jax.checkpoints.source import Source
from painting_jax.errors import UserError
from painting_jax.models.tensor_names import (
    TRANSFORMS,
    Slot,
    Table,
    Transform,
    place,
    spellings,
)

_MAX_SHOWN = 8  # names in a list, counting all layers of a parameter as one


class HasShape(Protocol):
    """An array or a description of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...


class Match(NamedTuple):
    """A published tensor and the parameter, or layer of one, that it fills."""

    tensor: Tensor
    slot: Slot
    transform: Transform


def match_tensors(
    source: Source, targets: Mapping[str, HasShape], tables: Sequence[Table]
) -> list[Match]:
    """Matches every tensor of the source to a parameter.

    Args:
      source: the published weights.
      targets: our parameters by path; their shapes count.
      tables: one for each naming of the tensors; the one that knows most names is used.

    Returns:
      The matches in the order of the tensors in the files.

    Raises:
      UserError: if tensors are missing, unexpected or of another shape; it names them all.
    """
    table = best_table(source, tables)
    spelled = spellings(table)
    unnamed = sorted(targets.keys() - spelled.keys())
    if unnamed:
        raise ValueError(f"the table has no rule for {unnamed}")
    slots = {
        Slot(path, layer): leaf.shape if layer is None else leaf.shape[1:]
        for path, leaf in targets.items()
        for layer in _layers(spelled[path].name, leaf)
    }
    matches: dict[Slot, Match] = {}
    unexpected, conflicting, misshapen = [], [], []
    for name, tensor in source.tensors.items():
        rule, slot = place(table, name) or (None, None)
        if rule is not None and slot is None:
            continue
        if slot not in slots:
            unexpected.append(name)
            continue
        if slot in matches:
            # A file may hold tied tensors under each of their names.
            if not have_equal_bytes(tensor, matches[slot].tensor):
                conflicting.append(name)
            continue
        transform = TRANSFORMS[rule.transform]
        expected = transform.their_shape(slots[slot])
        if tensor.shape != expected:
            misshapen.append(f"{name} is {list(tensor.shape)} instead of {list(expected)}")
        matches[slot] = Match(tensor, slot, transform)
    missing = [spelled[slot.path].of(slot.layer) for slot in slots if slot not in matches]
    problems = {
        "missing": missing,
        "unexpected": unexpected,
        "held a second time with other numbers": conflicting,
        "of another shape": misshapen,
    }
    listed = [
        f"{len(names)} {kind} ({_listed(names)})" for kind, names in problems.items() if names
    ]
    if listed:
        raise UserError(
            f"{source.name} does not fit the model, tensors are {'; '.join(listed)}: use the "
            f"weights of this model, or the model of these weights"
        )
    return sorted(matches.values(), key=lambda match: (match.tensor.path, match.tensor.offset))


def best_table(source: Source, tables: Sequence[Table]) -> Table:
    """The table that knows most names of the source."""
    return max(
        tables, key=lambda table: sum(place(table, name) is not None for name in source.tensors)
    )


def _layers(name: str, leaf: HasShape) -> Iterable[int | None]:
    return range(leaf.shape[0]) if "{layer}" in name else [None]


def _listed(names: list[str]) -> str:
    """Names in one line; names that differ only by the layer's number are grouped."""
    groups: dict[str, list[int]] = {}
    for name in names:
        number = re.search(r"\.([0-9]{1,9})\.", name)
        key = name[: number.start(1)] + "{}" + name[number.end(1) :] if number else name
        groups.setdefault(key, []).append(int(number[1]) if number else -1)
    shown = [
        # A damaged file may hold names of any length.
        f"{key:.200}".replace("{}", str(n[0]) if len(n) == 1 else "{" + _ranges(n) + "}", 1)
        for key, n in list(groups.items())[:_MAX_SHOWN]
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
