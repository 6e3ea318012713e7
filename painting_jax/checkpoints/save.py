"""Our parameters as safetensors files under published names, as diffusers writes a component."""

import functools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from etils import epath
from jax.sharding import NamedSharding, PartitionSpec

from painting_jax import remote_paths
from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.load import flat
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside
from painting_jax.models.tensor_names import Spelling, Table, spellings

METADATA = {"format": "pt"}  # names the layout; other libraries refuse files without it
# File by which a component's folder is known to be whole.
CONFIG = "config.json"
SHARD_BYTES = 5 * 10**9  # largest size of a file, as in diffusers


def save_folder(
    params: dict,
    folder: str | os.PathLike,
    table: Table,
    config: dict,
    *,
    dtype=None,
    stem: str = "diffusion_pytorch_model",
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a component folder that diffusers' `from_pretrained` loads.

    All processes must call it; the first one writes.

    Args:
      params: a tree as returned by `load.load_params`.
      folder: folder to create, written beside and renamed.
      table: names to write.
      config: content of config.json.
      dtype: dtype of the tensors; None = that of each parameter.
      stem: stem of the files' names; "model" for models of transformers.
      shard_bytes: largest size of a file, unless one tensor is larger.

    Raises:
      UserError: if the folder exists and is not empty or cannot be written, or a parameter has no
        name in the table.
    """
    tensors = _renamed(params, table, dtype)
    if jax.process_index() != 0:
        check_new(folder)
        for names in _shards(tensors, stem, shard_bytes).values():
            for name in names:
                # Gathering is collective: all processes gather in the order of the writer.
                tensors[name].array()
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
    shards = _shards(tensors, stem, shard_bytes)
    try:
        with folder_written_beside(folder, last=CONFIG) as unfinished:
            for file, names in shards.items():
                shard = {name: tensors[name] for name in names}
                safetensors_file.write(unfinished / file, shard, METADATA)
            write_json(unfinished / CONFIG, config)
            if len(shards) > 1:
                index = {
                    "metadata": {"total_size": sum(pending.nbytes for pending in tensors.values())},
                    "weight_map": {name: file for file, names in shards.items() for name in names},
                }
                write_json(unfinished / f"{stem}.safetensors.index.json", index)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error


def check_new(folder: str | os.PathLike) -> None:
    """Refuses to write to a folder that holds something.

    Raises:
      UserError: if the path is a file or a folder that is not empty.
    """
    folder = epath.Path(folder)
    # One that is not whole in a bucket is written anew.
    if remote_paths.in_bucket(folder):
        taken = (folder / CONFIG).exists()
    else:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise UserError(f"{folder} exists and is not empty: name a new folder")


def write_json(path: pathlib.Path, content: Mapping) -> None:
    """Writes an object as diffusers writes its configs."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def _shards(tensors: dict[str, PendingTensor], stem: str, limit: int) -> dict[str, list[str]]:
    """The names of the files, and the names of the tensors in each."""
    # Slow to import, and not needed to read weights.
    from huggingface_hub import split_state_dict_into_shards_factory  # noqa: PLC0415

    return split_state_dict_into_shards_factory(
        tensors,
        get_storage_size=lambda pending: pending.nbytes,
        filename_pattern=stem + "{suffix}.safetensors",
        max_shard_size=limit,
    ).filename_to_tensors


def _renamed(params: dict, table: Table, dtype) -> dict[str, PendingTensor]:
    """The tensors by published name, sorted by name."""
    spelled = spellings(table)
    ours = flat(params)
    unknown = sorted(ours.keys() - spelled.keys())
    if unknown:
        raise UserError(
            f"the published layout has no place for {len(unknown)} parameters of this model, "
            f"{', '.join(unknown[:8])}: export another model"
        )
    result = {}
    for path, array in ours.items():
        result |= dict(_tensors(array, spelled[path], dtype))
    return dict(sorted(result.items()))


def _tensors(array: jax.Array, spelling: Spelling, dtype) -> Iterator[tuple[str, PendingTensor]]:
    """A parameter as one tensor, or as one tensor per layer of a stack."""
    dtype = np.dtype(array.dtype if dtype is None else dtype)
    layers = range(array.shape[0]) if "{layer}" in spelling.name else [None]
    for layer in layers:
        shape = array.shape if layer is None else array.shape[1:]
        fetch = functools.partial(_fetched, array, layer, spelling)
        yield spelling.of(layer), PendingTensor(dtype, spelling.transform.their_shape(shape), fetch)


def _fetched(array: jax.Array, layer: int | None, spelling: Spelling) -> np.ndarray:
    """One tensor on the host, in the published layout."""
    if layer is not None:
        array = _select_layer(array.sharding)(array, np.int32(layer))
    elif not array.is_fully_replicated:
        array = _gather(array.sharding)(array)
    return spelling.transform.theirs(np.asarray(array))


def _replicated(sharding: jax.sharding.Sharding) -> jax.sharding.Sharding:
    """The layout that every process can read in full."""
    if isinstance(sharding, NamedSharding):
        return NamedSharding(sharding.mesh, PartitionSpec())
    return sharding


@functools.lru_cache
def _select_layer(sharding: jax.sharding.Sharding):
    return jax.jit(
        lambda x, layer: jax.lax.dynamic_index_in_dim(x, layer, keepdims=False),
        out_shardings=_replicated(sharding),
    )


@functools.lru_cache
def _gather(sharding: jax.sharding.Sharding):
    return jax.jit(lambda x: x, out_shardings=_replicated(sharding))
