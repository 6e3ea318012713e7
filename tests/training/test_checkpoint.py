"""Damaged checkpoints and full disks: one error, and no word from the threads that do the work."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import random
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
from painting_jax.training import checkpoint, checksums
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.state import TrainState
from tests import initial_state, tiny, tiny_run

_RESTORES = (Checkpoints.restore, Checkpoints.restore_sampled)


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
    """Two devices, of which each holds a part: more would only take more time."""
    return make_mesh({"data": 1, "fsdp": 2, "tensor": 1, "sequence": 1}, jax.devices()[:2])


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
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0"]
    with contextlib.closing(Checkpoints(tmp_path / "run", read_only=True)) as checkpoints:
        assert checkpoints.latest() == 0
        again, next_batch = checkpoints.restore(task, mesh)
    assert next_batch == 0
    jax.tree.map(np.testing.assert_array_equal, again, state)


def test_a_checkpoint_is_on_the_disk_before_it_gets_its_name(task, mesh, tmp_path, monkeypatch):
    """No loss of power leaves one with empty files while the one before it is removed."""
    synced, sync = set(), checkpoint.sync_folder

    def record(folder) -> None:
        synced.update(str(path) for path in pathlib.Path(folder).rglob("*"))
        sync(folder)

    monkeypatch.setattr(checkpoint, "sync_folder", record)
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(1, initial_state.make(task, mesh), 1)
    folder = tmp_path / "checkpoints" / "1"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in files:
        assert str(folder / name) in synced
    unnamed = [path for path in synced if not path.startswith(f"{folder}/")]
    for name in ("data/metadata", "checksums/metadata", "state/_METADATA", "state/manifest.ocdbt"):
        assert any(path.endswith(f"/{name}") for path in unnamed)


@pytest.mark.parametrize("jump", [-(10**6), 10**6, 56 * 365 * 24 * 3600])
def test_a_clock_that_jumps_does_not_end_a_save(task, mesh, tmp_path, monkeypatch, jump):
    """Orbax would measure how long it waits by the time of day, which is set while it waits."""
    now, seen = time.time, []

    def jumping() -> float:
        seen.append(1)
        return now() + jump * (len(seen) % 2)

    state = initial_state.make(task, mesh)
    monkeypatch.setattr(time, "time", jumping)
    with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, dataclasses.replace(state, step=jax.numpy.int32(step)), step)
    with contextlib.closing(Checkpoints(tmp_path, read_only=True)) as checkpoints:
        assert checkpoints.latest() == 2
        restored, next_batch = checkpoints.restore(task, mesh)
    assert next_batch == 2
    jax.tree.map(np.testing.assert_array_equal, restored.params, state.params)


def _restored(run: pathlib.Path, task: Task, mesh) -> tuple[TrainState, int]:
    with contextlib.closing(Checkpoints(run)) as checkpoints:
        return checkpoints.restore(task, mesh)


@pytest.fixture(scope="module")
def two(run, task, mesh, tmp_path_factory) -> pathlib.Path:
    """The same run with a second checkpoint, after a step that doubled all parameters."""
    folder = tmp_path_factory.mktemp("two") / "run"
    shutil.copytree(run, folder)
    state, _ = _restored(folder, task, mesh)
    with contextlib.closing(Checkpoints(folder, keep=2)) as checkpoints:
        checkpoints.save(1, _stepped(state), next_batch=1)
    return folder


def _stepped(state: TrainState, factor: float = 2.0) -> TrainState:
    # In NumPy, as JAX would compile a program for each shape.
    grown = jax.tree.map(
        lambda leaf: jax.device_put(np.asarray(leaf) * np.float32(factor), leaf.sharding),
        {"step": state.step, "params": state.params, "ema_params": state.ema_params},
    )
    step = jax.device_put(np.int32(int(state.step) + 1), state.step.sharding)
    return dataclasses.replace(state, **grown | {"step": step})


def _flip_a_bit(path: pathlib.Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = rng.randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def check_bit_flips(run, two, task, mesh, folder, capfd, seeds) -> None:
    """Asserts that no flipped bit of a checkpoint is restored in silence."""
    good, _ = _restored(two, task, mesh)
    before, _ = _restored(run, task, mesh)
    for seed in seeds:
        rng = random.Random(seed)
        shutil.copytree(two, folder / "run")
        files = [p for p in (folder / "run" / "checkpoints" / "1").rglob("*") if p.is_file()]
        # Large files hold nearly all bits.
        [damaged] = rng.choices(files, [path.stat().st_size + 100 for path in files])
        _flip_a_bit(damaged, rng)
        capfd.readouterr()
        state, next_batch = _restored(folder / "run", task, mesh)
        said = capfd.readouterr().err
        expected = before if "checkpoints/1 is damaged" in said else good
        assert next_batch == int(expected.step), (seed, damaged)
        jax.tree.map(np.testing.assert_array_equal, state, dataclasses.replace(expected))
        shutil.rmtree(folder / "run")


def test_no_flipped_bit_is_resumed_in_silence(run, two, task, mesh, tmp_path, capfd):
    check_bit_flips(run, two, task, mesh, tmp_path, capfd, range(12))


def test_the_checkpoint_before_a_damaged_one_is_taken_and_said(two, task, mesh, tmp_path, capfd):
    shutil.copytree(two, tmp_path / "run")
    overwrite(tmp_path / "run" / "checkpoints" / "1" / "data" / "metadata")
    capfd.readouterr()
    state, next_batch = _restored(tmp_path / "run", task, mesh)
    assert (int(state.step), next_batch) == (0, 0)
    first, second = capfd.readouterr().err.splitlines()
    assert "checkpoints/1 is damaged (" in first
    assert first.endswith("the one before it is taken, of step 0")
    assert second.startswith("what is damaged lies in ")
    assert (tmp_path / "run" / "damaged_checkpoints" / "1" / "data").is_dir()
    # Nothing is in the way of the same step, and nothing is said again.
    with contextlib.closing(Checkpoints(tmp_path / "run", keep=2)) as checkpoints:
        checkpoints.save(1, _stepped(state), next_batch=1)
    assert _restored(tmp_path / "run", task, mesh)[1] == 1
    assert capfd.readouterr().err == ""


def test_who_only_reads_a_damaged_run_leaves_it_as_it_is(two, task, mesh, tmp_path, capfd):
    shutil.copytree(two, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints" / "1" / "state").rglob("d/*"):
        overwrite(path)
    before = sorted((tmp_path / "run").rglob("*"))
    with contextlib.closing(Checkpoints(tmp_path / "run", read_only=True)) as checkpoints:
        _, step = checkpoints.restore_sampled(task, mesh)
    assert step == 0
    assert "checkpoints/1 is damaged" in capfd.readouterr().err
    assert sorted((tmp_path / "run").rglob("*")) == before


def test_a_save_that_fails_in_the_background_is_never_the_last_good_one(
    run, task, mesh, tmp_path, capfd, monkeypatch
):
    shutil.copytree(run, tmp_path / "run")
    state, _ = _restored(tmp_path / "run", task, mesh)
    later = _stepped(state)

    async def fail(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(checkpoint._SyncedPath, "finalize", fail)
        checkpoints = Checkpoints(tmp_path / "run", keep=2)
        checkpoints.save(1, later, next_batch=1)
        assert checkpoints.last_good().startswith("the last good checkpoint is 0 in ")
        said = pytest.raises(UserError, match=r"no checkpoint can be written to .*: No space left")
        with said, contextlib.closing(checkpoints):
            checkpoints.save(2, _stepped(later), next_batch=2)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0"]
    assert _restored(tmp_path / "run", task, mesh)[1] == 0
    with contextlib.closing(Checkpoints(tmp_path / "run", keep=2)) as checkpoints:
        checkpoints.save(1, later, next_batch=1)
    assert _restored(tmp_path / "run", task, mesh)[1] == 1
    assert "Traceback" not in capfd.readouterr().err


def test_all_damaged_checkpoints_are_named(two, task, mesh, tmp_path):
    shutil.copytree(two, tmp_path / "run")
    for step in "01":
        (tmp_path / "run" / "checkpoints" / step / "state" / "_METADATA").unlink()
    with pytest.raises(UserError, match=r"checkpoints/1 is damaged.*checkpoints/0 is damaged"):
        _restored(tmp_path / "run", task, mesh)
    assert not (tmp_path / "run" / "damaged_checkpoints").exists()


def test_a_checkpoint_without_checksums_is_of_an_earlier_version(two, task, mesh, tmp_path, capfd):
    shutil.copytree(two, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "1" / "checksums")
    assert _restored(tmp_path / "run", task, mesh)[1] == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "x"), MemoryError("too much")]
)
def test_what_the_machine_refuses_is_no_damage(two, task, mesh, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Checkpoints, "_read", fail)
    expected = UserError if isinstance(error, OSError) else MemoryError
    with pytest.raises(expected, match=r"cannot be read: Permission denied|too much"):
        _restored(two, task, mesh)
    assert (two / "checkpoints" / "1").is_dir()


@pytest.mark.parametrize("factor", [np.nan, np.inf, 1e30])
def test_spoiled_parameters_are_never_the_last_good_ones(
    run, task, mesh, tmp_path, capfd, monkeypatch, factor
):
    shutil.copytree(run, tmp_path / "run")
    state, _ = _restored(tmp_path / "run", task, mesh)
    spoiled = _stepped(state, factor)
    written = []
    with contextlib.closing(Checkpoints(tmp_path / "run", keep=2)) as checkpoints:
        said = r"params/.* reaches (nan|inf|\d).* after step 1: the last good checkpoint is 0 in "
        with pytest.raises(UserError, match=said):
            checkpoints.save(1, spoiled, next_batch=1, first=lambda: written.append("export"))
        assert written == []
        assert checkpoints.latest() == 0
        # Earlier versions saved them.
        with monkeypatch.context() as earlier:
            earlier.setattr(checksums, "check_sane", lambda tree: None)
            checkpoints.save(1, spoiled, next_batch=1)
    assert _restored(tmp_path / "run", task, mesh)[1] == 0
    assert "checkpoints/1 is damaged (ema_params/" in capfd.readouterr().err


def test_without_an_average_the_parameters_are_saved_alone_and_sampled(run, mesh, tmp_path):
    config = read_config(run)
    config.optimizer.ema = False
    task = make_task(config, run)
    state = initial_state.make(task, mesh)
    assert state.ema_params == {}
    assert state.sampled_params is state.params
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(0, state, 0)
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        again, _ = checkpoints.restore(task, mesh)
        params, _ = checkpoints.restore_sampled(task, mesh)
    jax.tree.map(np.testing.assert_array_equal, again.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, params, state.params)
