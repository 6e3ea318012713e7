"""Reads a pickled list of bytes and numbers without running anything.

The standard library's loader is a machine that calls whatever a file names. This one steps through
the opcodes and knows those alone that lists, bytes and numbers take; everything else is refused by
its name. Bytes are not loaded either, only where they lie in the file.
"""

import dataclasses
import pickle
import pickletools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from etils import epath

from painting_jax.data.artwork import archive
from painting_jax.errors import UserError

_MOST_OPCODES = 1_000_000
_MOST_LISTS = 16  # and so their depth
_LONGEST_LINE = 64  # bytes of a number in text
_LONGEST_NUMBER = 8  # bytes of a number
# Opcodes that call or look up what a file names.
_RUNNING = (
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"),
    *("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"),
)
_ANEW = "save it anew, as pickle.dump(list, file, protocol=4) of a list of bytes or numbers"


@dataclasses.dataclass(frozen=True)
class Stored:
    """Bytes that lie in the file.

    Attributes:
      start: Place of the first of them.
      size: How many they are.
    """

    start: int
    size: int


Value = Stored | float | int | list["Value"]


def read(path: epath.PathLike, most_bytes: int) -> list[Value]:
    """The list that a file holds.

    Protocols 0 to 5 are read, of bytes those from 3 on: the older ones store a call that makes
    them. The same bytes may appear several times; a list may not.

    Args:
      path: A pickle.
      most_bytes: Bound on the size of the file.

    Raises:
      UserError: If the file is missing, damaged, larger than the bounds, or holds anything but
        one list of bytes, numbers and such lists.
    """
    path = archive.regular(path)
    with archive.damage(path, "pickle", (OSError,)), path.open("rb") as file:
        size = file.seek(0, 2)
        if size > most_bytes:
            raise UserError(f"{path} has {size} bytes: {most_bytes} are read")
        file.seek(0)
        found = _Machine(file, size, path).run()
    if not isinstance(found, list):
        raise UserError(f"{path} holds no list: {_ANEW}")
    return found


def load(path: epath.PathLike, places: Iterable[Stored]) -> Iterator[bytes]:
    """Yields the bytes that lie at places of a file.

    Raises:
      UserError: If the file has become shorter.
    """
    path = archive.regular(path)
    with archive.damage(path, "pickle", (OSError,)), path.open("rb") as file:
        for stored in places:
            file.seek(stored.start)
            data = file.read(stored.size)
            if len(data) != stored.size:
                raise UserError(f"{path} has changed while it was read: start again")
            yield data


class _Mark:
    """Where the items of a list begin on the stack."""


_MARK = _Mark()


class _Machine:
    """The stack and the memory of one file."""

    def __init__(self, file: BinaryIO, size: int, path: epath.Path):
        self._file, self._size, self._path = file, size, path
        self._stack: list[Value | _Mark] = []
        self._memory: dict[int, Value] = {}
        self._lists = 0

    def run(self) -> Value:
        """The value of the file, which must end with it."""
        for _ in range(_MOST_OPCODES):
            code = self._take(1)
            if code == pickle.STOP:
                left = self._size - self._file.tell()
                if left:
                    raise self._error(f"{left} bytes follow its end")
                return self.pop(count_left=0)
            if (do := _DO.get(code)) is None:
                raise self._refusal(code)
            do(self)
        raise self._error(f"it has more than {_MOST_OPCODES} opcodes")

    def _error(self, what: str) -> UserError:
        return UserError(f"{self._path} is damaged or no pickled list: {what}")

    def _refusal(self, code: bytes) -> UserError:
        known = next((op for op in pickletools.opcodes if op.code == code.decode("latin-1")), None)
        if known is None:
            return self._error(f"{code!r} is no opcode")
        if known.name in _RUNNING:
            what = "would have to run code to be read, and is not"
            if code == pickle.GLOBAL:
                what += " (protocols 0 to 2 store even bytes as a call)"
        elif known.stack_after == [pickletools.pyunicode]:
            what = "holds text, by which code to run is named, too"
        else:
            what = "holds more than bytes, numbers and lists"
        return UserError(f"{self._path} {what} ({known.name}): {_ANEW}")

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise self._error("it is cut short")
        return data

    def number(self, form: str) -> Any:
        """A number in the form of `struct`."""
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self._error("it has a number without an end")
        return line[:-1]

    def length(self, form: str) -> int:
        """A stated length, which must fit into the rest of the file."""
        length = self.number(form)
        if length > self._size - self._file.tell():
            raise self._error(f"it states {length} bytes, and is shorter")
        return length

    def push(self, value: Value | _Mark) -> None:
        """Puts a value on the stack."""
        self._stack.append(value)

    def pop(self, *, count_left: int | None = None) -> Value:
        """Takes a value from the stack."""
        if not self._stack or (count_left is not None and len(self._stack) - 1 != count_left):
            raise self._error("its stack does not add up")
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise self._error("its stack does not add up")
        return value

    def items(self) -> list[Value]:
        """What lies above the last mark, which is removed with it."""
        items: list[Value] = []
        while self._stack:
            value = self._stack.pop()
            if isinstance(value, _Mark):
                return items[::-1]
            items.append(value)
        raise self._error("its stack does not add up")

    def extend(self, items: list[Value]) -> None:
        """Appends to the list on top of the stack."""
        into = self.pop()
        if not isinstance(into, list):
            raise self._error("it appends to what is no list")
        into.extend(items)
        self.push(into)

    def new_list(self, items: list[Value]) -> None:
        """A list of its own."""
        self._lists += 1
        if self._lists > _MOST_LISTS:
            raise self._error(f"it has more than {_MOST_LISTS} lists")
        self.push(items)

    def protocol(self) -> None:
        """The version of the format."""
        if (version := self.number("<B")) > 5:
            raise self._error(f"protocol {version} is unknown")

    def frame(self) -> None:
        """How many bytes belong together, which only speeds up reading."""
        self.length("<Q")

    def stored(self, form: str) -> None:
        """Bytes, which are passed over."""
        length = self.length(form)
        start = self._file.tell()
        self._file.seek(start + length)
        self.push(Stored(start, length))

    def long(self) -> None:
        """A number of any size, of which few bytes are read."""
        if (length := self.number("<B")) > _LONGEST_NUMBER:
            raise self._error(f"it has a number of {length} bytes")
        self.push(int.from_bytes(self._take(length), "little", signed=True))

    def text(self, kind: type) -> None:
        """A number in text."""
        line = self._line()
        if line in (b"00", b"01"):
            raise self._error("it holds a truth value")
        try:
            self.push(kind(line))
        except ValueError:
            raise self._error(f"{line!r} is no number") from None

    def put(self, index: int | None = None) -> None:
        """Remembers the top of the stack."""
        value = self.pop()
        self.push(value)
        self._memory[len(self._memory) if index is None else index] = value

    def put_in_text(self) -> None:
        """As `put`, with an index in text."""
        self.put(self._index())

    def get(self, index: int) -> None:
        """What was remembered; a list that appears twice could hold itself."""
        value = self._memory.get(index)
        if value is None or isinstance(value, list):
            raise self._error("it uses a list twice" if value is not None else "it has a gap")
        self.push(value)

    def get_in_text(self) -> None:
        """As `get`, with an index in text."""
        self.get(self._index())

    def _index(self) -> int:
        line = self._line()
        if not line.isdigit():
            raise self._error(f"{line!r} is no index")
        return int(line)


_DO: dict[bytes, Callable[[_Machine], object]] = {
    pickle.PROTO: _Machine.protocol,
    pickle.FRAME: _Machine.frame,
    pickle.MARK: lambda m: m.push(_MARK),
    pickle.EMPTY_LIST: lambda m: m.new_list([]),
    pickle.LIST: lambda m: m.new_list(m.items()),
    pickle.APPEND: lambda m: m.extend([m.pop()]),
    pickle.APPENDS: lambda m: m.extend(m.items()),
    pickle.SHORT_BINBYTES: lambda m: m.stored("<B"),
    pickle.BINBYTES: lambda m: m.stored("<I"),
    pickle.BINBYTES8: lambda m: m.stored("<Q"),
    pickle.BINFLOAT: lambda m: m.push(m.number(">d")),
    pickle.FLOAT: lambda m: m.text(float),
    pickle.INT: lambda m: m.text(int),
    pickle.BININT: lambda m: m.push(m.number("<i")),
    pickle.BININT1: lambda m: m.push(m.number("<B")),
    pickle.BININT2: lambda m: m.push(m.number("<H")),
    pickle.LONG1: _Machine.long,
    pickle.MEMOIZE: _Machine.put,
    pickle.BINPUT: lambda m: m.put(m.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.number("<I")),
    pickle.PUT: _Machine.put_in_text,
    pickle.BINGET: lambda m: m.get(m.number("<B")),
    pickle.LONG_BINGET: lambda m: m.get(m.number("<I")),
    pickle.GET: _Machine.get_in_text,
}
