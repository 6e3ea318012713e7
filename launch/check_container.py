"""Follows launch/Dockerfile without Docker: its copies, its commands, its entry point.

  python -m launch.check_container --extra=tpu

The files are copied to an empty folder, the commands run in a new virtual environment in the place
of the base image, and the entry point prints its help and trains the demo's model for a step if
--data_dir is given. Prints how long each took and how large the environment became.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from absl import flags

from launch import container_recipe
from painting_jax import cli
from painting_jax.errors import UserError

_ROOT = container_recipe.PATH.parents[1]
_EXTRA = flags.DEFINE_string("extra", "tpu", "Value of the build argument EXTRA.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Data set of a step of training.")


def main() -> None:
    """Follows the recipe."""
    recipe = container_recipe.read()
    with tempfile.TemporaryDirectory() as folder:
        work, home = pathlib.Path(folder) / "image", pathlib.Path(folder) / "python"
        _timed("copies", lambda: _copy(recipe, work))
        _timed("virtual environment", lambda: _run([sys.executable, "-m", "venv", str(home)]))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment |= recipe.environment | recipe.arguments | {"EXTRA": _EXTRA.value}
        environment["PATH"] = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        where = {"cwd": work, "env": environment}
        for command in recipe.commands:
            _timed(command, lambda line=command: _run(["sh", "-c", line], **where))
        size = sum(path.lstat().st_size for path in home.rglob("*") if not path.is_dir())
        print(f"{size / 2**20:,.0f} MiB: installed packages")
        entry = recipe.entrypoint
        _timed(" ".join([*entry, "--help"]), lambda: _run([*entry, "--help"], **where))
        if _DATA_DIR.value:
            # Without a chip the TPU's library would wait for one.
            where["env"] = environment | {"JAX_PLATFORMS": "cpu"}
            step = [
                *(f"--data_dir={pathlib.Path(_DATA_DIR.value).resolve()}", "--workdir=run"),
                *("--config.steps=1", "--config.optimizer.warmup_steps=0"),
                "--config.data.allow_upscaling=True",
            ]
            _timed("a step of training", lambda: _run([*entry, *step], **where))


def _copy(recipe: container_recipe.Recipe, work: pathlib.Path) -> None:
    for source, target in recipe.copies:
        path = _ROOT / source
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, work / target, ignore=ignored)
        else:
            (work / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, work / target)


def _run(command: list[str], **where) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **where)
    if done.returncode:
        raise UserError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")


def _timed(name: str, work) -> None:
    begun = time.monotonic()
    work()
    print(f"{time.monotonic() - begun:.1f} s: {name}", flush=True)


if __name__ == "__main__":
    cli.run(main)
