"""Checksums of a state's arrays, by which damage to a checkpoint is noticed.

An array is summed in blocks, the parts of it that devices held when it was saved. After a restore
onto another mesh, a block is put together from the parts there. With several processes each sums
and checks the blocks that it holds; a block that the mesh of a restore splits over processes is
not checked.
"""

import concurrent.futures
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

# Start and stop of a block along each axis.
Bounds = tuple[tuple[int, int], ...]

# No trained parameter is that large: float16 ends at 65504.
LARGEST = 1e6


class Damaged(Exception):
    """Raised if arrays are not those that were saved. The message says which."""


def of(tree: Any) -> dict[str, list]:
    """Checksums of all arrays.

    All processes must call it.

    Args:
      tree: Tree of arrays.

    Returns:
      Plain values for `check`: per array, a list of blocks with their bounds and CRC-32.
    """
    blocks = [(name, bounds) for name, leaf in named(tree).items() for bounds in _bounds(leaf)]
    sums = np.zeros(len(blocks), np.uint32)
    held = {name: _held(leaf) for name, leaf in named(tree).items()}

    def add(place: int) -> None:
        name, bounds = blocks[place]
        data = held[name].get(bounds)
        if data is not None:
            # JAX keeps this copy until the array is gone: Orbax uses it, too.
            sums[place] = _crc32(np.asarray(data))

    _in_threads(add, len(blocks))
    result: dict[str, list] = {name: [] for name in held}
    for (name, bounds), crc in zip(blocks, _of_any_process(sums), strict=True):
        result[name].append([list(map(list, bounds)), int(crc)])
    return result


def check(tree: Any, sums: Mapping[str, list]) -> None:
    """Checks that arrays are those that were saved.

    All processes must call it, and all of them raise if one has to.

    Args:
      tree: Tree of restored arrays, which may be a part of the tree that was saved.
      sums: Result of `of` for the saved tree.

    Raises:
      Damaged: If an array differs, or has no checksum.
    """
    leaves = named(tree)
    absent = [name for name, leaf in leaves.items() if not _covers(sums.get(name, ()), leaf)]
    if absent:
        raise Damaged(f"there is no checksum of {_listed(absent)}")
    blocks = [
        (name, tuple(map(tuple, bounds)), crc) for name in leaves for bounds, crc in sums[name]
    ]
    damaged = np.zeros(len(blocks), np.uint32)

    def compare(place: int) -> None:
        name, bounds, crc = blocks[place]
        data = _assembled(leaves[name], bounds)
        damaged[place] = data is not None and _crc32(data) != crc

    _in_threads(compare, len(blocks))
    wrong = {blocks[place][0]: None for place in np.flatnonzero(_of_any_process(damaged))}
    if wrong:
        raise Damaged(f"{_listed(list(wrong))} differs from what was saved")


def check_sane(tree: Any) -> None:
    """Checks that no value is infinite, NaN, or too large for a trained parameter.

    All processes must call it, and all of them raise if one has to.

    Raises:
      Damaged: If a value is.
    """
    leaves = {name: leaf for name, leaf in named(tree).items() if _is_floating(leaf) and leaf.size}
    arrays, largest = list(leaves.values()), np.zeros(len(leaves), np.float32)

    def measure(place: int) -> None:
        for data in _held(arrays[place]).values():
            host = _on_host(data)
            # NaN is the extreme of anything that holds it.
            with np.errstate(invalid="ignore"):
                largest[place] = np.max(np.abs([largest[place], host.min(), host.max()]))

    _in_threads(measure, len(leaves))
    insane = [
        f"{name} reaches {value:.3g}"
        for name, value in zip(leaves, _of_any_process(largest), strict=True)
        if not value <= LARGEST
    ]
    if insane:
        raise Damaged(_listed(insane))


def named(tree: Any) -> dict[str, Any]:
    """Leaves of a tree by their paths."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - 2} more arrays" if len(parts) > 2 else ""
    return ", ".join(parts[:2]) + more


def _is_floating(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _bounds(leaf: jax.Array) -> list[Bounds]:
    """The blocks of an array on all devices, in an order that all processes agree on."""
    indices = leaf.sharding.devices_indices_map(leaf.shape).values()
    return sorted({_within(index, leaf.shape) for index in indices})


def _held(leaf: jax.Array) -> dict[Bounds, jax.Array]:
    """The blocks of an array that this process holds."""
    return {_within(shard.index, leaf.shape): shard.data for shard in leaf.addressable_shards}


def _within(index: tuple[slice, ...], shape: tuple[int, ...]) -> Bounds:
    return tuple(part.indices(size)[:2] for part, size in zip(index, shape, strict=True))


def _covers(blocks: Sequence, leaf: jax.Array) -> bool:
    """Whether recorded blocks lie in an array and are as large as it."""
    if any(len(bounds) != leaf.ndim for bounds, _ in blocks):
        return False
    size = 0
    for bounds, _ in blocks:
        if any(not 0 <= a <= b <= n for (a, b), n in zip(bounds, leaf.shape, strict=True)):
            return False
        size += math.prod(b - a for a, b in bounds)
    return bool(blocks) and size == leaf.size


def _on_host(data: jax.Array) -> np.ndarray:
    """A copy on the host that JAX does not keep: it keeps one with each object that it has made."""
    return np.asarray(jax.make_array_from_single_device_arrays(data.shape, data.sharding, [data]))


def _assembled(leaf: jax.Array, bounds: Bounds) -> np.ndarray | None:
    """A block on the host; None if not all of it is held by this process."""
    held = _held(leaf)
    if bounds in held:
        return _on_host(held[bounds])
    block = np.empty([stop - start for start, stop in bounds], leaf.dtype)
    filled = 0
    for theirs, data in held.items():
        both = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(bounds, theirs, strict=True)]
        if all(start < stop for start, stop in both):
            to, of_data = (
                tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(both, outer, strict=True))
                for outer in (bounds, theirs)
            )
            block[to] = _on_host(data)[of_data]
            filled += math.prod(stop - start for start, stop in both)
    return block if filled == block.size else None


def _crc32(array: np.ndarray) -> int:
    # NumPy's types do not say that arrays are buffers.
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _in_threads(function: Callable[[int], None], count: int) -> None:
    # Both CRC-32 and NumPy's extremes release the interpreter's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(function, range(count)):
            pass


def _of_any_process(values: np.ndarray) -> np.ndarray:
    """The largest value of each place over all processes; a NaN of one is everybody's."""
    if jax.process_count() == 1 or not values.size:
        return values
    return multihost_utils.process_allgather(values).max(axis=0)
