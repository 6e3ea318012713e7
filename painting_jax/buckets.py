"""Objects in a bucket of Cloud Storage, as which a run's files are written there.

An object appears whole or not at all, and a write can be made to depend on what was there before:
its generation. Folders are mere beginnings of names, so that none is renamed: the object by which
readers know that a folder is whole is written last, and removed first.

Small things are read with etils.epath, which takes the same addresses.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from painting_jax.errors import UserError
from painting_jax.user_cache import user_cache

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

_ADDRESS = re.compile(r"gs://([^/]+)/*(.*)")
# End of the name of what is about to be appended.
_PART = ".part"
# TensorStore's words for what a storage refuses or fails to do, which say nothing about the data.
_REFUSED = re.compile(
    r"\b(PERMISSION_DENIED|UNAUTHENTICATED|UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED"
    r"|CANCELLED|INTERNAL|UNKNOWN)\b"
)
# What an answer says in words, and what clients put before them.
_SAID = re.compile(r'"message": *"([^"]+)"')
_REQUEST = re.compile(r"\b((GET|POST|PUT|PATCH|DELETE) )?https?://\S+ *")
_LONGEST = 150  # characters of a reason


class Taken(UserError):
    """Raised if an object is not of the generation that it must have."""


def write(path: str | os.PathLike, content: bytes, generation: int | None = None) -> int:
    """Writes an object.

    Args:
      path: Address of the object.
      content: What it holds.
      generation: Generation that the object must have now, 0 = there must be none; None = any.

    Returns:
      The generation of the new object.

    Raises:
      Taken: If it has another generation.
      UserError: If the storage refuses it.
    """
    blob = _blob(path)
    with _refusals_told(path, "written"):
        blob.upload_from_string(content, if_generation_match=generation)
    return int(blob.generation)


def read(path: str | os.PathLike) -> tuple[bytes, int] | None:
    """What an object holds, and its generation; None if there is no such object.

    Raises:
      UserError: If the storage refuses it.
    """
    from google.api_core.exceptions import NotFound  # noqa: PLC0415

    blob = _blob(path)
    with _refusals_told(path, "read"), contextlib.suppress(NotFound):
        # The answer tells the generation of what was read.
        content = blob.download_as_bytes()
        return content, int(blob.generation)
    return None


def remove(path: str | os.PathLike, generation: int | None = None) -> None:
    """Removes an object, unless there is none.

    Raises:
      Taken: If it is of another generation than the one given.
      UserError: If the storage refuses it.
    """
    from google.api_core.exceptions import NotFound  # noqa: PLC0415

    with _refusals_told(path, "removed"), contextlib.suppress(NotFound):
        _blob(path).delete(if_generation_match=generation)


def append(path: str | os.PathLike, content: bytes) -> None:
    """Adds to the end of an object, which is created if it is missing; only the addition is sent.

    Raises:
      Taken: If somebody else writes it meanwhile.
      UserError: If the storage refuses it.
    """
    from google.api_core.exceptions import PreconditionFailed  # noqa: PLC0415

    with _refusals_told(path, "written"):
        whole = _bucket(path).get_blob(_name(path))
        if whole is None:
            write(path, content, generation=0)
            return
        generation, part = int(whole.generation), _blob(f"{os.fspath(path)}{_PART}")
        part.upload_from_string(content)
        try:
            _blob(path).compose([whole, part], if_generation_match=generation)
        except PreconditionFailed:
            # It may have been done, and the answer lost.
            now = _bucket(path).get_blob(_name(path))
            if now is None or now.size != whole.size + len(content):
                raise
        part.delete()


def upload(source: pathlib.Path, path: str | os.PathLike) -> None:
    """Copies a file of this machine to an object.

    Raises:
      UserError: If the storage refuses it.
    """
    with _refusals_told(path, "written"):
        _blob(path).upload_from_filename(os.fspath(source))


def upload_folder(source: pathlib.Path, path: str | os.PathLike, last: str) -> None:
    """Copies a folder of this machine, in the place of an older one.

    Args:
      source: The folder.
      path: Address of the copy.
      last: Name of the file by which readers know that the folder is whole.

    Raises:
      UserError: If the storage refuses it.
    """
    remove_folder(path, last)
    files = [file for file in sorted(source.rglob("*")) if file.is_file()]
    for file in sorted(files, key=lambda file: file == source / last):
        upload(file, f"{os.fspath(path)}/{file.relative_to(source).as_posix()}")


def move_folder(source: str | os.PathLike, target: str | os.PathLike, last: str) -> None:
    """Moves all objects below an address, within its bucket; what was below the target goes.

    Args:
      source: Address of a folder.
      target: Its new address.
      last: As of `upload_folder`: the source is whole until the target is.

    Raises:
      UserError: If the storage refuses it.
    """
    remove_folder(target, last)
    with _refusals_told(target, "written"):
        bucket = _bucket(source)
        for blob in _in_order(source, last):
            name = blob.name.removeprefix(f"{_name(source)}/")
            bucket.copy_blob(blob, bucket, f"{_name(target)}/{name}")
    remove_folder(source, last)


def remove_folder(path: str | os.PathLike, last: str) -> None:
    """Removes all objects below an address, first the one that makes them a whole folder.

    Raises:
      UserError: If the storage refuses it.
    """
    with _refusals_told(path, "removed"):
        for blob in reversed(_in_order(path, last)):
            remove(f"gs://{blob.bucket.name}/{blob.name}")


def names(path: str | os.PathLike) -> list[str]:
    """Names of the objects and folders in a folder.

    Raises:
      UserError: If the storage refuses it.
    """
    prefix = _prefix(path)
    with _refusals_told(path, "read"):
        listed = _bucket(path).list_blobs(prefix=prefix, delimiter="/")
        found = [blob.name for blob in listed] + sorted(listed.prefixes)
    # Consoles make an object for an empty folder.
    return [name.removeprefix(prefix).rstrip("/") for name in found if name != prefix]


def generations(path: str | os.PathLike) -> dict[str, int]:
    """Generation of an object, under its name, or of all objects in a folder and those below it.

    Raises:
      UserError: If the storage refuses it.
    """
    name, prefix = _name(path), _prefix(path)
    with _refusals_told(path, "read"):
        return {
            blob.name: int(blob.generation)
            for blob in _bucket(path).list_blobs(prefix=name)
            if blob.name == name or blob.name.startswith(prefix)
        }


def fetched(path: str | os.PathLike) -> pathlib.Path:
    """A copy on this machine of an object, or of all in a folder, for what is mapped into memory.

    It is kept in the user's cache until the object changes.

    Raises:
      FileNotFoundError: If there is no such object or folder.
      UserError: If the storage refuses it.
    """
    found = {name: number for name, number in generations(path).items() if name[-1:] != "/"}
    if not found:
        raise FileNotFoundError(os.fspath(path))
    # Names of objects are free; as paths they could lead out of the folder.
    for name in found:
        if not {".", ".."}.isdisjoint(name.split("/")):
            raise UserError(f"{path} holds an object whose name is no path: {name[:_LONGEST]}")
    place = user_cache("fetched") / _hash(os.fspath(path))
    kept = place / _hash(json.dumps(found)) / pathlib.PurePosixPath(_name(path)).name
    if not kept.exists():
        shutil.rmtree(place, ignore_errors=True)
        beside = kept.parent.with_name(f"{kept.parent.name}.{os.getpid()}")
        with _refusals_told(path, "read"):
            for name, number in found.items():
                file = beside / kept.name / name.removeprefix(_name(path)).lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                blob = _bucket(path).blob(name, generation=number)
                blob.download_to_filename(os.fspath(file))
        # Another process may have been faster.
        with contextlib.suppress(OSError):
            beside.rename(kept.parent)
        shutil.rmtree(beside, ignore_errors=True)
    return kept


def refusal(error: BaseException | None) -> str | None:
    """What a storage refused or failed to do, if that caused an error; None if the data did."""
    while error is not None:
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            return None
        text = " ".join(str(error).split())
        # All raise OSError for broken connections.
        if isinstance(error, OSError) or is_of_storage(error):
            said = _SAID.search(text)
            text = said[1] if said else _REQUEST.sub("", text)
            return text[:_LONGEST] or type(error).__name__
        if word := _REFUSED.search(text):
            return text[word.start() :][:_LONGEST]
        error = error.__cause__ or error.__context__
    return None


def is_of_storage(error: BaseException) -> bool:
    """Whether an error can only come from a package that talks to the storage."""
    # gcsfs raises OSError for missing rights.
    return isinstance(error, _of_storage()) or (
        type(error) is OSError and str(error).startswith("Forbidden")
    )


@functools.cache
def _of_storage() -> tuple[type[BaseException], ...]:
    """Errors of the packages that talk to the storage."""
    import aiohttp  # noqa: PLC0415
    from gcsfs.retry import HttpError  # noqa: PLC0415
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    return (GoogleAPIError, GoogleAuthError, HttpError, aiohttp.ClientError)


@contextlib.contextmanager
def _refusals_told(path: str | os.PathLike, done: str) -> Iterator[None]:
    """Turns errors of the storage into one line, but for changed objects."""
    from google.api_core.exceptions import NotFound, PreconditionFailed  # noqa: PLC0415

    try:
        yield
    except PreconditionFailed:
        raise Taken(f"{path} is written by somebody else, too") from None
    except UserError:
        raise
    except Exception as error:
        reason = refusal(error)
        if isinstance(error, NotFound):
            gone = "" if done == "written" else "it is gone, or "
            reason = f"{gone}there is no bucket {_bucket(path).name}"
        if reason is None:
            raise
        raise UserError(f"{path} cannot be {done}: {reason}") from error


@functools.cache
def _client() -> "Client":
    # Slow to import, and an optional package.
    from google.cloud.storage import Client  # noqa: PLC0415

    return Client()


def _bucket(path: str | os.PathLike) -> "Bucket":
    return _client().bucket(_ADDRESS.fullmatch(os.fspath(path))[1])


def _name(path: str | os.PathLike) -> str:
    return _ADDRESS.fullmatch(os.fspath(path))[2].rstrip("/")


def _prefix(path: str | os.PathLike) -> str:
    """How the names of all objects in a folder begin."""
    name = _name(path)
    return f"{name}/" if name else ""


def _blob(path: str | os.PathLike) -> "Blob":
    return _bucket(path).blob(_name(path))


def _in_order(path: str | os.PathLike, last: str) -> list["Blob"]:
    """All objects below an address; those of a name come last, the outermost at the end."""
    found = list(_bucket(path).list_blobs(prefix=_prefix(path)))

    def place(blob: "Blob") -> tuple[bool, int]:
        return blob.name.rpartition("/")[2] == last, -blob.name.count("/")

    return sorted(found, key=place)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
