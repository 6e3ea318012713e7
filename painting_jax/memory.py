"""Memory: how much there is, and errors for lack of it in one line with the numbers."""

import contextlib
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from painting_jax.errors import UserError

# Limits of a container, in versions 2 and 1 of Linux' control groups.
_CONTAINER = pathlib.Path("/sys/fs/cgroup")
_CONTAINER_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
# The amount that an allocator was asked for.
_ASKED = re.compile(r"alloc\w*\s+(?P<size>[\d.]+)\s?(?P<unit>bytes|[KMGTPE]i?B?)\b", re.IGNORECASE)
# XLA's words for a program that is refused when it is compiled.
_PROGRAM = re.compile(r"Used (?P<size>[\d.]+)(?P<unit>[KMGTPE]) of ")
_UNITS = "KMGTPE"


def host() -> int:
    """Bytes of memory that this machine, or the container around this process, has."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _CONTAINER_LIMITS:
        # "max" is no limit.
        with contextlib.suppress(OSError, ValueError):
            limits.append(int((_CONTAINER / name).read_text()))
    return min(limits)


def of_device(device: Any) -> int | None:
    """Bytes that JAX may use on a device; None if it does not say, as for a CPU."""
    return (device.memory_stats() or {}).get("bytes_limit")


def in_use(mesh: Any) -> dict[str, float]:
    """Most GB that a device of this process has had in use, for the log; empty for CPUs."""
    stats = [device.memory_stats() or {} for device in mesh.local_devices]
    peaks = [one["peak_bytes_in_use"] for one in stats if "peak_bytes_in_use" in one]
    return {"memory_gb": max(peaks) / 1e9} if peaks else {}


def in_words(count: float) -> str:
    """Bytes as people read them, such as "3.2 GiB"."""
    power = min(max(0, int(count).bit_length() - 1) // 10, len(_UNITS))
    unit = f"{_UNITS[power - 1]}iB" if power else "bytes"
    return f"{count / 1024**power:,.{min(power, 1)}f} {unit}"


def is_exhausted(error: BaseException) -> bool:
    """Whether an error says that a device or the machine has no memory left."""
    if isinstance(error, MemoryError):
        return True
    # JAX need not be imported.
    of_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return of_jax and bool(re.search("RESOURCE_EXHAUSTED|OUT_OF_MEMORY", str(error)))


def shortage(error: BaseException) -> str:
    """What an error says of the memory that was asked for, and how much there is."""
    match = _PROGRAM.search(str(error)) or _ASKED.search(str(error))
    asked = ""
    if match:
        power = _UNITS.find(match["unit"][0].upper()) + 1
        asked = f": {in_words(float(match['size']) * 1024**power)} asked for at once"
    on_host = isinstance(error, MemoryError)
    available = host()
    jax = sys.modules.get("jax")
    if jax is not None and not on_host:
        limit = of_device(jax.local_devices()[0])
        on_host, available = limit is None, limit or available
    where = "this machine" if on_host else "a device"
    return f"out of memory{asked}; {where} has {in_words(available)}"


def require(needed: int, what: str, devices: Sequence[Any], advice: str) -> None:
    """Compares what is about to be loaded with the memory of the devices that share it.

    Args:
      needed: Bytes.
      what: Description of what needs them.
      devices: Devices of JAX.
      advice: What to do about it.

    Raises:
      UserError: If there is less.
    """
    limits = [of_device(device) for device in devices]
    there = host() if None in limits else sum(limits)
    if needed > there:
        raise UserError(
            f"{what} needs {in_words(needed)} of memory, there are {in_words(there)}: {advice}"
        )


@contextlib.contextmanager
def explained(advice: Callable[[], str]) -> Iterator[None]:
    """Turns an error for lack of memory into one line.

    Args:
      advice: Returns what to do about it.

    Raises:
      UserError: If the block runs out of memory.
    """
    try:
        yield
    except Exception as error:
        if not is_exhausted(error):
            raise
        raise UserError(f"{shortage(error)}: {advice()}") from error
