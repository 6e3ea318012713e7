"""Global batches: which rows a computer process makes, and arrays on the mesh made of them.

Devices along the tensor and sequence axes hold the same rows. If such an axis spans several
computer processes, they all make those rows, so that every device gets what the batch holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from painting_jax.sharding.rules import batch_sharding


def rows_of_process(mesh: Mesh, batch_size: int) -> list[int]:
    """Rows of a global batch that the devices of this computer process hold, ascending.

    Args:
      mesh: Mesh over the devices of all computer processes.
      batch_size: Number of rows, a multiple of the mesh's data x fsdp.
    """
    held = batch_sharding(mesh).addressable_devices_indices_map((batch_size,))
    return sorted({row for [rows] in held.values() for row in range(batch_size)[rows]})


def global_batch(
    batch: Mapping[str, Any], rows: Sequence[int], batch_size: int, mesh: Mesh
) -> dict[str, Any]:
    """Arrays of a global batch, sharded over the mesh.

    Args:
      batch: Arrays, or trees of them, whose first dimension is that of `rows`.
      rows: Result of `rows_of_process`.
      batch_size: Number of rows of the global batch.
      mesh: Mesh over the devices of all computer processes.
    """
    sharding = batch_sharding(mesh)
    place = {row: n for n, row in enumerate(rows)}

    def on_device(array: np.ndarray) -> jax.Array:
        def part(index: tuple[slice, ...]) -> np.ndarray:
            wanted = range(batch_size)[index[0]]
            # The rows of a device are adjacent, in the batch and among those of the process.
            return array[place[wanted[0]] : place[wanted[-1]] + 1]

        return jax.make_array_from_callback((batch_size, *array.shape[1:]), sharding, part)

    return jax.tree.map(on_device, dict(batch))
