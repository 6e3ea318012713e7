"""Settings that an experiment could run with on a number of devices, the most promising first."""

import dataclasses
import math
from collections.abc import Iterator, Mapping

from ml_collections import ConfigDict

from painting_jax.planning.chips import Chip
from painting_jax.planning.estimate import Estimate, estimate
from painting_jax.planning.program import task_of
from painting_jax.sharding.mesh import AXES

# Share of a device's memory that an estimate may fill.
_FULL = 0.9
_REMAT = ("attention_projections", "attention_ffn", "attention", "full")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Settings and what they are estimated to take.

    Attributes:
      config: Config of the experiment with the settings.
      changed: Fields that differ from the experiment's, with their values.
      estimate: What a step takes on each device.
      fits: Whether it is estimated to fit into memory.
    """

    config: ConfigDict
    changed: Mapping[str, object]
    estimate: Estimate
    fits: bool

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.config.data.batch_size / self.estimate.seconds

    @property
    def flags(self) -> str:
        return " ".join(f"--config.{name}={value}" for name, value in self.changed.items())


def candidates(config: ConfigDict, devices: int, chip: Chip) -> list[Candidate]:
    """All candidates: those that fit by their rate, then the others by their memory.

    Meshes of data, fsdp and sequence are tried with one sample or the experiment's batch size over
    data and fsdp, and with the policies of rematerialisation.
    """
    found = []
    for mesh in _meshes(devices):
        for policy in _REMAT:
            changed = dict(mesh) | {"model.remat": policy}
            shards = mesh["mesh.data"] * mesh["mesh.fsdp"]
            changed["data.batch_size"] = -(-config.data.batch_size // shards) * shards
            other = config.copy_and_resolve_references()
            other.update_from_flattened_dict(changed)
            sizes = {axis: other.mesh[axis] for axis in AXES}
            if other.model.dim % (sizes["fsdp"] * sizes["sequence"]):
                continue
            taken = estimate(task_of(other), sizes, chip)
            fits = taken.memory <= _FULL * chip.memory
            changed = {n: v for n, v in changed.items() if _value(config, n) != v}
            found.append(Candidate(other, changed, taken, fits))

    def order(one: Candidate) -> tuple:
        # Rates within some percent are equal, and the one that needs less memory is better.
        return not one.fits, -round(20 * math.log(one.rate)) if one.fits else 0, one.estimate.memory

    return sorted(found, key=order)


def _meshes(devices: int) -> Iterator[dict[str, int]]:
    for sequence in (n for n in range(1, devices + 1) if devices % n == 0 and n <= 64):
        for fsdp in (n for n in range(1, devices // sequence + 1) if devices // sequence % n == 0):
            # Copies over data are for what fsdp cannot divide.
            yield {
                "mesh.data": devices // sequence // fsdp,
                "mesh.fsdp": fsdp,
                "mesh.tensor": 1,
                "mesh.sequence": sequence,
            }


def _value(config: ConfigDict, name: str):
    section, _, field = name.rpartition(".")
    return config[section][field]
