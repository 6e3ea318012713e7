"""How another library's tensors become our parameters: one row for each kind of tensor."""

import re
from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    r"""One kind of tensor.

    Attributes:
      pattern: regular expression of the tensor's whole name. Its one group, where it has one, is
        the index of the layer.
      path: of our parameter, its parts separated by "/". With a layer the tensor is that entry of
        the parameter's first dimension. None = known, and passed over.
      axes: the transform: the order that the tensor's dimensions are brought in; None = as it is.
    """

    pattern: str
    path: str | None
    axes: tuple[int, ...] | None = None


class Place(NamedTuple):
    """Where a tensor goes: as in the `Row` that fits it."""

    path: str | None
    layer: int | None
    axes: tuple[int, ...] | None


def place(rows: Sequence[Row], name: str) -> Place | None:
    """Where the tensor of this name goes, by the first row that fits; None = the table lacks it."""
    for pattern, path, axes in rows:
        if match := re.fullmatch(pattern, name):
            return Place(path, int(match[1]) if match.re.groups else None, axes)
    return None
