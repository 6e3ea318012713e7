"""Paths on other machines, such as gs://bucket/folder: what may lie there, and what may not.

Pictures, recordings and data sets are read through etils.epath, which needs a package for each
kind of storage. Runs may lie in buckets of Cloud Storage, too, and are written there. All other
outputs, and published weights, lie on a local disk.
"""

import importlib.util
import logging
import os
import re

from etils import epath

from painting_jax.errors import UserError

# Scheme -> package that reads it, and how to install it.
_PACKAGES = {
    "gs": ("gcsfs", "pip install 'painting_jax[gcs]'"),
    "s3": ("s3fs", "pip install s3fs"),
    "az": ("adlfs", "pip install adlfs"),
}
# pathlib makes one slash of two.
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]+://|(gs|s3|az|hf|https?|ftp|file):/", re.IGNORECASE)


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is an address, such as gs://bucket/folder or https://host/file."""
    return bool(_REMOTE.match(os.fspath(path)))


def in_bucket(path: str | os.PathLike) -> bool:
    """Whether a path is an address in a bucket of Cloud Storage, gs://bucket/folder."""
    return os.fspath(path).startswith("gs://")


def refuse(name: str, path: str | os.PathLike) -> None:
    """Refuses a path that is not on this machine.

    Args:
      name: What the user wrote before the path, such as "--output".
      path: Path as the user wrote it, or a list in which one stands.

    Raises:
      UserError: If it is an address.
    """
    if is_remote(path) or "://" in os.fspath(path):
        raise UserError(
            f"{name}={os.fspath(path)} is not on this machine: name a local path, and copy to it "
            "first or from it afterwards"
        )


def check_run(name: str, path: str | os.PathLike) -> None:
    """Checks that a run can lie at a path: on this machine, or in a bucket that answers.

    Args:
      name: What the user wrote before the path.
      path: Folder of a run, as the user wrote it.

    Raises:
      UserError: If it is another address, or as of `check_readable`.
    """
    if not is_remote(path):
        return
    if not re.match(r"gs://[^/]+/+[^/]", os.fspath(path)):
        raise UserError(
            f"{name}={os.fspath(path)}: a run lies on this machine or in gs://BUCKET/FOLDER"
        )
    check_readable(name, path)


def check_readable(name: str, path: str | os.PathLike) -> None:
    """Checks that a path that is only read can be read if it is not on this machine.

    Args:
      name: What the user wrote before the path.
      path: Path as the user wrote it; may be a glob pattern.

    Raises:
      UserError: If the kind of address is unknown, its package is not installed, or the storage
        gives no answer.
    """
    if not is_remote(path):
        return
    text = os.fspath(path)
    scheme = text.partition(":")[0].lower()
    if scheme not in _PACKAGES or not text.startswith(f"{scheme}://"):
        known = ", ".join(f"{one}://" for one in _PACKAGES)
        raise UserError(
            f"{name}={text}: only {known} are read from afar: copy it to a local disk first"
        )
    package, install = _PACKAGES[scheme]
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"{name}={text}: reading {scheme}:// needs the package {package} ({install}), or copy "
            "it to a local disk"
        )
    # Else a process does not see what others have written since its last look.
    import fsspec  # noqa: PLC0415

    fsspec.config.conf.setdefault("gcs", {})["use_listings_cache"] = False
    # What it logs as an error is raised as well.
    for logger in (package, "fsspec"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        epath.Path(text).exists()
    # Each storage has errors of its own: no bucket, no permission, no network.
    except Exception as error:
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise UserError(f"{name}={text} cannot be read: {reason}") from error
