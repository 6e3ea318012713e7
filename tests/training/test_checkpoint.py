"""Damaged checkpoints and full disks: one error, and no word from the threads that do the work."""

import contextlib
import pathlib
import resource
import shutil
import time
from collections.abc import Callable

import jax
import numpy as np
import pytest

from painting_jax.config import read_config
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.training import checkpoint
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.state import init_state
from tests import tiny, tiny_run

_RESTORES = (Checkpoints.restore, Checkpoints.restore_ema)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    """A run with a checkpoint of random parameters."""
    root = tmp_path_factory.mktemp("run")
    tiny.prepare(root / "data")
    tiny_run.write(root / "run", root / "data", captions=["a cat"])
    return root / "run"


@pytest.fixture(scope="module")
def task(run) -> Task:
    return make_task(read_config(run), run)


@pytest.fixture(scope="module")
def mesh() -> jax.sharding.Mesh:
    return make_mesh({"data": 2, "fsdp": 4, "tensor": 1, "sequence": 1})


def cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:10])


def overwrite(path: pathlib.Path) -> None:
    path.write_bytes(b"\x5a" * path.stat().st_size)


@pytest.mark.parametrize("damage", [cut, overwrite, pathlib.Path.unlink])
@pytest.mark.parametrize(
    "files",
    [
        "data/metadata",
        "state/_METADATA",
        "state/manifest.ocdbt",
        "state/d/*",  # The list of the arrays.
        "state/ocdbt.process_0/d/*",  # The arrays.
    ],
)
def test_a_damaged_file_is_one_error(
    run, task, mesh, tmp_path, capfd, files: str, damage: Callable[[pathlib.Path], None]
):
    shutil.copytree(run, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints" / "0").glob(files):
        damage(path)
    # What is read of the model alone does not say where in the data it was.
    restores = _RESTORES if files.startswith("state") else _RESTORES[:1]
    for restore in restores:
        _assert_one_error(restore, tmp_path / "run", task, mesh, capfd)


@pytest.mark.parametrize("restore", _RESTORES)
def test_a_checkpoint_without_files_is_one_error(run, task, mesh, tmp_path, capfd, restore):
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "0")
    (tmp_path / "run" / "checkpoints" / "0").mkdir()
    _assert_one_error(restore, tmp_path / "run", task, mesh, capfd)


def _assert_one_error(restore, run: pathlib.Path, task: Task, mesh, capfd) -> None:
    with contextlib.closing(Checkpoints(run, read_only=True)) as checkpoints:
        capfd.readouterr()
        with pytest.raises(UserError, match="checkpoints/0 is damaged") as raised:
            restore(checkpoints, task, mesh)
    assert "\n" not in str(raised.value)
    time.sleep(0.1)  # Threads that still read would speak up.
    assert capfd.readouterr() == ("", "")


def test_a_disk_that_fills_up_while_saving_is_one_error(
    run, task, mesh, tmp_path, capfd, monkeypatch
):
    with contextlib.closing(Checkpoints(run, read_only=True)) as checkpoints:
        state, _ = checkpoints.restore(task, mesh)
    shutil.copytree(run, tmp_path / "run")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(*_) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))

    # There still was room when it was asked for.
    monkeypatch.setattr(checkpoint, "_check_room", fill_up)
    checkpoints = Checkpoints(tmp_path / "run")
    capfd.readouterr()
    try:
        with pytest.raises(UserError, match="File too large"), contextlib.closing(checkpoints):
            checkpoints.save(1, state, next_batch=1)
        time.sleep(0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr() == ("", "")
    with contextlib.closing(Checkpoints(tmp_path / "run", read_only=True)) as checkpoints:
        assert checkpoints.latest() == 0
        again, next_batch = checkpoints.restore(task, mesh)
    assert next_batch == 0
    jax.tree.map(np.testing.assert_array_equal, again, state)


@pytest.mark.parametrize("jump", [-(10**6), 10**6, 56 * 365 * 24 * 3600])
def test_a_clock_that_jumps_does_not_end_a_save(task, mesh, tmp_path, monkeypatch, jump):
    """Orbax measures how long a save takes by the wall clock, which is set while it runs."""
    now, seen = time.time, []

    def jumping() -> float:
        seen.append(1)
        return now() + (jump if len(seen) > 3 else 0)

    state = jax.jit(lambda: init_state(task))()
    with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
        monkeypatch.setattr(time, "time", jumping)
        for step in (1, 2):
            checkpoints.save(step, state, step)
    assert len(seen) > 3, "Orbax looks at the clock"
    with contextlib.closing(Checkpoints(tmp_path, read_only=True)) as checkpoints:
        assert checkpoints.latest() == 2
        restored, next_batch = checkpoints.restore(task, mesh)
    assert next_batch == 2
    jax.tree.map(np.testing.assert_array_equal, restored.params, state.params)
