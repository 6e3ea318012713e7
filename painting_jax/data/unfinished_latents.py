"""A data set of cached latents in the making, in TFDS's layout, that goes on where it was stopped.

It is written shard by shard beside its place, which it takes when it is complete. TFDS itself would
begin anew, and would write every record twice.
"""

import json
import pathlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from etils import epath

from painting_jax import json_text
from painting_jax.data import cached_latents, dataset_folder, disk, index, packed_arrays
from painting_jax.errors import UserError
from painting_jax.files import remove_unfinished, sync, sync_folder, written_beside

VERSION = "1.0.0"
_PLAN = "plan.json"
# Arrays of floating-point numbers hardly compress: decompression would take most of the reading.
_OPTIONS = "group_size:1,uncompressed"
# A resumed run loses a shard at most.
_SHARD_BYTES = 256 << 20


def shard_lengths(count: int, record_bytes: int) -> list[int]:
    """Numbers of records in each shard of a split.

    Args:
      count: Number of records.
      record_bytes: About the bytes of one.
    """
    each = max(1, _SHARD_BYTES // max(1, record_bytes))
    return [min(each, count - first) for first in range(0, count, each)]


class UnfinishedLatents:
    """The folder that such a data set is written to. One process may use it at a time."""

    def __init__(
        self,
        path: pathlib.Path,
        noted: Mapping[str, Any],
        shards: Mapping[str, Sequence[int]],
        *,
        overwrite: bool,
    ):
        """Begins a data set, or goes on with one.

        Args:
          path: Place that it will take.
          noted: Metadata of the data set: what determines its records.
          shards: Number of records in each file, by split.
          overwrite: Whether one that was begun for other records is removed.

        Raises:
          UserError: If some of other records are written and `overwrite` is False.
        """
        self._path, self._noted = path, noted
        self._shards = {split: list(lengths) for split, lengths in shards.items()}
        self.folder = path.with_name(f"incomplete.{path.name}")
        remove_unfinished(self.folder)
        plan = {"noted": noted, "shards": self._shards}
        if (self.folder / _PLAN).exists() and self._begun() != plan:
            if not overwrite and self._has_records():
                raise UserError(
                    f"{self.folder} was begun with other arguments, data or weights, or by another "
                    "version: give another --name, or --overwrite"
                )
            shutil.rmtree(self.folder)
        if not (self.folder / _PLAN).exists():
            # Without a plan, what lies there may be anything.
            shutil.rmtree(self.folder, ignore_errors=True)
            with written_beside(self.folder / _PLAN) as beside:
                beside.write_text(json.dumps(plan))

    def _begun(self) -> Any:
        try:
            return json_text.read(self.folder / _PLAN)
        except (OSError, ValueError):
            return None

    def _has_records(self) -> bool:
        """Whether anything is written that took time."""
        return any(path.is_file() and path.name != _PLAN for path in self.folder.iterdir())

    def _staged(self, split: str, shard: int) -> pathlib.Path:
        return self.folder / f"{split}-{shard:05}"

    def _final(self, split: str, shard: int) -> pathlib.Path:
        count = len(self._shards[split])
        name = f"{dataset_folder.CACHED}-{split}.array_record-{shard:05}-of-{count:05}"
        return self.folder / name

    def pending(self) -> list[tuple[str, int, range]]:
        """Split, number and rows of each shard that is not written yet."""
        left = []
        for split, lengths in self._shards.items():
            ends = np.cumsum(lengths).tolist()
            for shard, (length, end) in enumerate(zip(lengths, ends, strict=True)):
                if not (self._staged(split, shard).exists() or self._final(split, shard).exists()):
                    left.append((split, shard, range(end - length, end)))
        return left

    def write(self, split: str, shard: int, records: Iterable[bytes]) -> None:
        """Writes a shard. If it is interrupted, none of it is there.

        Raises:
          UserError: If the file system refuses it.
        """
        staged = self._staged(split, shard)
        with disk.refusals_told(self._path), written_beside(staged) as beside:
            writer = array_record_module.ArrayRecordWriter(str(beside), _OPTIONS)
            try:
                for record in records:
                    writer.write(record)
            finally:
                writer.close()

    def finish(
        self, empty_prompt_LD: np.ndarray, dtype: str, rows: Mapping[str, Sequence[index.Row]]
    ) -> None:
        """Gives the data set its place, instead of what is there, once all shards are written.

        Args:
          empty_prompt_LD: Embedding of the empty prompt, without padding.
          dtype: A key of `packed_arrays.DTYPES` that it is stored in.
          rows: The index of each split.
        """
        for split, lengths in self._shards.items():
            for shard in range(len(lengths)):
                if self._staged(split, shard).exists():
                    self._staged(split, shard).rename(self._final(split, shard))
        packed = packed_arrays.pack({"empty_prompt": empty_prompt_LD}, dtype)
        (self.folder / cached_latents.EMPTY_PROMPT).write_bytes(packed)
        index.write(epath.Path(self.folder), rows)
        self._describe()
        sync_folder(self.folder)
        if self._path.exists():
            shutil.rmtree(self._path)
        self.folder.rename(self._path)
        sync(self._path.parent)
        (self._path / _PLAN).unlink()

    def _describe(self) -> None:
        """Writes what TFDS must know of the data set."""
        splits = [
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=lengths,
                num_bytes=sum(self._final(split, n).stat().st_size for n in range(len(lengths))),
                filename_template=tfds.core.ShardedFileTemplate(
                    data_dir=epath.Path(self.folder),
                    dataset_name=dataset_folder.CACHED,
                    split=split,
                    filetype_suffix="array_record",
                ),
            )
            for split, lengths in self._shards.items()
        ]
        tfds.folder_dataset.write_metadata(
            data_dir=self.folder,
            features=cached_latents.features(),
            split_infos=splits,
            version=VERSION,
            check_data=False,
            description="Latents and conditions of painting processes, encoded beforehand.",
            metadata=tfds.core.MetadataDict(self._noted),
        )
