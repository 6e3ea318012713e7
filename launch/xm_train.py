"""Starts trainings through XManager, with the flags of painting_jax.train.

  python launch/xm_train.py --config=configs/demo.py --data_dir=DATA --workdir=RUN

Flags of the launcher are those below and all that begin with --xm_; the others are passed to the
training unchanged. --target=local (the default) trains on this machine, in this environment, with
its output on this terminal. It needs no container and no account. Ctrl-C and SIGTERM stop the
training once its step is done and saved, and its exit status becomes this program's. The other
targets submit a manifest: gke a JobSet, vertex a custom job, slurm a batch script, tpu_vm one
command for all hosts. The same command again resumes from the last checkpoint.

--dry_run prints the manifests, checked, and starts nothing. --sweep.FIELD=VALUE,VALUE starts one
run for each value of a config field, in a subfolder of --workdir; several sweeps are combined.

XManager lists its experiments in ~/.xmanager; --xm_db_yaml_config_path sets another database.
docs/launch.md has a command for each target.
"""

import pathlib
import sys

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()
    # The modules beside this one, from wherever it is started.
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import asyncio
import subprocess

from absl import flags

from launch import command_line, sweep
from painting_jax import cli
from painting_jax.errors import UserError

_TRAINING = "painting_jax.train"
_HELP = ("--help", "-help", "-h")

_TARGET = flags.DEFINE_enum(
    "target", "local", ["local", "gke", "vertex", "slurm", "tpu_vm"], "Where the training runs."
)
flags.DEFINE_alias("xm_executor", "target")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be submitted, and start nothing.")
_ACCELERATOR = flags.DEFINE_string(
    "accelerator",
    None,
    "Accelerators of each run: KIND:TOPOLOGY of TPUs, as v5p:4x4x4, or KIND:GPUS or "
    "KIND:NODESxGPUS, as h100:2x8.",
)
_SLICE_COUNT = flags.DEFINE_integer("slice_count", None, "Number of TPU slices of each run (gke).")
_IMAGE = flags.DEFINE_string(
    "image", None, "Container image, as REGISTRY/PROJECT/NAME:TAG (gke, vertex)."
)
_REGION = flags.DEFINE_string("region", None, "Region of Vertex AI [default: us-central1].")
_TPU_NAME = flags.DEFINE_string("tpu_name", None, "Name of the TPU VM (tpu_vm).")
_ZONE = flags.DEFINE_string("zone", None, "Zone of the TPU VM [default: gcloud's].")

# Target -> flags that it needs, and flags that it may have.
_NEEDED = {
    "local": (),
    "gke": (_ACCELERATOR, _IMAGE),
    "vertex": (_ACCELERATOR, _IMAGE),
    "slurm": (_ACCELERATOR,),
    "tpu_vm": (_ACCELERATOR, _TPU_NAME),
}
_POSSIBLE = {"gke": (_SLICE_COUNT,), "vertex": (_REGION,), "tpu_vm": (_ZONE,)}
_OF_TARGETS = (_ACCELERATOR, _SLICE_COUNT, _IMAGE, _REGION, _TPU_NAME, _ZONE)

_OWN = {"xm_executor", _TARGET.name, _DRY_RUN.name, f"no{_DRY_RUN.name}"}
_OWN |= {flag.name for flag in _OF_TARGETS}


def split(argv: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Splits a command line into the launcher's part (XManager's too), sweep and training's."""

    def has_value(name: str) -> bool:
        return name in flags.FLAGS and not flags.FLAGS[name].boolean

    swept, rest = command_line.take(
        argv, lambda name: name.startswith(sweep.PREFIX), lambda _: True
    )
    own, arguments = command_line.take(
        rest, lambda name: name in _OWN or name.startswith(("xm_", "noxm_")), has_value
    )
    return own, swept, arguments


def _main(swept: list[str], arguments: list[str]) -> None:
    try:
        import xmanager  # noqa: F401, PLC0415
    except ImportError:
        raise UserError(
            "XManager is not installed: pip install -c constraints.txt -e '.[launch]', where "
            "the constraints spare pip a long search"
        ) from None
    _check_flags()
    # They need XManager, or take seconds.
    from launch import runs, slices  # noqa: PLC0415

    asked = slices.find(_ACCELERATOR.value, _SLICE_COUNT.value or 1) if _ACCELERATOR.value else None
    planned = runs.of(arguments, swept)
    if asked is None:
        _on_this_machine(planned)
        return
    target = _target(asked)
    for run in planned:
        slices.check(run.config, asked)
    manifests = [target.manifest(run) for run in planned]
    if _DRY_RUN.value:
        separator = "---\n" if _TARGET.value in ("gke", "vertex") else "\n"
        print(separator.join(manifests), end="")
        return
    target.check_access()
    from launch import submission  # noqa: PLC0415

    submitted = list(zip(planned, manifests, strict=True))
    asyncio.run(submission.submit(_experiment(), target, submitted, print))


def _on_this_machine(planned: list) -> None:
    from launch import local  # noqa: PLC0415

    if _DRY_RUN.value:
        print("\n".join(map(local.command, planned)))
    else:
        sys.exit(asyncio.run(local.launch(_experiment(), planned)))


def _check_flags() -> None:
    target = _TARGET.value
    cli.refuse_empty(*_OF_TARGETS)
    for flag in _NEEDED[target]:
        if flag.value is None:
            words = flags.FLAGS[flag.name].help
            raise UserError(f"--{flag.name} is missing with --target={target}: {words}")
    # Flags cannot be compared, their names can.
    possible = {flag.name for flag in _NEEDED[target] + _POSSIBLE.get(target, ())}
    for flag in _OF_TARGETS:
        if flag.value is not None and flag.name not in possible:
            raise UserError(f"--{flag.name} does nothing with --target={target}: leave it out")


def _target(asked):
    from launch import gke, slurm, tpu_vm, vertex  # noqa: PLC0415

    return {
        "gke": lambda: gke.Gke(asked, _IMAGE.value),
        "vertex": lambda: vertex.Vertex(asked, _IMAGE.value, _REGION.value or "us-central1"),
        "slurm": lambda: slurm.Slurm(asked),
        "tpu_vm": lambda: tpu_vm.TpuVm(asked, _TPU_NAME.value, _ZONE.value),
    }[_TARGET.value]()


def _experiment():
    """A new experiment in XManager's list.

    Raises:
      UserError: If XManager cannot write its list of experiments.
    """
    import sqlalchemy  # noqa: PLC0415
    from xmanager import xm_local  # noqa: PLC0415

    try:
        return xm_local.create_experiment(experiment_title="painting_jax")
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        reason = getattr(error, "orig", None) or error
        raise UserError(
            f"XManager cannot keep its list of experiments in {pathlib.Path.home() / '.xmanager'} "
            f"({reason}): make it writable or give --xm_db_yaml_config_path"
        ) from error


def run(argv: list[str]) -> None:
    """Runs the launcher with arguments."""
    # Defines --xm_db_yaml_config_path, if XManager is there.
    own, swept, arguments = split(argv)
    if any(arg in _HELP for arg in arguments):
        print(f"{cli.help_of(sys.modules[__name__])}\n\nThe training job:\n", flush=True)
        sys.exit(subprocess.call([sys.executable, "-m", _TRAINING, "--help"]))

    def main() -> None:
        _main(swept, arguments)

    cli.run(main, [sys.argv[0], *own])


if __name__ == "__main__":
    run(sys.argv[1:])
