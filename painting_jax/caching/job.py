"""Caches the latents of a prepared data set for an experiment."""

import functools
import pathlib
import shutil
from collections.abc import Callable, Mapping

import jax
import numpy as np
import tqdm
from etils import epath
from ml_collections import ConfigDict

import painting_jax
from painting_jax import config as config_lib
from painting_jax.caching.encoder import Encoder, numbers, unpadded
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.config_checks import check_model, require_published
from painting_jax.data import (
    cached_latents,
    dataset_folder,
    disk,
    packed_arrays,
    pipeline,
    process,
    splits,
)
from painting_jax.data.unfinished_latents import VERSION, UnfinishedLatents, shard_lengths
from painting_jax.errors import UserError
from painting_jax.locking import alone
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks import latents
from painting_jax.tasks.finetune import EMBEDDINGS, Finetune
from painting_jax.tasks.published import check_base
from painting_jax.training import data_checks

# Tokens of a prompt, about, and records that tell how many variants there are.
_TOKENS, _LOOKED_AT = 64, 32


def cache_latents(
    config: ConfigDict,
    *,
    name: str = "default",
    dtype: str = "float32",
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> pathlib.Path:
    """Encodes all processes of an experiment's data set with the networks that it names.

    The result is a data set in cached_latents/NAME/VERSION below the data_dir of the experiment. If
    it is interrupted, the same call goes on with the shard at which it was. It takes all devices.

    Args:
      config: Config of an experiment that finetunes a published model.
      name: Name of the data set.
      dtype: A key of `packed_arrays.DTYPES` that arrays are stored in.
      overwrite: Replace an existing data set of this name.
      say: Called with lines on what is done.

    Returns:
      Folder of the data set.

    Raises:
      UserError: If the experiment names no published weights or does not fit them; if pictures are
        missing, damaged or too small; if another data set of this name exists and `overwrite` is
        False; if another process is writing it; or if there is too little disk space.
    """
    config_lib.check_ranges(config)
    check_model(config)
    require_published(config, "--cache_latents")
    sources = _sources(config)
    pictures = sources["train"].path
    check_base(config)
    task = Finetune(config, Folder.open(config.pretrained.path))
    if not config.data.allow_upscaling:
        data_checks.refuse_small(sources["train"], sources.get("validation"), task.shapes)
    root = pathlib.Path(config.data.data_dir)
    made = latents.origin(config, root, pictures, dtype)
    path = root / dataset_folder.CACHED / name / VERSION
    with alone(path.parent, f"{path} is being written by another prepare: wait for it to end"):
        if path.exists() and not overwrite:
            _check_same(path, made)
            say(f"unchanged, nothing to do: {path}")
            return path
        _cache(task, sources, made, path, overwrite=overwrite, say=say)
    say(f"wrote {path}: {sum(map(len, sources.values()))} processes")
    return path


def _sources(config: ConfigDict) -> dict[str, pipeline.DataSource]:
    path = dataset_folder.find(epath.Path(config.data.data_dir) / config.data.dataset)
    there = dataset_folder.read(path, process.features()).shards
    return {
        split: pipeline.DataSource(path, split)
        for split in splits.SPLITS
        if split in there or split == "train"
    }


def _check_same(path: pathlib.Path, made: latents.Origin) -> None:
    there = latents.read_origin(path)
    differing = there.differences(made)
    if there.dtype != made.dtype:
        differing.append(f"--latents_dtype was {there.dtype}, is {made.dtype}")
    if differing:
        raise UserError(
            f"{path} holds other latents ({'; '.join(differing[:4])}): give another --name, or "
            "--overwrite"
        )


def _cache(
    task: Finetune,
    sources: Mapping[str, pipeline.DataSource],
    made: latents.Origin,
    path: pathlib.Path,
    *,
    overwrite: bool,
    say: Callable[[str], object],
) -> None:
    mesh = make_mesh({"data": -1})
    frozen = task.load_encoders(mesh)
    bytes_of = {
        split: _record_bytes(task, frozen, source, made.dtype) for split, source in sources.items()
    }
    shards = {
        split: shard_lengths(len(source), max(bytes_of[split])) for split, source in sources.items()
    }
    noted = made.metadata() | {"version": painting_jax.__version__}
    unfinished = UnfinishedLatents(path, noted, shards, overwrite=overwrite)
    pending = unfinished.pending()
    needed = sum(bytes_of[split][row] for split, _, rows in pending for row in rows)
    remedy = "free some" + ", or --latents_dtype=bfloat16" * (made.dtype == "float32")
    say(disk.use(needed, path, spare=1.0, remedy=remedy))
    total, left = sum(map(len, sources.values())), sum(len(rows) for _, _, rows in pending)
    if left < total:
        say(f"goes on: {total - left} of {total} processes are encoded")
    text_conditioner = task.text_conditioner(unfinished.folder, list(sources.values()), mesh)
    encoder = Encoder(task.model, frozen, task.examples(text_conditioner), mesh)
    with (
        jax.set_mesh(mesh),
        tqdm.tqdm(total=total, initial=total - left, unit="process", disable=None) as progress,
    ):
        for split, shard, rows in pending:
            records = {}
            for row, encoded in encoder.encode(sources[split], rows):
                records[row] = cached_latents.serialize(encoded, made.dtype)
                progress.update()
            unfinished.write(split, shard, [records[row] for row in rows])
    shutil.rmtree(unfinished.folder / EMBEDDINGS, ignore_errors=True)
    empty_prompt_LD = unpadded(text_conditioner.embedding(""))
    index = {split: source.rows for split, source in sources.items()}
    unfinished.finish(empty_prompt_LD, made.dtype, index)


def _record_bytes(
    task: Finetune, frozen: Mapping, source: pipeline.DataSource, dtype: str
) -> list[int]:
    """About how many bytes each record of a split will have."""
    text_dim = task.config.model.text_dim
    looked_at = np.linspace(0, len(source) - 1, min(len(source), _LOOKED_AT)).round().astype(int)
    variants = np.mean([len(source.record(row).variants) for row in looked_at])

    @functools.cache
    def of_shape(shape_HW: tuple[int, int]) -> int:
        clip, further = numbers(task.model, frozen, task.frames, shape_HW, text_dim)
        stored = clip + variants * further + 2 * _TOKENS * text_dim
        return int(packed_arrays.DTYPES[dtype].itemsize * stored)

    return [of_shape(task.shapes.of((row.height, row.width))) for row in source.rows]
