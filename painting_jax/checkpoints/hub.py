"""Locating published weights: on disk, or downloaded from the Hugging Face hub."""

import fnmatch
import glob
import os
import pathlib
import re
from collections.abc import Sequence

from painting_jax.errors import UserError

# No pickles and no code: weights, configs and the files of tokenizers.
_PATTERNS = ("*.json", "*.safetensors", "*.model", "*merges.txt", "*vocab.txt")
_HUB_ID = re.compile(
    r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?:/(?P<file>.+\.safetensors)|/(?P<folder>[\w-]+))?",
    re.ASCII,
)
_ADDRESS = re.compile(
    r"https?://(?:huggingface\.co|hf\.co)/(?P<repo>[^/?#]+/[^/?#]+)"
    r"(?:/(?:blob|resolve|raw)/[^/?#]+(?P<file>/[^?#]+))?.*"
)
_MODEL_INDEX = "model_index.json"
_SHARD_INDEX = "*.safetensors.index*.json"
# The weights that a repository is named for if it has several.
_WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")
_LORAS = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
_ADAPTER_CONFIG = "adapter_config.json"
_MAX_SHOWN = 6


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
      name: An existing path, or a hub id: `owner/repository`, `owner/repository/folder`, or
        `owner/repository/path/of/a.safetensors` for a single file.
      folders: Subfolders of a repository to download, such as "transformer"; empty = all of a whole
        model, otherwise the repository's only weights.
      revision: Branch, tag or commit on the hub.

    Raises:
      UserError: If the name is neither a path nor available on the hub, or if it is a repository of
        several weights. Nothing of it is downloaded then.
    """
    path = expanded(name)
    if path.exists():
        return path
    match = _hub_id(os.fspath(name))
    if match["file"]:
        return _fetched(match, _with_config(match["file"]), revision, match["file"])
    folder = match["folder"] or ""
    wanted = [f"{folder}/{one}".lstrip("/") for one in folders] or [folder] * bool(folder)
    if wanted:
        patterns = [f"{one}/{end}" for one in wanted for end in _PATTERNS]
        return _fetched(match, [*patterns, _MODEL_INDEX], revision, folder)
    return _whole_or_only(match, revision)


def _whole_or_only(match: re.Match, revision: str | None) -> pathlib.Path:
    """A whole model, or the only weights of a repository that holds none."""
    files = _files(match, revision)
    if isinstance(files, Exception):
        return _cached(match, revision, files)
    if _MODEL_INDEX in files:
        return _fetched(match, list(_PATTERNS), revision)
    indices = [file for file in files if "/" not in file and fnmatch.fnmatch(file, _SHARD_INDEX)]
    chosen = indices[0] if indices else _choice(match["repo"], files, _WEIGHTS)
    if "/" in chosen:
        return _fetched(match, [glob.escape(chosen)], revision, chosen)
    beside = [file for file in files if "/" not in file and _is_wanted(file)]
    return _fetched(match, list(map(glob.escape, beside)), revision)


def local_lora(name: str | os.PathLike) -> pathlib.Path:
    """The path of a LoRA's file or folder; that of one on the hub is downloaded first, it alone.

    Args:
      name: An existing path, or a hub id as for `local`.

    Raises:
      UserError: If the name is neither a path nor available on the hub, or if it is a repository of
        several LoRAs.
    """
    path = expanded(name)
    if path.exists():
        return path
    match = _hub_id(os.fspath(name))
    file = match["file"]
    if not file:
        files = _files(match, None)
        if isinstance(files, Exception):
            return _cached(match, None, files)
        file = choose_lora(match["repo"], files)
    return _fetched(match, _with_config(file), None, file)


def _with_config(file: str) -> list[str]:
    """Patterns for a file and, if it is an adapter of PEFT, for its config."""
    path = pathlib.PurePosixPath(file)
    beside = [str(path.with_name(_ADAPTER_CONFIG))] * path.name.startswith("adapter_model")
    return list(map(glob.escape, [file, *beside]))


def choose_lora(name: str, files: Sequence[str]) -> str:
    """The LoRA among the files of a repository or folder.

    Raises:
      UserError: If there is none or more than one; it names them.
    """
    return _choice(name, files, _LORAS)


def _choice(name: str, files: Sequence[str], preferred: Sequence[str]) -> str:
    found = [file for file in files if file.endswith(".safetensors")]
    at_top = [file for file in found if "/" not in file]
    for candidates in ([file for file in preferred if file in found][:1], at_top, found):
        if len(candidates) == 1:
            return candidates[0]
    if not found:
        others = sorted({pathlib.PurePosixPath(file).suffix for file in files} - {""})
        there = f", but {', '.join(others[:_MAX_SHOWN])}" * bool(others)
        raise UserError(f"{name} holds no .safetensors file{there}: name weights in this format")
    shown = ", ".join(found[:_MAX_SHOWN]) + ", ..." * (len(found) > _MAX_SHOWN)
    raise UserError(
        f"{name} holds {len(found)} safetensors files ({shown}): name one of them, as in "
        f"{name}/{found[0]}"
    )


def _is_wanted(file: str) -> bool:
    return any(fnmatch.fnmatch(file, pattern) for pattern in _PATTERNS)


def _hub_id(name: str) -> re.Match:
    """The parts of a hub id.

    Raises:
      UserError: If the name is none.
    """
    address = _ADDRESS.fullmatch(name)
    if address:
        raise UserError(
            f"{name} is a web address: write {address['repo']}{address['file'] or ''}, which is "
            "fetched from the hub"
        )
    if "://" in name:
        raise UserError(f"{name}: weights are mapped into memory, copy them to a local disk first")
    match = _HUB_ID.fullmatch(name)
    if not match:
        raise UserError(f"{name} does not exist: name a folder, a .safetensors file or a hub id")
    return match


def _files(match: re.Match, revision: str | None) -> list[str] | Exception:
    """The names of a repository's files, or of those in its folder that is named.

    The hub's error if it cannot be asked; what was downloaded before may serve then.
    """
    # Slow to import, and not needed for files on disk.
    from huggingface_hub import list_repo_files  # noqa: PLC0415

    try:
        files = list_repo_files(match["repo"], revision=revision)
    # The hub's errors and those of its network library share no base class. Each is the user's or
    # the network's.
    except Exception as error:
        return error
    return [file for file in files if file.startswith(f"{match['folder'] or ''}/".lstrip("/"))]


def _fetched(
    match: re.Match, patterns: list[str], revision: str | None, inside: str = ""
) -> pathlib.Path:
    """The path inside of a repository's snapshot, once what the patterns match is downloaded."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        folder = snapshot_download(match["repo"], revision=revision, allow_patterns=patterns)
    except Exception as error:
        raise _unavailable(match, error) from error
    path = pathlib.Path(folder, inside)
    if not path.exists():
        raise UserError(f"{match['repo']} on the hub has no {inside}: check the name")
    return path


def _cached(match: re.Match, revision: str | None, reason: Exception) -> pathlib.Path:
    """What was downloaded before, which serves without the network."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    try:
        folder = snapshot_download(match["repo"], revision=revision, local_files_only=True)
    except Exception:
        raise _unavailable(match, reason) from reason
    return pathlib.Path(folder, match["folder"] or "")


def _unavailable(match: re.Match, error: Exception) -> UserError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")[:150]
    return UserError(
        f"{match[0]} is not a local path and the hub did not give it ({reason}): name a local "
        f"folder, or check the id and the network"
    )
