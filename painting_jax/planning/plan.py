"""A plan: what a training step, or painting, takes on a slice, read from its compiled program."""

import dataclasses
import re

import jax
from ml_collections import ConfigDict

from painting_jax import config_checks
from painting_jax.planning import chips, roofline
from painting_jax.planning.candidates import Candidate, candidates
from painting_jax.planning.hlo import Program, Work
from painting_jax.planning.program import lowered_generation, lowered_step, task_of
from painting_jax.planning.roofline import Times
from painting_jax.planning.topologies import devices_of
from painting_jax.sharding.mesh import AXES, make_mesh
from painting_jax.training.throughput import step_flops

MODES = ("train", "generate")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a program takes on each device of a slice.

    Attributes:
      topology: Name of the slice.
      device: Kind of its devices.
      devices: Number of them.
      mesh: Devices along each axis.
      settings: Fields of the experiment that were chosen.
      mode: "train", a step; or "generate", all steps of one sampling.
      samples: Videos that are trained on or painted.
      memory: Bytes that the program needs on a device; None if the compiler does not say.
      memory_there: Bytes that a device has.
      fits: Whether the compiler took the program.
      useful_flops: FLOPs of all devices that count for the MFU.
      work: What a device does; None if the program does not fit.
      times: Seconds of a device; None if it does not fit.
      repeated: Number of runs of the program.
      tokens: Tokens of all samples.
      peak: FLOP/s of a device.
      would_fit: Settings that are estimated to fit, if these do not.
    """

    topology: str
    device: str
    devices: int
    mesh: dict[str, int]
    settings: str
    mode: str
    samples: int
    memory: float | None
    memory_there: float
    fits: bool
    useful_flops: float
    work: Work | None
    times: Times | None
    repeated: int
    tokens: int
    peak: float
    would_fit: tuple[Candidate, ...] = ()

    @property
    def seconds(self) -> float:
        """Calibrated seconds."""
        return self.repeated * self.times.calibrated

    @property
    def ideal_seconds(self) -> float:
        return self.repeated * self.times.ideal

    def mfu(self, seconds: float) -> float:
        """Share of the peak that the useful FLOPs are, in so many seconds."""
        return self.useful_flops / (seconds * self.devices * self.peak)


def is_default_mesh(config: ConfigDict) -> bool:
    """Whether an experiment leaves its mesh open: all devices along data, which copies weights."""
    return config.mesh.data == -1 and all(config.mesh[a] == 1 for a in AXES if a != "data")


def plan(config: ConfigDict, topology: str, mode: str = "train", settings: str = "") -> Plan:
    """Compiles an experiment for a slice, from shapes alone.

    Args:
      config: Config of the experiment, with its mesh.
      topology: Name of the slice, such as v5p:4x4x4.
      mode: One of `MODES`.
      settings: Description of what was chosen in the config.

    Raises:
      UserError: If there is no such slice, or the config does not fit it.
    """
    devices = devices_of(topology)
    kind = devices[0].device_kind
    chip = chips.chip_of(kind)
    mesh = make_mesh(config.mesh, devices)
    if mode == "train":
        config_checks.check(config, mesh)
    task = task_of(config)
    data = config.data
    video = (data.frames, data.height, data.width)
    work = task.model.family.work(task.model.config, task.model.codec, video, data.text_length)
    if mode == "train":
        lowered, repeated, samples = lowered_step(config, mesh), 1, data.batch_size
        full = getattr(task, "full_finetune", True)
        useful = step_flops(work, samples, full_finetune=full)
    else:
        lowered, samples = lowered_generation(config, mesh), mesh.shape["data"] * mesh.shape["fsdp"]
        repeated = config.sampling.steps
        guided = 1 + (config.sampling.guidance != 1)
        useful = work.forward * samples * repeated * guided
    made = Plan(
        topology=topology,
        device=kind,
        devices=len(devices),
        mesh=dict(mesh.shape),
        settings=settings,
        mode=mode,
        samples=samples,
        memory=None,
        memory_there=chip.memory,
        fits=False,
        useful_flops=useful,
        work=None,
        times=None,
        repeated=repeated,
        tokens=samples * work.tokens,
        peak=chip.peak,
    )
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        others = candidates(config, len(devices), chip) if mode == "train" else []
        fitting = tuple(one for one in others if one.fits)[:3]
        return dataclasses.replace(made, memory=_needed(str(error)), would_fit=fitting)
    needs = compiled.memory_analysis()
    done = Program(compiled.as_text()).work(dict(mesh.shape))
    return dataclasses.replace(
        made,
        memory=needs.argument_size_in_bytes
        + needs.temp_size_in_bytes
        + needs.output_size_in_bytes
        - needs.alias_size_in_bytes,
        fits=True,
        work=done,
        times=roofline.times(done, chip, chips.network(topology)),
    )


def _needed(message: str) -> float | None:
    """Bytes that the compiler says a program would need."""
    found = re.search(r"Used ([\d.]+)([KMG]) of", message)
    return float(found[1]) * 1024 ** (1 + "KMG".index(found[2])) if found else None
