"""Slurm: a batch script for each run, one task for each node, requeued until the run is trained."""

import dataclasses
import os
import shlex
import shutil
import subprocess

from launch import buckets, image
from launch.runs import Run
from launch.slices import Slice
from painting_jax.errors import UserError

# Seconds before the time limit at which Slurm sends SIGTERM: a step ends and is saved.
_GRACE = 300

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={name}-%j.log
#SBATCH --signal=TERM@{grace}

cd {folder} || exit 2
# With a handler of its own, the shell lives until srun has ended; srun's tasks get the signal too.
trap : TERM
srun --kill-on-bad-exit=0 {command}
status=$?
# 143: stopped by SIGTERM and saved. The same command resumes.
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"""


@dataclasses.dataclass(frozen=True)
class Slurm:
    """The Slurm cluster that this machine submits to.

    Attributes:
      asked: Accelerators of each run.
    """

    asked: Slice

    def manifest(self, run: Run) -> str:
        """A batch script; see `target.Target`."""
        if self.asked.on_tpu:
            raise UserError(
                f"--accelerator={self.asked.name}: with --target=slurm it must be GPUs, such as "
                "gpu:2x8"
            )
        if named := buckets.of(run.arguments):
            raise UserError(f"gs://{named[0]}: nodes of Slurm share a disk: name a folder on it")
        return _SCRIPT.format(
            name=run.name,
            nodes=self.asked.hosts,
            gpus=self.asked.chips,
            grace=_GRACE,
            folder=shlex.quote(os.getcwd()),
            command=shlex.join([*image.COMMAND, *run.arguments]),
        )

    def check_access(self) -> None:
        """Checks that there is Slurm; see `target.Target`."""
        if shutil.which("sbatch") is None:
            raise UserError(
                "sbatch is not on this machine: run it where Slurm is, or print the script with "
                "--dry_run"
            )

    def submit(self, manifest: str) -> str:
        """Gives the script to sbatch; see `target.Target`."""
        done = subprocess.run(
            ["sbatch", "--parsable"], input=manifest, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UserError(f"sbatch: {' '.join(done.stderr.split()) or done.returncode}")
        number = done.stdout.strip().partition(";")[0]
        return f"Slurm job {number}: squeue --job={number}"
