"""Sizes out of a published config.json, each of the type that it should be."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from painting_jax.errors import UserError

MOST_LAYERS = 1000  # each is laid out on its own before a tensor of it is looked for
_MOST = 2**24  # widths and vocabularies; the largest published one is 256384
_LARGEST, _SMALLEST = 3e38, 1e-38  # of float32, about


def is_among(value: object, known: Iterable[str]) -> bool:
    """Whether it is one of some words: JSON may hold a list in its place, which has no hash."""
    return isinstance(value, str) and value in known


class Sizes:
    """Typed values of a config.json or the like.

    Null is a value of the wrong type unless a reader says what it stands for. All readers raise a
    `UserError` that names the field if it is missing or not as asked for.
    """

    def __init__(self, published: Mapping, origin: str):
        """Takes the file's content and what messages call it."""
        self._published = published
        self._origin = origin

    def whole(
        self,
        key: str,
        *,
        null: int | None = None,
        least: int = 1,
        most: int = _MOST,
        factor: int = 1,
    ) -> int:
        """A whole number in a range, and a multiple of `factor`; `null` is what null stands for."""
        if null is not None and self._value(key) is None:
            return null
        value = self._checked(key, lambda value: _is_whole(value, least), _above(least))
        self.require(key, value <= most, f"at most {most}")
        self.require(key, value % factor == 0, f"a multiple of {factor}")
        return value

    def divisor(self, key: str, of: str) -> int:
        """A whole number that divides the whole number `of` another field."""
        divisor, whole = self.whole(key), self.whole(of)
        self.require(key, whole % divisor == 0, f"a divisor of {of}, {whole}")
        return divisor

    def number(self, key: str, *, above: float) -> float:
        """A finite number above another one."""
        value = self._checked(key, _is_number, "a number")
        self.require(key, value > above, f"above {above}")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._checked(key, _is_flag, "true or false")

    def wholes(self, key: str) -> tuple[int, ...]:
        """Whole numbers above 0, at least one."""
        return self._list(key, None, lambda value: _is_whole(value, 1), "whole numbers above 0")

    def flags(self, key: str, length: int) -> tuple[bool, ...]:
        """So many of true or false."""
        return self._list(key, length, _is_flag, "true or false")

    def numbers(self, key: str, length: int, *, positive: bool = False) -> tuple[float, ...]:
        """So many finite numbers, or such that can be divided by."""
        if positive:
            return self._list(
                key, length, lambda x: _is_number(x) and x > _SMALLEST, "numbers above 0"
            )
        return self._list(key, length, _is_number, "numbers")

    def require(self, key: str, holds: bool, words: str) -> None:
        """Refuses a field unless it is as `words` say."""
        if not holds:
            raise UserError(
                f"{self._origin} has {key} = {f'{self._value(key)!r}':.80}: it must be {words}"
            )

    def _value(self, key: str) -> Any:
        if key not in self._published:
            raise UserError(f"{self._origin} has no {key!r}: fetch it again")
        return self._published[key]

    def _checked(self, key: str, holds: Callable[[Any], bool], words: str) -> Any:
        value = self._value(key)
        self.require(key, holds(value), words)
        return value

    def _list(
        self, key: str, length: int | None, holds: Callable[[Any], bool], words: str
    ) -> tuple:
        def is_list(values: Any) -> bool:
            # In diffusers' own objects such lists are tuples.
            return (
                isinstance(values, list | tuple)
                and (len(values) > 0 if length is None else len(values) == length)
                and all(map(holds, values))
            )

        count = "" if length is None else f"{length} "
        return tuple(self._checked(key, is_list, f"a list of {count}{words}"))


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _above(least: int) -> str:
    return f"a whole number {'above 0' if least == 1 else f'from {least} on'}"


def _is_number(value: Any) -> bool:
    """Whether it is a number that float32 holds; JSON as Python reads it has NaN, too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)
