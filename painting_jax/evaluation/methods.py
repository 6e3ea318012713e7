"""The evaluated methods: their names and the folders of their videos."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Sequence

from painting_jax.errors import UserError
from painting_jax.evaluation.measures import BASELINES, GENERATED, RECORDED

# A comma or a colon without a backslash before it.
_COMMA, _COLON = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\):")


@dataclasses.dataclass(frozen=True)
class Method:
    """An evaluated method.

    Attributes:
      name: Name in tables.
      folder: Folder of its videos.
    """

    name: str
    folder: str


def parse_methods(values: Sequence[str]) -> list[Method]:
    """Parses `--generated`.

    A value is a folder, or several as "name:folder,name2:folder2". The name of an existing folder
    is used as it is written; otherwise commas and colons of a path need a backslash. A folder
    without a name is named after itself, and a single one "generated".

    Raises:
      UserError: If a name or folder is empty, or a name is used twice or reserved.
    """
    entries = [
        entry for value in values for entry in ([value] if _exists(value) else _COMMA.split(value))
    ]
    methods = [_parse_method(entry, alone=len(entries) == 1) for entry in entries]
    count = collections.Counter(method.name for method in methods)
    for method in methods:
        if count[method.name] > 1:
            raise UserError(
                f"--generated names {method.name!r} twice: give each a different name, as in "
                "--generated=ours:DIR,theirs:DIR2"
            )
        if method.name in (RECORDED, *BASELINES):
            raise UserError(
                f"--generated: {method.name!r} is the name of something that is measured beside "
                "the methods: choose another"
            )
    return methods


def _parse_method(entry: str, *, alone: bool) -> Method:
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
