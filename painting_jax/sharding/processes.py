"""The processes of a training on several computers: found in flags or the environment, and joined.

The first of these that is there decides: flags; the variables JAX_COORDINATOR_ADDRESS,
JAX_NUM_PROCESSES and JAX_PROCESS_ID, as launch/gke.py and Kubeflow set them in a JobSet; a step of
Slurm; a TPU slice, on GKE by its variables and on TPU VMs by their metadata server.
"""

import contextlib
import dataclasses
import importlib.util
import re
from collections.abc import Iterator, Mapping

import jax

from painting_jax.errors import UserError
from painting_jax.sharding import rendezvous, tpu_metadata
from painting_jax.sharding.contact import Contact

_ADDRESS = re.compile(r"(\S+):(\d{1,5})")
_ADDRESS_WORDS = "it must be HOST:PORT, of process 0"
_JOBSET = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
_SLURM = (
    "SLURM_JOB_ID",
    "SLURM_STEP_NODELIST",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
)
# A part of a list of nodes: n7, n[1,4-8] or n[1-4]-ib.
_FIRST_NODE = re.compile(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?")
# JAX's own choices: a port for TPUs, and a range of 4096 from which the id of a Slurm job picks
# one, so that two jobs on one computer seldom meet.
_TPU_PORT = 8482
_SLURM_PORTS = range(61_440, 65_536)


@dataclasses.dataclass(frozen=True)
class Processes:
    """The processes that train together.

    Attributes:
      source: What told of them.
      address: HOST:PORT of process 0, where they meet.
      count: Number of processes.
      index: Number of this one, from 0.
      devices: Local numbers of the accelerators of this process; None = all of the computer.
    """

    source: str
    address: str
    count: int
    index: int
    devices: tuple[int, ...] | None = None

    def __str__(self):
        return f"process {self.index} of {self.count} ({self.source}), they meet at {self.address}"


def find(
    address: str | None, count: int | None, index: int | None, environment: Mapping[str, str]
) -> Processes | None:
    """Finds the processes that train together with this one.

    Args:
      address: Flag --coordinator_address.
      count: Flag --process_count; 1 = this process trains alone, whatever the environment says.
      index: Flag --process_id.
      environment: Environment variables.

    Returns:
      The processes; None if this one trains alone.

    Raises:
      UserError: If flags or variables are incomplete or invalid.
    """
    if count == 1 and address is None and index in (None, 0):
        return None
    found = (
        _by_flags(address, count, index)
        or _by_variables(environment)
        or _by_slurm(environment)
        or _by_tpu(environment)
    )
    return found if found and found.count > 1 else None


@contextlib.contextmanager
def joined(processes: Processes | None, wait: float = 600) -> Iterator[None]:
    """Joins the processes, before anything else is asked of JAX, for as long as the block runs.

    Args:
      processes: As `find` found them; None if this process trains alone.
      wait: Seconds until processes that have not come are given up.

    Raises:
      UserError: If they do not meet.
    """
    if processes is None:
        yield
        return
    others = rendezvous.meet(processes.address, processes.count, processes.index, wait)
    with Contact(processes.count, others).kept():
        jax.distributed.initialize(
            processes.address,
            processes.count,
            processes.index,
            local_device_ids=processes.devices,
            # JAX itself would take one GPU for each task of Slurm.
            cluster_detection_method="deactivate",
        )
        yield


def _by_flags(address: str | None, count: int | None, index: int | None) -> Processes | None:
    flags = {"coordinator_address": address, "process_count": count, "process_id": index}
    missing = [f"--{name}" for name, value in flags.items() if value is None]
    if len(missing) == len(flags):
        return None
    if missing:
        raise UserError(
            f"{' and '.join(missing)} missing: of several processes each takes all of "
            "--coordinator_address=HOST:PORT, --process_count and --process_id"
        )
    _check(tuple(f"--{name}" for name in flags), address, count, index)
    return Processes("by flags", address, count, index)


def _by_variables(environment: Mapping[str, str]) -> Processes | None:
    if not any(name in environment for name in _JOBSET):
        return None
    # Pods of an indexed Job have their number.
    given = {"JAX_PROCESS_ID": environment.get("JOB_COMPLETION_INDEX")}
    given |= {name: environment[name] for name in _JOBSET if name in environment}
    missing = [name for name in _JOBSET if given.get(name) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} missing in the environment: several processes take all of "
            f"{', '.join(_JOBSET)}"
        )
    address, count, index = (given[name] for name in _JOBSET)
    count, index = _number(_JOBSET[1], count), _number(_JOBSET[2], index)
    _check(_JOBSET, address, count, index)
    return Processes("by JAX_ variables, as in a JobSet", address, count, index)


def _by_slurm(environment: Mapping[str, str]) -> Processes | None:
    if any(name not in environment for name in _SLURM):
        return None
    job, count, index, local = (
        _number(name, environment[name]) for name in _SLURM if name != "SLURM_STEP_NODELIST"
    )
    first = _FIRST_NODE.match(environment["SLURM_STEP_NODELIST"])
    if not first:
        raise UserError(
            f"SLURM_STEP_NODELIST={environment['SLURM_STEP_NODELIST']!r} names no computer: "
            "start the training with srun"
        )
    host = "".join(filter(None, first.groups()))
    port = environment.get("JAX_COORDINATOR_PORT", _SLURM_PORTS[job % len(_SLURM_PORTS)])
    address = f"{host}:{port}"
    _check(("SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID"), address, count, index)
    # Tasks that share a computer share its GPUs, unless Slurm has bound each to its own.
    tasks = re.match(r"\d+", environment.get("SLURM_STEP_TASKS_PER_NODE", "1"))
    shared = tasks and int(tasks[0]) > 1 and "," in environment.get("CUDA_VISIBLE_DEVICES", ",")
    return Processes("by Slurm", address, count, index, (local,) if shared else None)


def _by_tpu(environment: Mapping[str, str]) -> Processes | None:
    if "tpu" not in environment.get("JAX_PLATFORMS", "tpu"):
        return None
    hosts = environment.get("TPU_PROCESS_ADDRESSES") or environment.get("TPU_WORKER_HOSTNAMES")
    if hosts:
        source, names = "by GKE's TPU variables", hosts.split(",")
        worker = _number("TPU_WORKER_ID", environment.get("TPU_WORKER_ID") or "0")
    # JAX sets the variable where it sees no TPU chip.
    elif importlib.util.find_spec("libtpu") and "TPU_SKIP_MDS_QUERY" not in environment:
        told = tpu_metadata.workers(environment)
        if told is None:
            return None
        source, (names, worker) = "by the TPU's metadata server", told
        environment = tpu_metadata.variables(environment) | dict(environment)
    else:
        return None
    slices = _number("MEGASCALE_NUM_SLICES", environment.get("MEGASCALE_NUM_SLICES") or "1")
    here = _number("MEGASCALE_SLICE_ID", environment.get("MEGASCALE_SLICE_ID") or "0")
    first = environment.get("MEGASCALE_COORDINATOR_ADDRESS") or names[0]
    port = environment.get("JAX_COORDINATOR_PORT", _TPU_PORT)
    address = f"{first.partition(':')[0]}:{port}"
    count, index = slices * len(names), here * len(names) + worker
    _check(("TPU_WORKER_HOSTNAMES", "number of workers", "TPU_WORKER_ID"), address, count, index)
    return Processes(source, address, count, index)


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{name}={text!r}: it must be a whole number from 0")
    return int(text)


def _check(names: tuple[str, ...], address: str, count: int, index: int) -> None:
    match = _ADDRESS.fullmatch(address)
    if not match or not 0 < int(match[2]) < 65_536:
        raise UserError(f"{names[0]}={address}: {_ADDRESS_WORDS}")
    if count < 1:
        raise UserError(f"{names[1]}={count}: it must be at least 1")
    if not 0 <= index < count:
        raise UserError(f"{names[2]}={index}: it must be from 0 to {count - 1}, below {names[1]}")
