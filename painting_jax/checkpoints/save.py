"""Our parameters back to safetensors in published names, as diffusers writes a component."""

import functools
import json
import os
import pathlib
import re
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.load import flat
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside
from painting_jax.models.tensor_names import NOTHING, Spelling, Table, spellings

METADATA = {"format": "pt"}  # the layout; other libraries refuse files that do not say it
SHARD_BYTES = 5 * 10**9  # of a file at most, as diffusers has it


def save_folder(
    params: dict,
    folder: str | os.PathLike,
    table: Table,
    config: dict,
    *,
    dtype=None,
    leave_out: str = NOTHING,
    stem: str = "diffusion_pytorch_model",
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a component folder that diffusers' `from_pretrained` loads.

    All processes must call it; the first one writes.

    Args:
      params: as of `load.load_params`.
      folder: to be made; it appears whole or not at all.
      table: of the names to write.
      config: the content of config.json.
      dtype: of the tensors; None = as they are.
      leave_out: regex of paths that the published model has no place for.
      stem: of the files' names: transformers' models are called "model".
      shard_bytes: files are at most so large, unless one tensor is larger.

    Raises:
      UserError: if the folder is there already or cannot be written, or if a parameter has no name
        in the table.
    """
    tensors = _renamed(params, table, dtype, leave_out)
    if jax.process_index() != 0:
        check_new(folder)
        _take_part(tensors)
        return
    write_folder(tensors, folder, config, stem=stem, shard_bytes=shard_bytes)


def write_folder(
    tensors: dict[str, PendingTensor],
    folder: str | os.PathLike,
    config: dict,
    *,
    stem: str,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes tensors under published names; arguments and errors as of `save_folder`."""
    check_new(folder)
    shards = _sharded(tensors, shard_bytes)
    names = [
        f"{stem}.safetensors"
        if len(shards) == 1
        else f"{stem}-{i:05}-of-{len(shards):05}.safetensors"
        for i in range(1, len(shards) + 1)
    ]
    try:
        with folder_written_beside(folder) as unfinished:
            for name, shard in zip(names, shards, strict=True):
                safetensors_file.write(unfinished / name, shard, METADATA)
            write_json(unfinished / "config.json", config)
            if len(shards) > 1:
                index = {
                    "metadata": {"total_size": sum(pending.nbytes for pending in tensors.values())},
                    "weight_map": {
                        key: name
                        for name, shard in zip(names, shards, strict=True)
                        for key in shard
                    },
                }
                write_json(unfinished / f"{stem}.safetensors.index.json", index)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error


def check_new(folder: str | os.PathLike) -> None:
    """Refuses a folder to write that holds something.

    Raises:
      UserError: if it is there and not empty, or is a file.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty: name a new folder")


def save_file(
    params: dict,
    path: str | os.PathLike,
    table: Table,
    *,
    dtype=None,
    leave_out: str = NOTHING,
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes everything to a single file, as ComfyUI takes it; arguments as of `save_folder`."""
    tensors = _renamed(params, table, dtype, leave_out)
    if jax.process_index() != 0:
        _take_part(tensors)
        return
    safetensors_file.write_file(path, tensors, METADATA | (metadata or {}))


def _renamed(params: dict, table: Table, dtype, leave_out: str) -> dict[str, PendingTensor]:
    """Their name -> how to get the tensor, sorted by name."""
    spelled = spellings(table)
    ours = {path: x for path, x in flat(params).items() if not re.search(leave_out, path)}
    unknown = sorted(ours.keys() - spelled.keys())
    if unknown:
        raise UserError(
            f"the published layout has no place for {len(unknown)} parameters of this model, "
            f"{', '.join(unknown[:8])}: leave them out, or export another model"
        )
    result = {}
    for path, array in ours.items():
        for name, pending in _tensors(array, spelled[path], dtype):
            result[name] = pending
    return dict(sorted(result.items()))


def _tensors(array: jax.Array, spelling: Spelling, dtype) -> Iterator[tuple[str, PendingTensor]]:
    dtype = np.dtype(array.dtype if dtype is None else dtype)
    layers = range(array.shape[0]) if "{layer}" in spelling.name else [None]
    for layer in layers:
        shape = array.shape if layer is None else array.shape[1:]
        fetch = functools.partial(_fetched, array, layer, spelling)
        theirs = spelling.transform.their_shape(shape)
        yield spelling.of(layer), PendingTensor(dtype, theirs, fetch)


def _fetched(array: jax.Array, layer: int | None, spelling: Spelling) -> np.ndarray:
    """One tensor on the host, in their layout."""
    if layer is not None:
        array = _layer_of(array.sharding)(array, np.int32(layer))
    elif not array.is_fully_replicated:
        array = _whole(array.sharding)(array)
    return spelling.transform.theirs(np.asarray(array))


def _everywhere(sharding: jax.sharding.Sharding) -> jax.sharding.Sharding:
    """Every device gets all: the only layout whose values any process can read."""
    if isinstance(sharding, NamedSharding):
        return NamedSharding(sharding.mesh, PartitionSpec())
    return sharding


@functools.lru_cache
def _layer_of(sharding: jax.sharding.Sharding):
    return jax.jit(
        lambda x, layer: jax.lax.dynamic_index_in_dim(x, layer, keepdims=False),
        out_shardings=_everywhere(sharding),
    )


@functools.lru_cache
def _whole(sharding: jax.sharding.Sharding):
    return jax.jit(lambda x: x, out_shardings=_everywhere(sharding))


def _take_part(tensors: dict[str, PendingTensor]) -> None:
    """Gathers what the writing process gathers, in its order, as all processes must."""
    for pending in tensors.values():
        pending.array()


def _sharded(tensors: dict[str, PendingTensor], limit: int) -> list[dict[str, PendingTensor]]:
    shards, size = [{}], 0
    for name, pending in tensors.items():
        if shards[-1] and size + pending.nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][name] = pending
        size += pending.nbytes
    return shards


def write_json(path: pathlib.Path, content: dict) -> None:
    """Writes an object as diffusers writes its configs."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
