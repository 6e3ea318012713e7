"""Accelerators by name, such as v5p:4x4x4 or h100:2x8: how many hosts and devices they are.

Facts on TPUs are those of "Plan TPUs in GKE" (cloud.google.com/kubernetes-engine/docs/concepts/
plan-tpus): the values of GKE's node labels, the topologies, and hosts of four chips.
"""

import dataclasses
import math
import re

from ml_collections import ConfigDict

from painting_jax import config_checks
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh

_CHIPS_PER_HOST = 4
_CUBE = 64  # chips of 4x4x4, of which large slices of three dimensions consist
_BELOW_A_CUBE = ("2x2x1", "2x2x2", "2x2x4", "2x4x4")
_FLAT = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")


@dataclasses.dataclass(frozen=True)
class Tpu:
    """A kind of TPU.

    Attributes:
      label: Value of GKE's node label cloud.google.com/gke-tpu-accelerator.
      topologies: Its topologies; of three dimensions, those below a cube.
      cubes: Number of cubes of the largest slice; 0 = none.
      devices_per_chip: Number of devices that JAX sees for each chip.
    """

    label: str
    topologies: tuple[str, ...]
    cubes: int = 0
    devices_per_chip: int = 1

    def has(self, topology: str) -> bool:
        """Whether the topology exists."""
        if topology in self.topologies:
            return True
        if not re.fullmatch(r"[1-9]\d{0,2}(x[1-9]\d{0,2}){2}", topology):
            return False
        sides = [int(side) for side in topology.split("x")]
        in_order = sides == sorted(sides) and all(side % 4 == 0 for side in sides)
        return in_order and math.prod(sides) <= self.cubes * _CUBE

    def listing(self) -> str:
        """All topologies, in words."""
        words = ", ".join(self.topologies)
        if not self.cubes:
            return words
        most = self.cubes * _CUBE
        return f"{words}, or AxBxC in multiples of 4 with A<=B<=C and at most {most} chips"


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A kind of GPU.

    Attributes:
      label: Value of GKE's node label cloud.google.com/gke-accelerator; empty = not on GKE.
      vertex: Vertex AI's name of it.
      machines: Number of GPUs of a machine -> Vertex AI's type of that machine.
    """

    label: str = ""
    vertex: str = ""
    machines: dict[int, str] = dataclasses.field(default_factory=dict)


def _machines(name: str, *counts: int) -> dict[int, str]:
    return {count: name.format(count) for count in counts}


TPUS = {
    "v5e": Tpu("tpu-v5-lite-podslice", _FLAT),
    "v5p": Tpu("tpu-v5p-slice", _BELOW_A_CUBE, cubes=140),
    "v6e": Tpu("tpu-v6e-slice", _FLAT),
    "tpu7x": Tpu("tpu7x", ("1x1x1", *_BELOW_A_CUBE), cubes=144, devices_per_chip=2),
}
GPUS = {
    "l4": Gpu(
        "nvidia-l4",
        "NVIDIA_L4",
        {1: "g2-standard-12", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"},
    ),
    "a100": Gpu("nvidia-tesla-a100", "NVIDIA_TESLA_A100", _machines("a2-highgpu-{}g", 1, 2, 4, 8)),
    "a100-80gb": Gpu(
        "nvidia-a100-80gb", "NVIDIA_A100_80GB", _machines("a2-ultragpu-{}g", 1, 2, 4, 8)
    ),
    "h100": Gpu("nvidia-h100-80gb", "NVIDIA_H100_80GB", _machines("a3-highgpu-{}g", 1, 2, 4, 8)),
    "h200": Gpu("nvidia-h200-141gb", "NVIDIA_H200_141GB", _machines("a3-ultragpu-{}g", 8)),
    "b200": Gpu("nvidia-b200", "NVIDIA_B200", _machines("a4-highgpu-{}g", 8)),
    # Of whatever kind a Slurm cluster has.
    "gpu": Gpu(),
}


@dataclasses.dataclass(frozen=True)
class Slice:
    """What one training runs on.

    Attributes:
      name: What the user wrote, such as v5p:4x4x4.
      kind: Kind of its accelerators.
      topology: What stands after the colon.
      hosts: Number of hosts of one slice, or of nodes with GPUs.
      chips: Number of chips or GPUs of each host.
      count: Number of slices.
    """

    name: str
    kind: Tpu | Gpu
    topology: str
    hosts: int
    chips: int
    count: int = 1

    @property
    def on_tpu(self) -> bool:
        """Whether the accelerators are TPUs."""
        return isinstance(self.kind, Tpu)

    @property
    def devices(self) -> int:
        """Number of devices that JAX sees, over all slices."""
        each = self.kind.devices_per_chip if isinstance(self.kind, Tpu) else 1
        return self.count * self.hosts * self.chips * each


def find(name: str, count: int = 1) -> Slice:
    """The accelerators of a name.

    Args:
      name: KIND:TOPOLOGY of a TPU slice, or KIND:GPUS or KIND:NODESxGPUS.
      count: Number of TPU slices.

    Raises:
      UserError: If there are none of this name. The message lists those that exist.
    """
    kind, _, topology = name.partition(":")
    if kind not in TPUS | GPUS:
        known = ", ".join(f"{tpu}:TOPOLOGY" for tpu in TPUS)
        gpus = ", ".join(GPUS)
        raise UserError(
            f"--accelerator={name}: it must be {known}, or KIND:GPUS or KIND:NODESxGPUS with one "
            f"of {gpus}"
        )
    if count < 1:
        raise UserError(f"--slice_count={count}: it must be at least 1")
    if kind in GPUS:
        if count > 1:
            raise UserError(f"--slice_count={count}: GPUs have no slices: write {kind}:NODESxGPUS")
        return _gpus(name, kind, topology)
    tpu = TPUS[kind]
    if not tpu.has(topology):
        raise UserError(f"--accelerator={name}: topologies of {kind} are {tpu.listing()}")
    chips = math.prod(int(side) for side in topology.split("x"))
    per_host = min(chips, _CHIPS_PER_HOST)
    return Slice(name, tpu, topology, chips // per_host, per_host, count)


def _gpus(name: str, kind: str, topology: str) -> Slice:
    if not (match := re.fullmatch(r"(?:([1-9]\d{0,3})x)?([1-9]\d?)", topology)):
        raise UserError(
            f"--accelerator={name}: it must be {kind}:GPUS or {kind}:NODESxGPUS, such as {kind}:8 "
            f"or {kind}:2x8"
        )
    nodes, gpus = int(match[1] or 1), int(match[2])
    sizes = GPUS[kind].machines
    if sizes and gpus not in sizes:
        sizes_words = ", ".join(map(str, sizes))
        raise UserError(f"--accelerator={name}: nodes with {kind} have {sizes_words} GPUs")
    return Slice(name, GPUS[kind], topology, nodes, gpus)


@dataclasses.dataclass(frozen=True)
class _Device:
    """A device that is asked for and not there yet, as a mesh sees it."""

    id: int
    slice_index: int
    process_index: int = 0
    platform: str = "asked for"
    device_kind: str = "asked for"


def check(config: ConfigDict, asked: Slice) -> None:
    """Checks an experiment as its training would on these accelerators.

    Raises:
      UserError: If the mesh does not match the devices, or the batch or the model the mesh, or a
        value is out of its range.
    """
    each = asked.devices // asked.count
    devices = [_Device(number, number // each) for number in range(asked.devices)]
    try:
        config_checks.check(config, make_mesh(config.mesh, devices))
    except UserError as error:
        of = f"{asked.count} x " * (asked.count > 1)
        raise UserError(f"on {of}{asked.name} ({asked.devices} devices): {error}") from None
