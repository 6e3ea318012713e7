"""Locating published weights: on disk, or downloaded from the Hugging Face hub."""

import os
import pathlib
import re

from painting_jax.errors import UserError

# No pickles and no code: weights, configs and the files of tokenizers.
_PATTERNS = ("*.json", "*.safetensors", "*.model", "*merges.txt", "*vocab.txt")
_HUB_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?P<file>/.+\.safetensors)?", re.ASCII)


def expanded(name: str | os.PathLike) -> pathlib.Path:
    """A path with ~ expanded.

    Raises:
      UserError: if the path names the home of an unknown user.
    """
    try:
        return pathlib.Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{name} is in no known user's home: write the path out") from None


def local(
    name: str | os.PathLike, *, folders: tuple[str, ...] = (), revision: str | None = None
) -> pathlib.Path:
    """The path of a folder or file, downloaded first if its name is a hub id.

    Args:
      name: an existing path, or a hub id: `owner/repository`, or
        `owner/repository/path/of/a.safetensors` for a single file.
      folders: subfolders of a repository to download, such as "transformer"; empty = all of it.
      revision: branch, tag or commit on the hub.

    Raises:
      UserError: if the name is neither a path nor available on the hub.
    """
    path = expanded(name)
    if path.exists():
        return path
    match = _HUB_ID.fullmatch(os.fspath(name))
    if "://" in os.fspath(name):
        raise UserError(f"{name}: weights are mapped into memory, copy them to a local disk first")
    if not match:
        raise UserError(f"{name} does not exist: name a folder, a .safetensors file or a hub id")
    file = (match["file"] or "").lstrip("/")
    if file:
        patterns = [file]
    else:
        patterns = [f"{folder}/{end}" for folder in folders for end in _PATTERNS] or _PATTERNS
        patterns = [*patterns, "model_index.json"]
    # Slow to import, and not needed for files on disk.
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        folder = snapshot_download(match["repo"], revision=revision, allow_patterns=patterns)
    # These are the only base classes that the hub's errors share. Each error is the user's or the
    # network's.
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")[:150]
        raise UserError(
            f"{name} is not a local path and the hub did not give it ({reason}): name a local "
            f"folder, or check the id and the network"
        ) from error
    path = pathlib.Path(folder, file)
    if not path.exists():
        raise UserError(f"{match['repo']} on the hub has no {file}: check the file's name")
    return path
