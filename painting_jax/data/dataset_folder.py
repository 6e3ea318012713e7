"""The folder of a data set in TFDS's layout, read as data.

TFDS itself would import the modules that such a folder names. It may come from anywhere, so nothing
in it is taken for a name of code: what it declares must be the record that its reader knows.
"""

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

import tensorflow_datasets as tfds
from array_record.python import array_record_data_source
from etils import epath
from google.protobuf import json_format

from painting_jax.errors import UserError

_INFO, _FEATURES, _METADATA = "dataset_info.json", "features.json", "metadata.json"
_LABELS = "medium.labels.txt"
_LARGEST = 64 << 20  # bytes of a description
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
_FORMAT = "array_record"
# Folder in a --data_dir for latents of its data sets, which are encoded beforehand.
CACHED = "cached_latents"
# What they were made from, in the metadata of such a data set.
LATENTS = "latents"
# Beginnings of the names of folders that are being written.
_UNFINISHED = (".unfinished_", "incomplete.")


@dataclasses.dataclass(frozen=True)
class Declared:
    """What a data set says of itself.

    Attributes:
      path: Its folder.
      media: Names of the media, in the order of the class labels.
      shards: Number of records in each file, by split.
      name: Name of the builder that made it.
    """

    path: epath.Path
    media: Sequence[str]
    shards: dict[str, list[int]]
    name: str

    def examples(self, split: str) -> array_record_data_source.ArrayRecordDataSource:
        """Random access to the serialized records of a split.

        Raises:
          RuntimeError, ValueError, OSError: If a file is damaged or missing.
        """
        count = len(self.shards[split])
        return array_record_data_source.ArrayRecordDataSource(
            [
                str(self.path / f"{self.name}-{split}.{_FORMAT}-{shard:05}-of-{count:05}")
                for shard in range(count)
            ]
        )


def find(root: epath.Path) -> epath.Path:
    """The only data set in a folder.

    Args:
      root: The `--data_dir` of `prepare`, or a folder in it.

    Raises:
      UserError: If there is no data set or more than one.
    """
    if not root.exists():
        raise UserError(f"{root} does not exist: make a data set with painting_jax.prepare")
    # The folder of a data set is BUILDER/NAME/VERSION below the --data_dir of prepare.
    found = [
        info.parent
        for depth in ("", "*/", "*/*/", "*/*/*/")
        for info in sorted(root.glob(f"{depth}{_INFO}"))
        if not any(
            part == CACHED or part.startswith(_UNFINISHED) for part in info.relative_to(root).parts
        )
    ]
    if not found:
        raise UserError(f"{root} holds no data set: make one with painting_jax.prepare")
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        raise UserError(f"{root} holds several data sets, name one as dataset: {names}")
    return found[0]


def find_cached(root: epath.Path) -> list[epath.Path]:
    """The data sets of cached latents in a `--data_dir` of `prepare`."""
    return [
        info.parent
        for info in sorted((root / CACHED).glob(f"*/*/{_INFO}"))
        if not info.parent.name.startswith(_UNFINISHED)
    ]


def read(path: epath.PathLike, features: tfds.features.FeaturesDict) -> Declared:
    """Reads what a data set says of itself.

    Args:
      path: Its folder.
      features: What its records must hold.

    Raises:
      UserError: If it is damaged, or its records hold something else.
    """
    path = epath.Path(path)
    _check_features(path, features)
    labels = _text(path / _LABELS).split("\n")
    info = _json(path / _INFO)
    try:
        name, splits = info["name"], info.get("splits", [])
        shards = {
            split["name"]: [int(length) for length in split["shardLengths"]] for split in splits
        }
        if not re.fullmatch(r"\w+", name) or not all(re.fullmatch(r"\w+", x) for x in shards):
            raise ValueError("a name is no word")
        if info["fileFormat"] != _FORMAT:
            raise ValueError(f"its files are {info['fileFormat']!r:.40}, not {_FORMAT}")
        if any(split.get("filepathTemplate", _TEMPLATE) != _TEMPLATE for split in splits):
            raise ValueError("its files have other names than TFDS gives them")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {_INFO}: {error!r:.200}") from None
    return Declared(path, [label for label in labels if label], shards, name)


def metadata(path: epath.PathLike) -> dict[str, Any]:
    """What `prepare` has noted: the fingerprint, counts, and what was skipped.

    Raises:
      UserError: If it is missing or damaged.
    """
    return _json(epath.Path(path) / _METADATA)


def fingerprint(path: epath.PathLike) -> str:
    """The fingerprint that `prepare` wrote to a data set; empty if it has none.

    Latents have that of the pictures that they were made from.
    """
    try:
        return str(metadata(path)["fingerprint"])
    except (UserError, KeyError):
        return ""


def stored_dtype(path: epath.PathLike) -> str:
    """The type that latents are stored in; empty for a data set of pictures."""
    try:
        return str(metadata(path)[LATENTS]["dtype"])
    except (UserError, KeyError, TypeError):
        return ""


def check_same(path: epath.PathLike, trained_on: str, workdir: epath.PathLike, remedy: str) -> None:
    """Checks that a data set is the one that a run was trained on.

    Args:
      path: Folder of the data set.
      trained_on: Fingerprint in the run's config; empty for runs of earlier versions, which pass.
      workdir: Folder of the run.
      remedy: What to do instead, for the error.

    Raises:
      UserError: If it is another data set.
    """
    if trained_on and trained_on != fingerprint(path):
        raise UserError(f"{path} is not the data set that {workdir} was trained on: {remedy}")


def _check_features(path: epath.Path, features: tfds.features.FeaturesDict) -> None:
    ours = _plain(json_format.MessageToDict(features.to_proto()))
    theirs = _plain(_json(path / _FEATURES))
    if theirs == ours:
        return
    mine, others = (_declared(declared) for declared in (ours, theirs))
    differing = sorted(name for name in mine | others if mine.get(name) != others.get(name))
    what = ", ".join(differing)[:200] or "the record"
    raise UserError(
        f"{path} is no data set of painting processes, or of another version: {_FEATURES} declares "
        f"{what} in another way: make it with painting_jax.prepare"
    )


def _declared(features: Any) -> dict:
    try:
        return dict(features["featuresDict"]["features"])
    except (KeyError, TypeError, ValueError):
        return {}


def _plain(declared: Any) -> Any:
    """A declaration without what may differ: the number of media, and values that are defaults."""
    if not isinstance(declared, dict):
        return declared
    return {
        name: _plain(value)
        for name, value in declared.items()
        if name != "numClasses" and (name, value) not in (("encoding", "none"), ("length", "-1"))
    }


def _json(path: epath.Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.parent} is damaged: {path.name}: {error!s:.200}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path.parent} is damaged: {path.name} holds no object")
    return value


def _text(path: epath.Path) -> str:
    damaged = f"{path.parent} is damaged: {path.name}"
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{damaged} is no file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UserError(f"{damaged} has more than {_LARGEST >> 20} MB")
        return content.decode()
    except (OSError, ValueError) as error:
        raise UserError(f"{damaged}: {error}") from None
