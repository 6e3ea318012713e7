"""Streams published weights from their files to the mesh.

Tensors are copied one at a time, and large ones in chunks. The host holds little more than what a
device is about to receive, and never a whole model.
"""

import functools
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import qwix
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from tqdm import tqdm

from painting_jax.checkpoints.key_matching import Match, match_tensors
from painting_jax.checkpoints.quantized import ScaledTensor
from painting_jax.checkpoints.source import Source
from painting_jax.models import quantised_kernel
from painting_jax.models.tensor_names import NOTHING, Table
from painting_jax.sharding.rules import tree_shardings

_CHUNK = 64 << 20  # bytes that are copied at once
_BLOCK = 128  # rows and columns that fit a processor's cache


def load_params(
    model: nnx.Module,
    source: Source,
    tables: Sequence[Table],
    *,
    mesh: Mesh,
    dtype=jnp.float32,
    float32: str = NOTHING,
    parts: Collection[str] | None = None,
    quantised: Collection[str] = (),
    progress: bool = True,
) -> dict:
    """The parameters of a model, filled from published weights.

    Args:
      model: the model with shapes in the place of arrays.
      source: the weights.
      tables: the model's tables of names, such as `wan.RULES`.
      mesh: mesh that `sharding.rules` lay the parameters out on.
      dtype: dtype of the parameters.
      float32: regex of paths that are float32 whatever `dtype` is.
      parts: names of the model's outermost parts to load; None = all. All weights are checked.
      quantised: paths of linear layers whose kernels are kept in int8 (`quantised_kernel`).
      progress: whether to show a progress bar.

    Returns:
      A tree like `nnx.to_pure_dict(nnx.state(model, nnx.Param))`.

    Raises:
      UserError: if the weights are not those of this model; it names all tensors that do not fit.
    """
    shapes = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    shardings = flat(tree_shardings(shapes, mesh))
    targets = {
        path: jax.ShapeDtypeStruct(
            leaf.shape, jnp.float32 if re.search(float32, path) else dtype, sharding=shardings[path]
        )
        for path, leaf in flat(shapes).items()
    }
    matches = match_tensors(source, targets, tables)
    if parts is not None:
        shapes = {name: part for name, part in shapes.items() if name in parts}
        targets = {path: targets[path] for path in flat(shapes)}
        matches = [match for match in matches if match.slot.path in targets]

    kernels = {f"{path}/kernel" for path in quantised}
    empty = {
        path: jax.eval_shape(quantised_kernel.quantised, leaf) if path in kernels else leaf
        for path, leaf in targets.items()
    }

    def zeros() -> dict[str, jax.Array | qwix.QArray]:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), empty)

    params = jax.jit(zeros, out_shardings=tree_shardings(empty, mesh))()
    with tqdm(
        total=sum(match.tensor.nbytes for match in matches),
        desc="loading weights",
        unit="B",
        unit_scale=True,
        disable=None if progress and jax.process_index() == 0 else True,
    ) as bar:
        for match in matches:
            path = match.slot.path
            fill = _filled_quantised if path in kernels else _filled
            params[path] = fill(params[path], match)
            bar.update(match.tensor.nbytes)
    return jax.tree.unflatten(jax.tree.structure(shapes), [params[path] for path in targets])


def load_model(
    make_model: Callable[[], nnx.Module], source: Source, tables: Sequence[Table]
) -> nnx.Module:
    """A float32 model from published weights, for models that fit one device and the host.

    Nothing is compiled. Compilation would dominate for a network of many small tensors of many
    shapes.

    Raises:
      UserError: as of `load_params`.
    """
    graph, state = nnx.split(nnx.eval_shape(make_model))
    shapes = nnx.to_pure_dict(state)
    arrays = {path: np.empty(leaf.shape, np.float32) for path, leaf in flat(shapes).items()}
    for tensor, (path, layer), transform in match_tensors(source, arrays, tables):
        target = arrays[path] if layer is None else arrays[path][layer]
        target[...] = transform.ours(tensor.view())
    loaded = jax.tree.unflatten(jax.tree.structure(shapes), list(map(jnp.asarray, arrays.values())))
    nnx.replace_by_pure_dict(state, loaded)
    return nnx.merge(graph, state)


def flat(tree) -> dict[str, jax.Array]:
    """path -> leaf, in the tree's order, levels separated by "/"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _filled(param: jax.Array, match: Match) -> jax.Array:
    """The parameter with one tensor filled in; the old parameter is donated."""
    tensor, layer = match.tensor, match.slot.layer

    def ours(theirs: np.ndarray) -> np.ndarray:
        array = match.transform.ours(theirs)
        return array if layer is None else array[None]

    scale = None
    if isinstance(tensor, ScaledTensor):
        scale = ours(tensor.scale_view())
        tensor = tensor.stored
    array = ours(tensor.view())
    update = _update(param.sharding)
    for index in _chunks(array, param.sharding):
        start = [part.start for part in index]
        if layer is not None:
            start[0] = layer
        chunk = _sharded(array[index], param.sharding)
        factor = None if scale is None else _compact(scale[index])
        if factor is not None and factor.shape == chunk.shape:
            factor = _sharded(factor, param.sharding)
        param = update(param, chunk, factor, tuple(map(np.int32, start)))
        # Without this the host runs ahead of the devices and queues up copies.
        jax.block_until_ready(param)
    return param


def _filled_quantised(kernels: qwix.QArray, match: Match) -> qwix.QArray:
    """The same for quantised kernels. One layer at a time is held in float32."""
    layer = match.slot.layer
    shape = kernels.shape if layer is None else (1, *kernels.shape[1:])
    kernel = jnp.zeros(shape, jnp.float32, device=kernels.qvalue.sharding)
    slot = match.slot if layer is None else match.slot._replace(layer=0)
    kernel = _filled(kernel, match._replace(slot=slot))
    put = _put(jax.tree.map(lambda array: array.sharding, kernels))
    return jax.block_until_ready(put(kernels, kernel, np.int32(layer or 0)))


@functools.lru_cache
def _put(shardings: qwix.QArray):
    def put(kernels, kernel, layer):
        def update(old, new):
            return jax.lax.dynamic_update_slice_in_dim(old, new, layer, axis=0)

        return jax.tree.map(update, kernels, quantised_kernel.quantised(kernel))

    return jax.jit(put, donate_argnums=0, out_shardings=shardings)


@functools.lru_cache
def _update(sharding: NamedSharding):
    def update(param, chunk, factor, start):
        # On the device, so that numbers of one byte travel to it as such.
        if factor is not None:
            chunk = chunk.astype(jnp.float32) * factor
        return jax.lax.dynamic_update_slice(param, chunk.astype(param.dtype), start)

    return jax.jit(update, donate_argnums=0, out_shardings=sharding)


def _compact(array: np.ndarray) -> np.ndarray:
    """The array with axes of size 1 where all its values along them are one value in memory."""
    return array[tuple(slice(0, 1 if stride == 0 else None) for stride in array.strides)]


def _sharded(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """The array on its devices; each device's shard is read from the file alone."""
    # Copied, as CPU devices would keep the file mapped.
    return jax.make_array_from_callback(array.shape, sharding, lambda index: _copied(array[index]))


def _copied(array: np.ndarray) -> np.ndarray:
    """A contiguous copy, made in blocks: several times faster for a transposed matrix."""
    copy = np.empty(array.shape, array.dtype)
    if array.ndim < 2 or array.flags.c_contiguous:
        copy[...] = array
        return copy
    rows, columns = array.shape[-2:]
    # The columns of a transposed matrix are the rows of the file: blocks follow the file's order.
    for column in range(0, columns, _BLOCK):
        for row in range(0, rows, _BLOCK):
            block = (..., slice(row, row + _BLOCK), slice(column, column + _BLOCK))
            copy[block] = array[block]
    return copy


def _chunks(array: np.ndarray, sharding: NamedSharding) -> Iterator[tuple[slice, ...]]:
    """Slices of bounded size, along the longest axis that no device shards."""
    local = sharding.shard_shape(array.shape)
    unsharded = [axis for axis in range(array.ndim) if local[axis] == array.shape[axis]]
    axis = max(unsharded, key=lambda axis: array.shape[axis], default=None)
    index = [slice(0, size) for size in array.shape]
    if axis is None or array.nbytes <= _CHUNK:
        yield tuple(index)
        return
    size = array.shape[axis]
    step = math.ceil(size / math.ceil(array.nbytes / _CHUNK))
    for begin in range(0, size, step):
        index[axis] = slice(begin, min(begin + step, size))
        yield tuple(index)
