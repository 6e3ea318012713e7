"""Checks the shapes and dtypes that annotations state, whenever a function is called in a test."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import AbstractArray

_ABSENT = object()


def where_arrays_are_annotated(decorator: Callable) -> Callable:
    """`jaxtyping.jaxtyped` for functions that say something of arrays: the others are left alone.

    Its wrapper binds the arguments of each call, and most calls of a model are of such others.
    """

    def decorated(function: Any = None, **options: Any) -> Any:
        if function is None:
            return functools.partial(decorated, **options)
        if isinstance(function, types.FunctionType) and not any(
            map(_of_arrays, inspect.get_annotations(function).values())
        ):
            return function
        return decorator(function, **options)

    return decorated


def typechecker(function: Callable) -> Callable:
    """A type checker for `jaxtyping.install_import_hook` that looks at arrays alone.

    Where the annotation is an array, the value may be a number or any object with a shape and a
    dtype, since JAX takes numbers and arrays of numpy like its own. Other types are left to the
    static type checker.

    Raises:
      TypeError: on a call, if an argument or the result has another shape or dtype.
    """
    signature = inspect.signature(function)
    if function.__name__ == "__init__":
        # JAX makes data classes of shapes, shardings, and arrays without their batch.
        return function
    # jaxtyping asks twice: of the arguments, and once these are known, of the result.
    result = signature.return_annotation
    if result is Any:
        return _with_checked_arguments(function, signature)
    return _with_checked_result(function, result) if _of_arrays(result) else function


def _with_checked_arguments(function: Callable, signature: inspect.Signature) -> Callable:
    arrays = [
        (place, parameter.name, parameter.annotation)
        for place, parameter in enumerate(signature.parameters.values())
        if _of_arrays(parameter.annotation)
    ]

    @functools.wraps(function)
    def checked(*args, **kwargs):
        for place, name, hint in arrays:
            value = args[place] if place < len(args) else kwargs.get(name, _ABSENT)
            if value is not _ABSENT:
                _require(value, hint, name)

    return checked


def _with_checked_result(function: Callable, hint: Any) -> Callable:
    @functools.wraps(function)
    def checked(*args, **kwargs):
        result = function(*args, **kwargs)
        _require(result, hint, "the result")
        return result

    return checked


def _of_arrays(hint: Any) -> bool:
    """Whether an annotation says something of arrays, maybe in a string."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return isinstance(hint, str) or any(map(_of_arrays, typing.get_args(hint)))


def _require(value: object, hint: Any, name: str) -> None:
    if not _fits(value, hint):
        raise TypeError(f"{name} is {_described(value)}, not {hint}")


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        value = np.asarray(value) if isinstance(value, int | float) else value
        return isinstance(value, _of_any_library(hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if hint is types.NoneType:
        return value is None
    if origin in (tuple, list, Sequence) and isinstance(value, tuple | list):
        if origin is not tuple or arguments[-1] is Ellipsis:
            arguments = arguments[:1] * len(value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    return True


@functools.cache
def _of_any_library(hint: type[AbstractArray]) -> type[AbstractArray]:
    return hint.dtype[Any, hint.dim_str]


def _described(value: object) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__
