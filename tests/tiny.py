"""A data set and a model so small that training them takes seconds, mostly to compile."""

import os
import pathlib
import subprocess

from tests import compiler
from tests.synthetic import build_painted, write_photos

ROOT = pathlib.Path(__file__).parents[1]

# The smallest model that has every part.
FLAGS = (
    "--config.steps=2",
    "--config.optimizer.warmup_steps=1",
    "--config.model.dim=32",
    "--config.model.layers=1",
    "--config.model.heads=2",
    "--config.model.ffn_dim=32",
    "--config.model.pixel_layers=2",
    "--config.data.batch_size=2",
    "--config.data.height=32",
    "--config.data.width=32",
    "--config.data.frames=3",
    "--config.log.samples=2",
    "--config.sampling.steps=1",
)
# For tests of what starts a training: its model has no head for pixels, which compiles longest.
LEAST = (*FLAGS, "--config.model.pixel_layers=0", "--config.objective.structure=0.0")


def prepare(data_dir: pathlib.Path, photos: int = 4) -> None:
    """Paints a few made-up photos; from three on, every split has a process."""
    write_photos(data_dir / "photos", photos)
    build_painted(data_dir, data_dir / "photos", media=("oil",), frames=4)


def environment(**changes: str) -> dict[str, str]:
    """For a program of this tree, started in any folder."""
    own = {"PYTHONPATH": str(ROOT), "XLA_FLAGS": compiler.flags()}
    return os.environ | own | changes


def assert_one_line(done: subprocess.CompletedProcess, said: str) -> None:
    """That a program ended as it does on a user's mistake."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr
