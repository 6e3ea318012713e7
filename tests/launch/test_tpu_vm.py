"""One command for all hosts of a TPU VM, run here with programs in the place of gcloud's."""

import os
import pathlib
import shlex
import subprocess

import pytest

from launch import slices
from launch.tpu_vm import TpuVm
from painting_jax.errors import UserError
from tests.launch import plans


def _target(accelerator: str = "v5e:4x4") -> TpuVm:
    return TpuVm(slices.find(accelerator), "painter", "us-west4-a")


def _program(folder: pathlib.Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def test_all_hosts_mount_the_buckets_and_start_the_training(monkeypatch, tmp_path):
    line = _target().manifest(plans.run())
    *gcloud, command = shlex.split(line)
    assert gcloud == [
        *("gcloud", "compute", "tpus", "tpu-vm", "ssh", "painter"),
        *("--zone=us-west4-a", "--worker=all"),
    ]
    # On a host: a folder of ours in the place of its root.
    (tmp_path / "painting_jax" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "painting_jax" / ".venv" / "bin" / "activate").write_text("")
    for name, text in {
        "mountpoint": "exit 1",
        "sudo": "exit 0",
        "gcsfuse": 'echo gcsfuse "$@"',
        "python": 'echo python "$@"',
    }.items():
        _program(tmp_path, name, text)
    done = subprocess.run(
        ["bash", "-c", command.removeprefix("--command=")],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:2] == [
        "gcsfuse --implicit-dirs cats /gcs/cats",
        "gcsfuse --implicit-dirs photos /gcs/photos",
    ]
    assert "python -m painting_jax.train" in done.stdout
    assert "--workdir=/gcs/cats/runs/one" in done.stdout


def test_the_command_is_run_with_gcloud(monkeypatch, tmp_path):
    _program(tmp_path, "gcloud", f'printf "%s|" "$@" > {tmp_path}/given.txt; exit $STATUS')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("STATUS", "0")
    target = _target()
    target.check_access()
    assert target.submit(target.manifest(plans.run())) == "painter: done"
    assert "--worker=all" in (tmp_path / "given.txt").read_text().split("|")
    monkeypatch.setenv("STATUS", "143")
    with pytest.raises(UserError, match="ended with status 143"):
        target.submit(target.manifest(plans.run()))


def test_what_cannot_run_there_is_refused(monkeypatch, tmp_path):
    for accelerator in ("tpu7x:2x2x1", "h100:8"):
        with pytest.raises(UserError, match="TPU VMs are v5e, v5p and v6e"):
            _target(accelerator).manifest(plans.run())
    # Each host has a disk of its own.
    with pytest.raises(UserError, match="it must be gs://BUCKET/FOLDER"):
        _target().manifest(plans.run(workdir="runs/x", data="data"))
    assert "--workdir=runs/x" in _target("v5e:2x2").manifest(plans.run(workdir="runs/x"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="gcloud is not on this machine"):
        _target().check_access()
