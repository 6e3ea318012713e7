"""Reads the values of a published config.json, each with the type and the range it should have."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from painting_jax.errors import UserError

MAX_LAYERS = 1000  # the names of all layers are listed before any tensor is looked for
_MAX_INTEGER = 2**24  # for widths and vocabularies; the largest published one is 256384
_MAX_FLOAT, _MIN_FLOAT = 3e38, 1e-38  # about the range of float32


def is_among(value: object, known: Iterable[str]) -> bool:
    """Whether a value of a JSON file is one of some words; it may be unhashable, such as a list."""
    return isinstance(value, str) and value in known


class PublishedConfig:
    """Typed values of a config.json.

    Every method raises a `UserError` that names the field if the field is missing or its value has
    another type or range. Null has the wrong type unless the caller says what it stands for.

    Args:
      content: of the file.
      origin: what error messages call the file.
    """

    def __init__(self, content: Mapping, origin: str):
        self._content = content
        self._origin = origin

    def integer(
        self,
        key: str,
        *,
        null: int | None = None,
        minimum: int = 1,
        maximum: int = _MAX_INTEGER,
        multiple_of: int = 1,
    ) -> int:
        """An integer within a range; `null` is what null stands for."""
        if null is not None and self._value(key) is None:
            return null
        from_minimum = "above 0" if minimum == 1 else f"from {minimum} on"
        value = self._checked(
            key, lambda value: _is_integer(value, minimum), f"a whole number {from_minimum}"
        )
        self.require(key, value <= maximum, f"at most {maximum}")
        self.require(key, value % multiple_of == 0, f"a multiple of {multiple_of}")
        return value

    def divisor(self, key: str, of: str) -> int:
        """An integer that divides the integer field `of`."""
        divisor, multiple = self.integer(key), self.integer(of)
        self.require(key, multiple % divisor == 0, f"a divisor of {of}, {multiple}")
        return divisor

    def number(self, key: str, *, above: float) -> float:
        """A finite number above another one."""
        value = self._checked(key, _is_number, "a number")
        self.require(key, value > above, f"above {above}")
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        return self._checked(key, _is_boolean, "true or false")

    def string(self, key: str) -> str:
        """A string."""
        return self._checked(key, lambda value: isinstance(value, str), "a string")

    def integers(self, key: str) -> tuple[int, ...]:
        """One or more integers above 0."""
        return self._list(key, None, lambda value: _is_integer(value, 1), "whole numbers above 0")

    def booleans(self, key: str, length: int) -> tuple[bool, ...]:
        """`length` times true or false."""
        return self._list(key, length, _is_boolean, "true or false")

    def numbers(self, key: str, length: int, *, positive: bool = False) -> tuple[float, ...]:
        """`length` finite numbers; positive ones are large enough to divide by."""
        if positive:
            return self._list(
                key, length, lambda x: _is_number(x) and x > _MIN_FLOAT, "numbers above 0"
            )
        return self._list(key, length, _is_number, "numbers")

    def require(self, key: str, valid: bool, requirement: str) -> None:
        """Raises a `UserError` with the requirement unless the value of a field is valid."""
        if not valid:
            raise UserError(
                f"{self._origin} has {key} = {f'{self._value(key)!r}':.80}: it must be "
                f"{requirement}"
            )

    def _value(self, key: str) -> Any:
        if key not in self._content:
            raise UserError(f"{self._origin} has no {key!r}: fetch it again")
        return self._content[key]

    def _checked(self, key: str, is_valid: Callable[[Any], bool], requirement: str) -> Any:
        value = self._value(key)
        self.require(key, is_valid(value), requirement)
        return value

    def _list(
        self, key: str, length: int | None, is_valid: Callable[[Any], bool], items: str
    ) -> tuple:
        def is_list(values: Any) -> bool:
            # The config objects of diffusers hold tuples.
            return (
                isinstance(values, list | tuple)
                and (len(values) > 0 if length is None else len(values) == length)
                and all(map(is_valid, values))
            )

        count = "" if length is None else f"{length} "
        return tuple(self._checked(key, is_list, f"a list of {count}{items}"))


def _is_integer(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_number(value: Any) -> bool:
    """Whether float32 holds the number; Python's JSON reader also accepts NaN and infinity."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_FLOAT
    )


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)
