"""Checks the shapes and dtypes that annotations state, whenever a function is called in a test."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import AbstractArray


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

    @functools.wraps(function)
    def checked(*args, **kwargs):
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            _require(value, signature.parameters[name].annotation, name)
        result = function(*args, **kwargs)
        _require(result, signature.return_annotation, "the result")
        return result

    return checked


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
