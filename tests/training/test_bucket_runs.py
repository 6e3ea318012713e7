"""A run in a bucket is the run on a disk, also of two processes, or if a save is cut short."""

import contextlib
import pathlib
import time

import jax
import numpy as np
import pytest
from etils import epath

from painting_jax import bucket_lock, buckets
from painting_jax.config import read_config
from painting_jax.data import dataset_folder
from painting_jax.errors import UserError
from painting_jax.evaluation.cache import file_state
from painting_jax.generation.run import Run
from painting_jax.locking import alone
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.registry import make_task
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.initialisation import check_init_from, start_state
from painting_jax.training.loop import train
from painting_jax.training.workdir import claimed
from tests.training import runs
from tests.training.test_resume import flags
from tests.trainings import Trainings

_FOUR_STEPS = ("steps=4", "checkpoint.every=2", "checkpoint.keep=2", "log.samples=1")


def trainings(data_dir, workdir, folder: pathlib.Path, environment=None) -> Trainings:
    """Trainings of the least run of four steps, saved after the second and the last."""
    changes = (f"--config.{change}" for change in _FOUR_STEPS)
    return Trainings(folder, *flags(data_dir, workdir), *changes, environment=environment)


@pytest.fixture(scope="module")
def here(painted_dir, tmp_path_factory) -> pathlib.Path:
    """The run on a disk, of one process."""
    folder = tmp_path_factory.mktemp("here")
    alone = trainings(painted_dir, folder / "run", folder).start(devices=2)
    assert alone.status() == 0, alone.errors
    return folder / "run"


@pytest.fixture(scope="module")
def there(painted_dir, bucket, tmp_path_factory) -> epath.Path:
    """The run in the bucket: two processes' last save is cut short, and another one goes on."""
    folder = epath.Path("gs://bucket/runs/one")
    started = trainings(painted_dir, folder, tmp_path_factory.mktemp("there"), bucket.environment)
    both = started.start_together()
    assert [one.status() for one in both] == [0, 0], [one.errors for one in both]
    assert runs.saved_steps(folder) == [2, 4]
    (folder / "checkpoints" / "4" / "commit_success.txt").unlink()
    (folder / "checkpoints" / "4" / "data" / "metadata").unlink()
    last = started.start(devices=2)
    assert last.status() == 0, last.errors
    assert "resumed after step 2;" in last.out
    assert not [name for name in bucket.names() if name.endswith((".part", ".lock"))]
    return folder


def test_two_and_two_steps_there_are_four_steps_here(here, there):
    runs.assert_same_state(there, here)
    assert runs.saved_steps(there) == [2, 4]
    assert runs.examples(there) == runs.examples(here)
    for name in ("config.json", "sheets/0000004.png", "tokenizer/tokenizer.json"):
        assert (there / name).read_bytes() == (here / name).read_bytes()
    assert runs.losses(there)[4] == runs.losses(here)[4]


def test_models_are_read_there(here, there):
    ours, theirs = Run.load(there), Run.load(here)
    assert ours.step == 4
    jax.tree.map(np.testing.assert_array_equal, ours.params, theirs.params)
    [path, generations] = file_state(there / "checkpoints" / "4")
    assert path == f"{there}/checkpoints/4"
    assert "runs/one/checkpoints/4/commit_success.txt" in generations


def test_another_run_starts_from_it(here, there, tmp_path):
    config, mesh = read_config(there), make_mesh({"data": -1})
    config.init_from = str(there)
    check_init_from(config)
    task = make_task(config, tmp_path)
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        state, first, origin = start_state(task, checkpoints, mesh)
    assert (first, origin) == (0, f"started from {there}")
    jax.tree.map(np.testing.assert_array_equal, state.params, Run.load(here).params)


def test_two_trainings_do_not_share_a_run(there, monkeypatch):
    monkeypatch.setattr(bucket_lock, "_WRITTEN_EVERY", 0.1)
    said = f"{there} is being written by another train: .*, or use another --workdir .by process"
    with alone(there, "the first"), pytest.raises(UserError, match=said):
        train(read_config(there), there)


def test_a_training_whose_lock_is_lost_ends_before_it_writes_more(tiny, bucket, monkeypatch):
    """As after a long break of the connection, in which another one has taken the run over."""
    del bucket
    monkeypatch.setattr(bucket_lock, "_WRITTEN_EVERY", 0.05)
    folder = "gs://bucket/runs/lost"
    with claimed(folder, tiny, dataset_folder.find(epath.Path(tiny.data.data_dir))) as begun:
        begun()
        buckets.write(f"{folder}/.lock", b'{"process": 7, "host": "other", "since": "now"}')
        time.sleep(0.5)
        with pytest.raises(UserError, match="it was taken over, by process 7 on other since now"):
            begun()
    assert buckets.names(folder) == [".lock", "config.json"]
