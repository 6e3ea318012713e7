"""The methods that are judged: what they are called and where their videos lie."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Sequence

from painting_jax.errors import UserError
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.yardsticks import NAMES

# A comma or a colon that no backslash stands before.
_COMMA, _COLON = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\):")


@dataclasses.dataclass(frozen=True)
class Method:
    """A method that is judged.

    Attributes:
      name: in tables.
      folder: of its videos.
    """

    name: str
    folder: str


def parse(values: Sequence[str]) -> list[Method]:
    """The methods that `--generated` names, in their order.

    A value is one folder, or several as "name:folder,name2:folder2". A folder that exists as it is
    written is taken as it is written; elsewhere a comma or a colon of a path is written with a
    backslash before it. A folder without a name goes by its own, and a single one by "generated".

    Raises:
      UserError: for an empty name or folder, a name that is used twice or has a meaning already.
    """
    entries = [entry for value in values for entry in _entries(value)]
    methods = [_method(entry, alone=len(entries) == 1) for entry in entries]
    count = collections.Counter(method.name for method in methods)
    for method in methods:
        if count[method.name] > 1:
            raise UserError(
                f"--generated names {method.name!r} twice: give each a name of its own, as in "
                "--generated=ours:DIR,theirs:DIR2"
            )
        if method.name in (RECORDED, *NAMES):
            raise UserError(
                f"--generated: {method.name!r} is the name of something that is measured beside "
                "the methods: choose another"
            )
    return methods


def _entries(value: str) -> list[str]:
    return [value] if _exists(value) else _COMMA.split(value)


def _method(entry: str, *, alone: bool) -> Method:
    name, colon, folder = "", None, entry
    if not _exists(entry):
        colon = _COLON.search(entry)
        if colon:
            name, folder = entry[: colon.start()].strip(), entry[colon.end() :]
        name = _unescaped(name)
        folder = folder if _exists(folder) else _unescaped(folder)
    if not folder.strip() or (colon and not name):
        raise UserError(
            f"--generated={entry!r}: write a folder, or name:folder, with a backslash before a "
            "comma or a colon that belongs to a path"
        )
    return Method(name or (GENERATED if alone else pathlib.Path(folder).resolve().name), folder)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([,:])", r"\1", text)


def _exists(folder: str) -> bool:
    return bool(folder) and pathlib.Path(folder).exists()
