"""Runs that tests of targets start from."""

from launch import runs
from launch.runs import Run
from tests import tiny

IMAGE = "registry.example/project/painting:1"
CONFIG = f"--config={tiny.ROOT / 'configs' / 'small.py'}:steps=10"


def run(*more: str, workdir: str = "gs://cats/runs/one", data: str = "gs://photos/data") -> Run:
    """A run of configs/small.py."""
    [planned] = runs.of([CONFIG, f"--workdir={workdir}", f"--data_dir={data}", *more], [])
    return planned
