"""What a device has and does at best, as its vendor states it."""

import dataclasses
import re

from painting_jax.training.throughput import peak_flops


@dataclasses.dataclass(frozen=True)
class Chip:
    """What JAX counts as one device.

    Attributes:
      memory: Bytes that a program can have.
      peak: Dense bfloat16 FLOP/s.
      bandwidth: Bytes per second of its memory.
      interconnect: Bytes per second that it sends to its neighbours, over all links.
      clock: Cycles per second of the matrix units; 0 = not known.
    """

    memory: float
    peak: float
    bandwidth: float
    interconnect: float
    clock: float = 0.0


# Device kind -> memory, bandwidth, interconnect and clock. The memory is what the compiler gives a
# program. The clock follows from the peak: v5p has 8 matrix units of 128x128 multiply-adds a chip,
# v5e has 4, v6e has 4 of 256x256. A device of TPU 7x is one of a chip's two cores, and has half of
# its links.
_TPUS = {
    "TPU v5": (95.7e9, 2765e9, 600e9, 1.75e9),
    "TPU v5 lite": (16.9e9, 819e9, 200e9, 1.5e9),
    "TPU v6 lite": (33.5e9, 1640e9, 448e9, 1.75e9),
    "TPU7x": (101.5e9, 3690e9, 600e9, 2.2e9),
}


def chip_of(device_kind: str) -> Chip | None:
    """The chip of a TPU's device kind; None if it is not known."""
    peak = peak_flops(device_kind)
    if peak is None or device_kind not in _TPUS:
        return None
    memory, bandwidth, interconnect, clock = _TPUS[device_kind]
    return Chip(memory, peak, bandwidth, interconnect, clock)


# Generation in the name of a topology -> dimensions of its network.
GENERATIONS = {"v5p": 3, "v5e": 2, "v6e": 2, "tpu7x": 3}


def network(topology: str) -> tuple[int, ...]:
    """Chips along each dimension of a slice's network, from a name such as v5p:4x4x4."""
    return tuple(int(size) for size in re.findall(r"\d+", topology.partition(":")[2]))
