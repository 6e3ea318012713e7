"""A folder or file of published weights: on disk, or fetched from the Hugging Face hub."""

import os
import pathlib
import re

from painting_jax.errors import UserError

# No pickles, no code: weights, configs and the files of tokenizers.
_WANTED = ("*.json", "*.safetensors", "*.model", "*merges.txt", "*vocab.txt")
_HUB_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?P<file>/.+\.safetensors)?", re.ASCII)


def expanded(name: str | os.PathLike) -> pathlib.Path:
    """A path with the home folder in the place of its ~.

    Raises:
      UserError: if it is that of a user who has none.
    """
    try:
        return pathlib.Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{name} is in no known user's home: write the path out") from None


def local(
    name: str | os.PathLike, *, folders: tuple[str, ...] = (), revision: str | None = None
) -> pathlib.Path:
    """The folder or file of a name.

    Args:
      name: an existing path, or what the hub calls it: `owner/repository`, or
        `owner/repository/path/of/a.safetensors` for a single file.
      folders: the parts of a repository to fetch, such as "transformer"; empty = all of it.
      revision: branch, tag or commit on the hub.

    Raises:
      UserError: if it is no path and the hub does not give it.
    """
    path = expanded(name)
    if path.exists():
        return path
    match = _HUB_ID.fullmatch(os.fspath(name))
    if "://" in os.fspath(name):
        raise UserError(f"{name}: weights are mapped into memory, copy them to a local disk first")
    if not match:
        raise UserError(f"{name} does not exist: name a folder, a .safetensors file or a hub id")
    inside = (match["file"] or "").lstrip("/")
    if inside:
        patterns = [inside]
    else:
        patterns = [f"{folder}/{wanted}" for folder in folders for wanted in _WANTED] or _WANTED
        patterns = [*patterns, "model_index.json"]
    # Slow to import, and not needed by who has the files on disk.
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        folder = snapshot_download(match["repo"], revision=revision, allow_patterns=patterns)
    # The hub's errors share no base class but these, and each is the user's or the network's.
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")[:150]
        raise UserError(
            f"{name} is no path here and the hub did not give it ({reason}): name a local folder, "
            f"or check the id and the network"
        ) from error
    path = pathlib.Path(folder, inside)
    if not path.exists():
        raise UserError(f"{match['repo']} on the hub has no {inside}: check the file's name")
    return path
