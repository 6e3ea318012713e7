"""TPU slices that are not here: devices to compile for, from the TPU's own compiler (libtpu)."""

import contextlib
import importlib.util
import math
import os
import re
from collections.abc import Sequence
from typing import Any

from jax.experimental import topologies

from painting_jax.errors import UserError
from painting_jax.planning.chips import GENERATIONS

# The compiler looks for no TPU, and two programs may use it at a time.
_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}
_EXAMPLES = "v5e:4x4, v5p:4x4x4, v6e:16x16 or tpu7x:2x2x1"


def devices_of(topology: str) -> Sequence[Any]:
    """The devices of a slice.

    Args:
      topology: Generation and chips along each dimension, such as v5p:4x4x4. One chip, such as
        v5e:1x1, is a chip of a larger slice: the compiler knows slices of whole hosts alone.

    Raises:
      UserError: If there is no such slice, or libtpu is not installed.
    """
    generation, sizes = _parsed(topology)
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            "compiling for TPUs needs libtpu: pip install libtpu, or the extra painting_jax[plan]"
        )
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    alone = math.prod(sizes) == 1
    whole = [2, 2, 1][: len(sizes)] if alone else sizes
    try:
        with _quiet():
            described = topologies.get_topology_desc(f"{generation}:{_by(whole)}", "tpu")
    except Exception as error:  # JAX raises nothing narrower.
        raise UserError(
            f"--topology={topology}: the compiler knows no such slice ({_reason(error)}): sides "
            f"are even or 1, such as {_EXAMPLES}"
        ) from None
    devices = described.devices
    return devices[: len(devices) // math.prod(whole)] if alone else devices


def _parsed(topology: str) -> tuple[str, list[int]]:
    generation, colon, sides = topology.partition(":")
    dimensions = GENERATIONS.get(generation)
    if dimensions is None:
        raise UserError(
            f"--topology={topology}: known are {', '.join(GENERATIONS)}, such as {_EXAMPLES}"
        )
    if not colon or not re.fullmatch(r"[1-9]\d{0,3}" + r"x[1-9]\d{0,3}" * (dimensions - 1), sides):
        raise UserError(
            f"--topology={topology}: {generation} has {dimensions} dimensions, such as {_EXAMPLES}"
        )
    return generation, [int(side) for side in sides.split("x")]


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].removeprefix("INVALID_ARGUMENT: ")


@contextlib.contextmanager
def _quiet():
    """Without what libtpu writes to standard error about the TPU that it does not find."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
