"""Batch scripts for Slurm, run here with programs in the place of Slurm's."""

import os
import pathlib
import re
import subprocess

import pytest

from launch import slices
from launch.slurm import Slurm
from painting_jax.errors import UserError
from tests.launch import plans

_ASKED = slices.find("gpu:2x4")


def _script(workdir: str = "runs/my cats") -> str:
    return Slurm(_ASKED).manifest(plans.run(workdir=workdir, data="data"))


def _program(folder: pathlib.Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_script_asks_for_a_task_on_each_node_and_to_be_requeued():
    options = re.findall(r"^#SBATCH --(\S+)$", _script(), re.MULTILINE)
    assert {"nodes=2", "ntasks-per-node=1", "gpus-per-node=4", "requeue"} <= set(options)
    # Time to save, before the limit of the job.
    assert "signal=TERM@300" in options


@pytest.mark.parametrize(("status", "requeued"), [(0, False), (2, False), (1, False), (143, True)])
def test_a_script_is_requeued_if_its_training_was_stopped_and_saved(
    monkeypatch, tmp_path, status, requeued
):
    monkeypatch.chdir(tmp_path)
    _program(tmp_path, "srun", f'printf "%s|" "$@" > srun.txt; exit {status}')
    _program(tmp_path, "scontrol", 'echo "$@" > scontrol.txt')
    done = subprocess.run(
        ["bash", "-s"],
        input=_script(),
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"},
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert (tmp_path / "scontrol.txt").exists() == requeued
    started = (tmp_path / "srun.txt").read_text().split("|")
    assert "--workdir=runs/my cats" in started
    if requeued:
        assert (tmp_path / "scontrol.txt").read_text() == "requeue 7\n"


def test_the_shell_outlives_the_signal_that_stops_the_training(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    _program(tmp_path, "srun", "kill -TERM $PPID; sleep 0.2; exit 143")
    _program(tmp_path, "scontrol", 'echo "$@" > scontrol.txt')
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    (tmp_path / "job.sh").write_text(_script())
    assert subprocess.run(["bash", "job.sh"], env=environment, check=False).returncode == 143
    assert (tmp_path / "scontrol.txt").exists()


def test_a_script_is_given_to_sbatch(monkeypatch, tmp_path):
    _program(tmp_path, "sbatch", f"cat > {tmp_path}/job.sh; echo '12;cluster'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    target = Slurm(_ASKED)
    target.check_access()
    assert target.submit(_script()) == "Slurm job 12: squeue --job=12"
    assert (tmp_path / "job.sh").read_text() == _script()
    _program(tmp_path, "sbatch", "echo 'invalid account' >&2; exit 1")
    with pytest.raises(UserError, match="sbatch: invalid account"):
        target.submit(_script())


def test_what_cannot_run_there_is_refused(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="with --target=slurm it must be GPUs"):
        Slurm(slices.find("v5p:4x4x4")).manifest(plans.run(workdir="x", data="data"))
    with pytest.raises(UserError, match="nodes of Slurm share a disk"):
        _script("gs://cats/runs")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sbatch is not on this machine"):
        Slurm(_ASKED).check_access()
