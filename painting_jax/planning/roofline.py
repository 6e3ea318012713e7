"""How long a compiled program takes, from what it computes, moves and sends.

Two predictions: the ideal one takes everything at its peak, and hides the shorter parts behind the
longest one. The calibrated one adds up the compiler's own estimate of its cycles, attention kernels
at the share of the peak that they reach, and the exchanges that the program waits for.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from painting_jax.planning.chips import Chip
from painting_jax.planning.hlo import Collective, Work

# Share of the peak that attention kernels reach. With it, the program of Wan2.1 T2V 14B at 720p and
# 81 frames on four chips of v5p takes about the 36.0 s that MaxDiffusion publishes (docs/scale.md).
KERNEL_SHARE = 0.55


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of one run of a program on each device.

    Attributes:
      matrix: Matrix products at the peak.
      memory: Bytes at the bandwidth of the memory.
      interconnect: Exchanges by the axes of the mesh.
      cycles: The compiler's estimate for all but kernels and exchanges.
      kernels: Attention kernels at `KERNEL_SHARE` of the peak.
    """

    matrix: float
    memory: float
    interconnect: dict[tuple[str, ...], float]
    cycles: float
    kernels: float

    @property
    def exchanges(self) -> float:
        return sum(self.interconnect.values())

    @property
    def ideal(self) -> float:
        return max(self.matrix, self.memory, self.exchanges)

    @property
    def calibrated(self) -> float:
        return self.cycles + self.kernels + self.exchanges

    @property
    def bound(self) -> str:
        """The largest part of the calibrated prediction, in words."""
        parts = {
            "attention kernels": self.kernels,
            "matrix products": min(self.matrix, self.cycles),
            "elementwise work and copies": self.cycles - min(self.matrix, self.cycles),
            "interconnect": self.exchanges,
        }
        return max(parts, key=parts.__getitem__)


def times(work: Work, chip: Chip, network: Sequence[int]) -> Times:
    """The times of a program.

    Args:
      work: What one device does.
      chip: The device.
      network: Chips along each dimension of the slice's network.
    """
    flops = work.product_flops + work.kernel_flops
    exchanges: dict[tuple[str, ...], float] = {}
    for collective, sent in work.sent.items():
        if collective.devices > 1:
            seconds = _seconds(collective, sent, chip, network)
            exchanges[collective.axes] = exchanges.get(collective.axes, 0.0) + seconds
    return Times(
        matrix=flops / chip.peak,
        memory=work.bytes / chip.bandwidth,
        interconnect=exchanges,
        cycles=work.cycles / chip.clock,
        kernels=work.kernel_flops / (KERNEL_SHARE * chip.peak),
    )


def _seconds(collective: Collective, result: float, chip: Chip, network: Sequence[int]) -> float:
    """Seconds of an exchange whose result has so many bytes on each device."""
    n = collective.devices
    others = (n - 1) / n
    # Bytes that pass each device. Of a ring, each piece of an all-to-all passes a quarter.
    passing: Mapping[str, float] = {
        "all-gather": result * others,
        "reduce-scatter": result * (n - 1),
        "all-reduce": 2 * result * others,
        "all-to-all": result * max(1.0, n / 4) * others,
        "collective-permute": result,
    }
    # A group spans some dimensions of the network, and its exchange uses the links of these.
    spanned = math.log(n) / math.log(max(network)) if max(network, default=1) > 1 else 1.0
    share = min(1.0, max(1, math.ceil(spanned - 1e-9)) / len(network))
    return passing.get(collective.kind, result) / (share * chip.interconnect)
