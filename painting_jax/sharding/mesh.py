"""The device mesh."""

import math
from collections.abc import Mapping

import jax
from jax.sharding import AxisType, Mesh

from painting_jax.errors import UserError

AXES = ("data", "fsdp", "tensor", "sequence")


def make_mesh(sizes: Mapping[str, int], devices: list | None = None) -> Mesh:
    """Makes a mesh with the axes in `AXES`.

    Args:
      sizes: Number of devices along each axis, by default 1. One axis may be -1: it gets all
        remaining devices.
      devices: Devices of the mesh; None = all devices of all processes.

    Raises:
      UserError: If a size is invalid, or the product of the sizes is not the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    shape = [sizes.get(axis, 1) for axis in AXES]
    if any(size < 1 and size != -1 for size in shape) or shape.count(-1) > 1:
        raise UserError(f"mesh sizes {dict(sizes)}: each must be positive, one of them may be -1")
    known = math.prod(size for size in shape if size != -1)
    shape = [max(1, len(devices) // known) if size == -1 else size for size in shape]
    if math.prod(shape) != len(devices):
        raise UserError(
            f"mesh {dict(zip(AXES, shape, strict=True))} needs {math.prod(shape)} devices, "
            f"there are {len(devices)}: set one axis to -1 or change the sizes"
        )
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices)
