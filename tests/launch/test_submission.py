"""Runs that are submitted become work units of an XManager experiment."""

import asyncio

import pytest
from absl import flags
from xmanager import xm_local, xm_mock
from xmanager.xm_local.storage import database

from launch import submission
from painting_jax.errors import UserError
from tests.launch import plans


class Noting:
    """A target that notes what is submitted to it."""

    def __init__(self, most: int = 9):
        self.submitted: list[str] = []
        self._most = most

    def submit(self, manifest: str) -> str:
        if len(self.submitted) == self._most:
            raise UserError("the cluster is full")
        self.submitted.append(manifest)
        return f"{manifest} is started"


@pytest.fixture
def runs():
    return [(plans.run(workdir=f"gs://cats/{name}"), f"manifest of {name}") for name in "ab"]


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    """An experiment of XManager, which keeps its list in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    cached = (database.database, database.db_settings, database.db_connector, database._db_config)
    parsed = flags.FLAGS.is_parsed()
    flags.FLAGS.mark_as_parsed()
    for function in cached:
        function.cache_clear()
    yield xm_local.create_experiment(experiment_title="painting_jax")
    for function in cached:
        function.cache_clear()
    if not parsed:
        flags.FLAGS.unparse_flags()


def test_each_run_is_a_work_unit_with_one_job(runs):
    experiment = xm_mock.MockExperiment()
    asyncio.run(submission.submit(experiment, Noting(), runs, print))
    assert experiment.work_unit_count == 2
    launched = experiment.launched_jobs
    assert [job.executor.manifest for job in launched] == ["manifest of a", "manifest of b"]
    assert [job.executable.name for job in launched] == ["a", "b"]


def test_runs_are_submitted_in_their_order(experiment, runs):
    target, said = Noting(), []
    asyncio.run(submission.submit(experiment, target, runs, said.append))
    assert target.submitted == ["manifest of a", "manifest of b"]
    assert said == ["manifest of a is started", "manifest of b is started"]
    assert experiment.work_unit_count == 2


def test_after_a_refusal_nothing_more_is_submitted(experiment, runs):
    target, said = Noting(most=0), []
    with pytest.raises(UserError, match="the cluster is full"):
        asyncio.run(submission.submit(experiment, target, runs, said.append))
    assert said == []
    assert experiment.work_unit_count == 1
