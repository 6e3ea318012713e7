"""Sharding rules: from logical axes to mesh axes, for parameters and activations.

What must divide is checked before a training (`config_checks`). What does not divide here is small,
or of a video that is only shown, and is replicated.
"""

import math
import re
from collections.abc import Sequence

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from painting_jax.sharding.mesh import AXES

# Mesh axes that each logical axis is laid over. The devices of a sequence group have parameters of
# the same layers to hold, so each holds a part of them.
LOGICAL: dict[str, tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "tokens": ("sequence",),
    "storage": ("fsdp", "sequence"),
    "heads": ("tensor",),
}

# A quantised kernel is laid out as it would be without, and its scale [..., 1, O] along O alike.
_KERNEL = r"/kernel(/qvalue|/scale)?$"

# The first pattern that matches a parameter's path decides. Specs are aligned to the *last*
# dimensions, so that a scanned stack of layers (with one more leading dimension) needs no rule of
# its own.
PARAMETERS: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    (
        r"(to_q|to_k|to_v|_k_proj|_v_proj|proj_in|proj_gate|linear_1|time_proj)" + _KERNEL,
        ("storage", "heads"),
    ),
    (r"(to_out|proj_out|linear_2)" + _KERNEL, ("heads", "storage")),
    (r"(patch_embedding|segment_embedding)" + _KERNEL, (None, "storage")),
    (r"(medium_table|token_table)", (None, "storage")),
    (r"lora_a$", ("storage", None)),
    (r"lora_b$", (None, "storage")),
)

ACTIVATIONS: dict[str, tuple[str | None, ...]] = {
    "batch": ("batch",),
    "tokens": ("batch", "tokens"),
    "heads": ("batch", "tokens", "heads", None),
    # Columns of pixels or latents in an autoencoder: convolutions meet their neighbours' edges.
    "video": ("batch", None, None, "tokens", None),
}


def constrain(x: jax.Array, kind: str) -> jax.Array:
    """Shards an activation over the current mesh (`jax.set_mesh`); does nothing without a mesh."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return x
    return jax.lax.with_sharding_constraint(x, fitting_spec(kind, x.shape, mesh))


def gathered(tree):
    """Small arrays, whole on every device of the current mesh (`jax.set_mesh`).

    Gathered once before a loop. In a loop, each array would be an exchange of its own each time.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return tree
    return jax.lax.with_sharding_constraint(tree, PartitionSpec())


def fitting_spec(kind: str, shape: tuple[int, ...], mesh) -> PartitionSpec:
    """How an activation of a shape lies on a mesh; axes that do not divide it are left out."""
    return _fitting(_spec(ACTIVATIONS[kind]), shape, mesh)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Sharding of arrays whose first dimension is the batch."""
    return NamedSharding(mesh, _spec(ACTIVATIONS["batch"]))


def replicated(mesh: Mesh) -> NamedSharding:
    """Sharding of arrays that every device holds in full."""
    return NamedSharding(mesh, PartitionSpec())


def tree_shardings(tree, mesh: Mesh):
    """Shardings of a tree of parameters, or of optimizer state, by the paths of its leaves."""

    def sharding(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        for pattern, axes in PARAMETERS:
            if re.search(pattern, name) and leaf.ndim >= len(axes):
                spec = _spec((*[None] * (leaf.ndim - len(axes)), *axes))
                return NamedSharding(mesh, _fitting(spec, leaf.shape, mesh))
        return replicated(mesh)

    return jax.tree_util.tree_map_with_path(sharding, tree)


def _spec(logical: Sequence[str | None]) -> PartitionSpec:
    """The mesh axes of an array's logical axes.

    Raises:
      ValueError: If the tables do not fit together: a logical axis that `LOGICAL` does not list, a
        mesh axis that does not exist, or one that two dimensions of an array would be laid over.
    """
    laid: list[tuple[str, ...] | None] = []
    for name in logical:
        if name is not None and name not in LOGICAL:
            raise ValueError(f"no logical axis {name!r}: known are {', '.join(LOGICAL)}")
        laid.append(None if name is None else LOGICAL[name])
    used = [axis for axes in laid for axis in axes or ()]
    for axis in used:
        if axis not in AXES:
            raise ValueError(f"no mesh axis {axis!r}: known are {', '.join(AXES)}")
        if used.count(axis) > 1:
            both = [name for name in logical if name is not None and axis in LOGICAL[name]]
            raise ValueError(
                f"mesh axis {axis!r} is used twice, for the logical axes {' and '.join(both)} of "
                "one array"
            )
    return PartitionSpec(*laid)


def _fitting(spec: PartitionSpec, shape: tuple[int, ...], mesh) -> PartitionSpec:
    """Drops axes that do not divide their dimension, so that small arrays are replicated."""
    entries = []
    for size, axes in zip(shape, spec, strict=False):
        names = (axes,) if isinstance(axes, str) else axes or ()
        entries.append(axes if size % math.prod(mesh.shape[name] for name in names) == 0 else None)
    return PartitionSpec(*entries)
