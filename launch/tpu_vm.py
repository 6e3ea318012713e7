"""A TPU VM that exists: one command starts the training on all of its hosts."""

import dataclasses
import shlex
import shutil
import subprocess

from launch import buckets, image
from launch.runs import Run
from launch.slices import Slice
from painting_jax.errors import UserError

# Where docs/launch.md lets the reader install painting_jax on the hosts.
_FOLDER = "painting_jax"
# The Cloud TPU API ends with v6e.
_NOT_THERE = "tpu7x"


@dataclasses.dataclass(frozen=True)
class TpuVm:
    """A TPU VM.

    Attributes:
      asked: Accelerators that it has.
      name: Name of the TPU VM.
      zone: Its zone; None = gcloud's default.
    """

    asked: Slice
    name: str
    zone: str | None

    def manifest(self, run: Run) -> str:
        """A line for a shell; see `target.Target`."""
        if not self.asked.on_tpu or self.asked.name.startswith(_NOT_THERE):
            raise UserError(
                f"--accelerator={self.asked.name}: TPU VMs are v5e, v5p and v6e; others are for "
                "--target=gke"
            )
        if self.asked.hosts > 1:
            buckets.require("tpu_vm", [("--workdir", run.workdir)])
        mounts = [_mount(name) for name in buckets.of(run.arguments)]
        training = shlex.join([*image.COMMAND, *buckets.mounted(run.arguments)])
        there = " && ".join([*mounts, f"cd {_FOLDER}", ". .venv/bin/activate", training])
        line = ["gcloud", "compute", "tpus", "tpu-vm", "ssh", self.name]
        line += [f"--zone={self.zone}"] if self.zone else []
        return shlex.join([*line, "--worker=all", f"--command={there}"]) + "\n"

    def check_access(self) -> None:
        """Checks that there is gcloud; see `target.Target`."""
        if shutil.which("gcloud") is None:
            raise UserError(
                "gcloud is not on this machine: install the Google Cloud CLI, or print the command "
                "with --dry_run"
            )

    def submit(self, manifest: str) -> str:
        """Runs the command, with its output here; see `target.Target`."""
        status = subprocess.call(shlex.split(manifest))
        if status:
            raise UserError(f"{self.name}: gcloud or the training ended with status {status}")
        return f"{self.name}: done"


def _mount(bucket: str) -> str:
    folder = f"{buckets.ROOT}/{bucket}"
    return (
        f"(mountpoint -q {folder} || (sudo mkdir -p {folder} && sudo chown $USER {folder} && "
        f"gcsfuse --implicit-dirs {bucket} {folder}))"
    )
