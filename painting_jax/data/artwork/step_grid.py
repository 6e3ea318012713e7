"""A process in one picture: steps in a grid, in snake order, as MakeAnything publishes them.

The first row runs from left to right, the second from right to left, and so on, so that each step
lies beside the one before.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from painting_jax.data import pictures
from painting_jax.errors import UserError

GRIDS = {"2x2": 2, "3x3": 3}

# What is cut off at each side of a step, as a share of it: neighbours bleed over the border.
_BORDER = 0.006


class StepGrid:
    """The steps of a grid, as `States`."""

    stated: Mapping[str, Any] = {}

    def __init__(self, path: epath.PathLike, grid: str):
        """Names a picture; it is read later.

        Args:
          path: Picture.
          grid: A key of `GRIDS`.
        """
        self._path = epath.Path(path)
        self._side = GRIDS[grid]

    def __len__(self) -> int:
        return self._side**2

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """As `States.pictures`."""
        picture_HWC = pictures.load(self._path)
        height, width = (length // self._side for length in picture_HWC.shape[:2])
        if min(height, width) < pictures.MIN_SIDE:
            raise UserError(
                f"{self._path} has {width}x{height} pixels a step: it is no grid of "
                f"{self._side}x{self._side} steps"
            )
        border_y, border_x = (round(_BORDER * length) for length in (height, width))
        for index in indices:
            row, place = divmod(index, self._side)
            column = place if row % 2 == 0 else self._side - 1 - place
            top, left = row * height, column * width
            yield np.ascontiguousarray(
                picture_HWC[
                    top + border_y : top + height - border_y,
                    left + border_x : left + width - border_x,
                ]
            )
