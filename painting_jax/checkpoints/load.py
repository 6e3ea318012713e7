"""Streams published weights from their files to the mesh.

Tensors go one at a time, and large ones in pieces, so that the host holds little more than what a
device is about to take: no model is ever whole on the host.
"""

import functools
import math
import re
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from tqdm import tqdm

from painting_jax.checkpoints.key_matching import Placement, account
from painting_jax.checkpoints.source import Source
from painting_jax.models.tensor_names import NOTHING, Table
from painting_jax.sharding.rules import tree_shardings

_PIECE = 64 << 20  # bytes that are copied at once
_BLOCK = 128  # rows and columns that a processor's cache holds


def load_params(
    make_model: Callable[[], nnx.Module],
    source: Source,
    tables: Sequence[Table],
    *,
    mesh: Mesh,
    dtype=jnp.float32,
    float32: str = NOTHING,
    added: str = NOTHING,
    progress: bool = True,
) -> dict:
    """The parameters of a model, filled from published weights.

    Args:
      make_model: makes the model with parameters of its own; only its shapes are evaluated.
      source: of the weights.
      tables: of the model, such as `wan.RULES`.
      mesh: that `sharding.rules` lay the parameters out on.
      dtype: of the parameters.
      float32: regex of paths that are float32 regardless.
      added: regex of paths that the published model does not have: they get the values that
        `make_model` gives them.
      progress: show a bar.

    Returns:
      A tree as of `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.

    Raises:
      UserError: if the weights are not those of this model, naming all tensors that do not fit.
    """

    def initial() -> dict[str, jax.Array]:
        return flat(nnx.to_pure_dict(nnx.state(make_model(), nnx.Param)))

    shapes = nnx.to_pure_dict(nnx.state(nnx.eval_shape(make_model), nnx.Param))
    structure = jax.tree.structure(shapes)
    shardings = flat(tree_shardings(shapes, mesh))
    targets = {
        path: jax.ShapeDtypeStruct(
            leaf.shape, jnp.float32 if re.search(float32, path) else dtype, sharding=shardings[path]
        )
        for path, leaf in flat(shapes).items()
    }
    placements = account(source, targets, tables, added=added)

    def start() -> dict[str, jax.Array]:
        """Zeros to be filled; of the initialisers only those of what is added are compiled."""
        own = initial() if added != NOTHING else {}
        return {
            path: own[path].astype(target.dtype)
            if re.search(added, path)
            else jnp.zeros(target.shape, target.dtype)
            for path, target in targets.items()
        }

    params = jax.jit(start, out_shardings=shardings)()
    with tqdm(
        total=sum(placement.tensor.nbytes for placement in placements),
        desc="loading weights",
        unit="B",
        unit_scale=True,
        disable=None if progress and jax.process_index() == 0 else True,
    ) as bar:
        for placement in placements:
            path = placement.slot.path
            params[path] = _filled(params[path], placement)
            bar.update(placement.tensor.nbytes)
    return jax.tree.unflatten(structure, [params[path] for path in targets])


def load_model(
    make_model: Callable[[], nnx.Module], source: Source, tables: Sequence[Table]
) -> nnx.Module:
    """A model that one device and the host can hold whole, in float32, from published weights.

    Nothing is compiled, which a network of many small tensors of many shapes would wait for.

    Raises:
      UserError: as of `load_params`.
    """
    graph, state = nnx.split(nnx.eval_shape(make_model))
    shapes = nnx.to_pure_dict(state)
    arrays = {path: np.empty(leaf.shape, np.float32) for path, leaf in flat(shapes).items()}
    for placement in account(source, arrays, tables):
        whole = arrays[placement.slot.path]
        layer = placement.slot.layer
        part = whole if layer is None else whole[layer]
        part[...] = placement.transform.ours(placement.tensor.view())
    loaded = jax.tree.unflatten(jax.tree.structure(shapes), list(map(jnp.asarray, arrays.values())))
    nnx.replace_by_pure_dict(state, loaded)
    return nnx.merge(graph, state)


def flat(tree) -> dict[str, jax.Array]:
    """path -> leaf, in the tree's order, levels separated by "/"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _filled(param: jax.Array, placement: Placement) -> jax.Array:
    """The parameter with one tensor in its place; the old one is donated."""
    ours = placement.transform.ours(placement.tensor.view())
    layer = placement.slot.layer
    if layer is not None:
        ours = ours[None]
    fill = _fill(param.sharding)
    for index in _pieces(ours, param.sharding):
        start = [part.start for part in index]
        if layer is not None:
            start[0] = layer
        piece = _spread(ours[index], param.sharding)
        param = fill(param, piece, tuple(map(np.int32, start)))
        # Unchecked, the host runs ahead of the devices and queues up copies.
        jax.block_until_ready(param)
    return param


@functools.lru_cache
def _fill(sharding: NamedSharding):
    def fill(param, piece, start):
        return jax.lax.dynamic_update_slice(param, piece.astype(param.dtype), start)

    return jax.jit(fill, donate_argnums=0, out_shardings=sharding)


def _spread(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Each device's share of an array, as that alone is read from the file."""
    # Copied, as the CPU's devices would keep the file mapped.
    return jax.make_array_from_callback(array.shape, sharding, lambda index: _copied(array[index]))


def _copied(array: np.ndarray) -> np.ndarray:
    """A contiguous copy, block by block: of a transposed matrix several times faster than whole."""
    copy = np.empty(array.shape, array.dtype)
    if array.ndim < 2 or array.flags.c_contiguous:
        copy[...] = array
        return copy
    rows, columns = array.shape[-2:]
    # The columns of a transposed matrix are the rows of the file: they go in its order.
    for column in range(0, columns, _BLOCK):
        for row in range(0, rows, _BLOCK):
            block = (..., slice(row, row + _BLOCK), slice(column, column + _BLOCK))
            copy[block] = array[block]
    return copy


def _pieces(array: np.ndarray, sharding: NamedSharding) -> Iterator[tuple[slice, ...]]:
    """Cuts an array into pieces of bounded size, along an axis that all devices hold whole."""
    local = sharding.shard_shape(array.shape)
    whole = [axis for axis in range(array.ndim) if local[axis] == array.shape[axis]]
    axis = max(whole, key=lambda axis: array.shape[axis], default=None)
    everything = [slice(0, size) for size in array.shape]
    if axis is None or array.nbytes <= _PIECE:
        yield tuple(everything)
        return
    size = array.shape[axis]
    step = math.ceil(size / math.ceil(array.nbytes / _PIECE))
    for begin in range(0, size, step):
        everything[axis] = slice(begin, min(begin + step, size))
        yield tuple(everything)
