"""Buckets of Cloud Storage, mounted as folders: runs and weights lie on what looks like a disk.

Vertex AI mounts gs://BUCKET at /gcs/BUCKET by itself; the other targets do it in the same place.
"""

import re
from collections.abc import Iterable, Sequence

from painting_jax.errors import UserError

_URL = re.compile(r"gs://([a-z0-9][-_.a-z0-9]*)")
ROOT = "/gcs"


def of(arguments: Iterable[str]) -> list[str]:
    """Names of the buckets that arguments name, in alphabetical order."""
    return sorted({name for argument in arguments for name in _URL.findall(argument)})


def mounted(arguments: Iterable[str]) -> list[str]:
    """The arguments with folders in the place of addresses in buckets."""
    return [_URL.sub(rf"{ROOT}/\1", argument) for argument in arguments]


def require(target: str, named: Sequence[tuple[str, str]]) -> None:
    """Checks that folders lie in buckets, where there is no disk that outlives a container.

    Args:
      target: Where the training runs.
      named: Names and values of flags.

    Raises:
      UserError: If one does not.
    """
    for name, value in named:
        if not re.fullmatch(rf"{_URL.pattern}(/.*)?", value):
            raise UserError(
                f"{name}={value}: with --target={target} it must be gs://BUCKET/FOLDER, as the "
                "disks of its containers are lost when they end"
            )
