"""What a `prepare` that did not end leaves for the next one: records, and the list of failures."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable

from etils import epath

from painting_jax.data import kept_records, skipping


@dataclasses.dataclass(frozen=True)
class Left:
    """What is left beside a data set until it is complete.

    Attributes:
      folder: Folder beside the data set.
      records: Folder of kept records, as a rule below it.
    """

    folder: pathlib.Path
    records: epath.Path

    @classmethod
    def of(
        cls, path: pathlib.Path, kept_dir: epath.PathLike | None, place: pathlib.PurePath
    ) -> "Left":
        """What is left of a data set.

        Args:
          path: Folder of the data set.
          kept_dir: Folder of the records of all data sets; None for the one beside this data set.
          place: Place of the data set below that.
        """
        folder = path.parent / f"{path.name}.unfinished"
        records = folder / "records" if kept_dir is None else epath.Path(kept_dir) / place
        return cls(folder, epath.Path(records))

    def list_skipped(self, sources: Iterable[skipping.Skipped]) -> pathlib.Path:
        """Lists sources as they come, in the place of an earlier list; returns its path."""
        listed = self.folder / skipping.FILE
        listed.unlink(missing_ok=True)
        for source in sources:
            self.folder.mkdir(parents=True, exist_ok=True)
            skipping.append(self.folder, source)
        return listed

    def remove(self) -> None:
        """Removes it, once the data set is complete."""
        # The data set is there: what cannot be removed spoils nothing.
        with contextlib.suppress(OSError):
            if self.records.exists():
                kept_records.only(self.records, ())
                self.records.rmdir()
            (self.folder / skipping.FILE).unlink(missing_ok=True)
            self.folder.rmdir()
