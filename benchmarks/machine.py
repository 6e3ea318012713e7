"""Description of the machine that a benchmark runs on."""

import importlib.metadata
import os
import pathlib
import platform

import jax

_PACKAGES = ("jax", "flax", "numpy", "grain", "pillow")


def describe() -> list[str]:
    """Lines about processor, memory, devices, versions and load of the machine."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    devices = jax.devices()
    return [
        f"{_processor()}; {len(os.sched_getaffinity(0))} cores, {_memory_gib():.0f} GiB",
        f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        f"Python {platform.python_version()}, {versions}; {platform.platform(terse=True)}",
        f"load before the start (1, 5, 15 minutes): {load}",
    ]


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
