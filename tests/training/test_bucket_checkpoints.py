"""Checkpoints in a bucket: none counts before its mark, and what is refused is no damage."""

import contextlib
import dataclasses
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from etils import epath

from painting_jax import buckets
from painting_jax.config import read_config
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.state import TrainState
from tests import tiny_run

_MARK = "checkpoints/1/commit_success.txt"


@pytest.fixture(scope="module")
def task(bucket, painted_dir) -> Task:
    """The task of a run in the bucket with a checkpoint of random parameters."""
    del bucket
    tiny_run.write(epath.Path("gs://bucket/untrained"), painted_dir, captions=["a cat"])
    return make_task(read_config("gs://bucket/untrained"), "gs://bucket/untrained")


@pytest.fixture
def run(task, bucket, request) -> Iterator[epath.Path]:
    """A copy of it."""
    bucket.copy("untrained", request.node.originalname)
    yield epath.Path("gs://bucket") / request.node.originalname
    buckets.remove_folder(f"gs://bucket/{request.node.originalname}", "")


@pytest.fixture(scope="module")
def mesh() -> jax.sharding.Mesh:
    return make_mesh({}, jax.devices()[:1])


def restored(run: epath.Path, task: Task, mesh) -> TrainState:
    with contextlib.closing(Checkpoints(run, keep=2)) as checkpoints:
        return checkpoints.restore(task, mesh)[0]


def save_next(run: epath.Path, state: TrainState) -> TrainState:
    """Saves the state of the next step, which has other parameters, and returns it."""
    step = jax.device_put(np.int32(int(state.step) + 1), state.step.sharding)
    params = jax.tree.map(
        lambda leaf: jax.device_put(np.asarray(leaf) + np.float32(1), leaf.sharding), state.params
    )
    state = dataclasses.replace(state, step=step, params=params)
    with contextlib.closing(Checkpoints(run, keep=2)) as checkpoints:
        checkpoints.save(int(step), state, int(step))
    return state


def assert_same(ours: TrainState, theirs: TrainState) -> None:
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_save_that_is_cut_short_is_never_the_latest(run, task, mesh, bucket, monkeypatch, capfd):
    first = restored(run, task, mesh)
    with monkeypatch.context() as without:
        without.setattr(bucket, "refuse", lambda _, name: 403 if name.endswith(_MARK) else 0)
        said = (
            f"no checkpoint can be written to {run}/checkpoints: Forbidden: it may not be touched"
        )
        with pytest.raises(UserError, match=said):
            save_next(run, first)
    left = [name for name in bucket.names() if name.startswith(f"{run.name}/checkpoints/1/state/")]
    assert left, "all but its mark is there"
    with contextlib.closing(Checkpoints(run, read_only=True)) as checkpoints:
        assert checkpoints.latest() == 0
        assert checkpoints.restore_sampled(task, mesh)[1] == 0
    assert set(left) <= set(bucket.names()), "who only reads leaves it as it is"
    assert_same(restored(run, task, mesh), first)
    assert buckets.names(run / "checkpoints") == ["0"]
    second = save_next(run, first)
    assert_same(restored(run, task, mesh), second)
    assert "Traceback" not in capfd.readouterr().err


def test_arrays_that_the_bucket_refuses_are_one_line(run, task, mesh, bucket, monkeypatch, capfd):
    first = restored(run, task, mesh)
    monkeypatch.setattr(bucket, "refuse", lambda _, name: 403 if "/ocdbt" in name else 0)
    with pytest.raises(UserError, match=r"no checkpoint can be written .*: PERMISSION_DENIED: "):
        save_next(run, first)
    monkeypatch.undo()
    assert_same(restored(run, task, mesh), first)
    assert "Traceback" not in capfd.readouterr().err


def test_what_the_bucket_refuses_to_read_is_no_damage(run, task, mesh, bucket, monkeypatch):
    second = save_next(run, restored(run, task, mesh))
    for part in ("/ocdbt", "/data/metadata"):
        with monkeypatch.context() as refusing:
            refusing.setattr(bucket, "refuse", lambda _, name, part=part: 403 * (part in name))
            with pytest.raises(UserError, match=f"the checkpoint {run}/checkpoints/1 cannot be re"):
                restored(run, task, mesh)
    assert_same(restored(run, task, mesh), second)


def test_the_checkpoint_before_a_damaged_one_is_taken(run, task, mesh, capfd):
    first = restored(run, task, mesh)
    save_next(run, first)
    for name in buckets.generations(run / "checkpoints" / "1" / "state" / "ocdbt.process_0" / "d"):
        buckets.write(f"gs://bucket/{name}", b"\x5a" * 1000)
    capfd.readouterr()
    assert_same(restored(run, task, mesh), first)
    said = capfd.readouterr().err
    assert f"the checkpoint {run}/checkpoints/1 is damaged (" in said
    assert f"what is damaged lies in {run}/damaged_checkpoints now, which may be removed" in said
    assert buckets.names(run / "checkpoints") == ["0"]
    assert "commit_success.txt" in buckets.names(run / "damaged_checkpoints" / "1")
