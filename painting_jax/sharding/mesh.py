"""The device mesh."""

import math
from collections.abc import Mapping, Sequence

import jax
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh

from painting_jax.errors import UserError

# Names of the axes and what their devices do; each has a field `mesh.NAME` in the config.
AXES = {
    "data": "Devices along the batch; -1 = all that are left.",
    "fsdp": "Devices that share the parameters and split the batch.",
    "tensor": "Devices that split the matrices.",
    "sequence": "Devices that split the tokens of a video, and share the parameters.",
}

# Axes that may cross the network between slices, which is much slower than the links within one.
_BETWEEN_SLICES = ("data", "fsdp")


def make_mesh(sizes: Mapping[str, int], devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh with the axes in `AXES`.

    On TPUs, an axis may be laid over parts of the links' dimensions, so that every factorisation of
    a slice is a mesh. With several slices, the axes data and fsdp are laid over them.

    Args:
      sizes: Number of devices along each axis, by default 1. One axis may be -1: it gets all
        remaining devices.
      devices: Devices of the mesh; None = all devices of all processes.

    Raises:
      UserError: If a size is invalid, the product of the sizes is not the number of devices, or the
        axes data and fsdp do not divide into the slices.
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
    between = _between_slices(shape, len({_slice_of(device) for device in devices}))
    if math.prod(between) == 1:
        arranged = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    else:
        within = [size // slices for size, slices in zip(shape, between, strict=True)]
        arranged = mesh_utils.create_hybrid_device_mesh(
            within, between, devices, allow_split_physical_axes=True
        )
    return Mesh(arranged, tuple(AXES), axis_types=(AxisType.Auto,) * len(AXES))


def _slice_of(device: jax.Device) -> int:
    return getattr(device, "slice_index", 0)


def _between_slices(shape: Sequence[int], slices: int) -> list[int]:
    """How many slices each axis is laid over.

    Raises:
      UserError: If the axes that may be cannot take all slices.
    """
    left, between = slices, []
    for axis, size in zip(AXES, shape, strict=True):
        taken = math.gcd(size, left) if axis in _BETWEEN_SLICES else 1
        between.append(taken)
        left //= taken
    if left > 1:
        raise UserError(
            f"mesh {dict(zip(AXES, shape, strict=True))} on {slices} slices: "
            f"{' x '.join(_BETWEEN_SLICES)} must be a multiple of {slices}"
        )
    return between
