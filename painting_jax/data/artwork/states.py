"""The states of a canvas that a file holds: what every reader of such files gives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class States(Protocol):
    """The N >= 1 states of a canvas, in painted order."""

    @property
    def stated(self) -> Mapping[str, Any]:
        """What the file says of itself, with the keys of a sidecar, see `processes.find`."""
        ...

    def __len__(self) -> int: ...

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields states as a person sees them, uint8 RGB [H, W, 3] in sRGB, all of one size.

        Args:
          indices: Which states, rising.

        Raises:
          UserError: If the file is damaged, or asks for more than the reader's bounds.
        """
        ...
