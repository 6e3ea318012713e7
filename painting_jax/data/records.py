"""Random access to the records of a data set, whatever they hold."""

import abc
import functools
from typing import Generic, Protocol, TypeVar

from painting_jax.data import dataset_folder, splits
from painting_jax.data import index as index_lib
from painting_jax.errors import UserError

_AGAIN = "prepare it with --overwrite"


class Named(Protocol):
    """What every record has."""

    @property
    def id(self) -> str: ...

    @property
    def medium(self) -> str: ...

    @property
    def caption(self) -> str: ...


Record_co = TypeVar("Record_co", bound=Named, covariant=True)


class Records(abc.ABC, Generic[Record_co]):
    """The records of one split, as a data source for Grain."""

    def __init__(self, declared: dataset_folder.Declared, split: str):
        """Opens a split.

        Args:
          declared: What the data set says of itself.
          split: "train", "validation" or "test".

        Raises:
          UserError: If there is no such split, or if it is damaged.
        """
        if split not in splits.SPLITS:
            raise UserError(f"unknown split {split!r}: known are {', '.join(splits.SPLITS)}")
        self.path = declared.path
        if split not in declared.shards:
            raise UserError(
                f"{self.path} has no {split} split: prepare it from three different sources or more"
            )
        try:
            self._examples = declared.examples(split)
            self._length = len(self._examples)
        except (RuntimeError, ValueError, OSError) as error:
            raise UserError(f"{self.path}: the {split} split is damaged: {error}") from None
        if self._length != sum(declared.shards[split]):
            raise UserError(f"{self.path}: the {split} split is cut short: {_AGAIN}")
        self._media = declared.media
        self.split = split

    @abc.abstractmethod
    def _parsed(self, serialized: bytes) -> Record_co:
        """A record as it is stored; any error of `record` if it is damaged."""

    @abc.abstractmethod
    def _row(self, record) -> index_lib.Row:
        """A record without its pictures."""

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record_co:
        return self.record(index)

    def record(self, index: int) -> Record_co:
        """The process in row `index` of the split.

        Raises:
          UserError: If the record is damaged.
        """
        try:
            return self._parsed(self._examples[int(index)])
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{self.path}: process {index} of {self.split} is damaged ({error}): {_AGAIN}"
            ) from None

    @functools.cached_property
    def rows(self) -> tuple[index_lib.Row, ...]:
        """All processes without their pictures, in row order.

        They are in the index of the data set. Without one, all records are read.

        Raises:
          UserError: If the index does not fit the data set, or if it or a record is damaged.
        """
        rows = index_lib.read(self.path, self.split)
        if rows is None:
            return tuple(self._row(self.record(index)) for index in range(len(self)))
        if len(rows) != len(self):
            raise self.wrong_index()
        return rows

    def wrong_index(self) -> UserError:
        """The error for an index that differs from the records."""
        return UserError(
            f"{self.path / index_lib.FILE} does not fit the records: remove it to read them instead"
        )

    def captions(self) -> list[str]:
        """All captions, in row order."""
        return [row.caption for row in self.rows]

    def captions_and_media(self) -> set[tuple[str, str]]:
        """All distinct pairs of a caption and its medium."""
        return {(row.caption, row.medium) for row in self.rows}

    def ids(self) -> list[str]:
        """All process ids, in row order."""
        return [row.id for row in self.rows]
