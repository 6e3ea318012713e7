"""A run that is killed at random moments ends in the same state as one that is not."""

import contextlib
import random
import signal
import time

import pytest

from tests.conftest import painted_dir  # noqa: F401
from tests.training import runs
from tests.training.test_resume import (
    alone,  # noqa: F401
    begun,
    trainings,  # noqa: F401
)
from tests.trainings import wait_until


@pytest.mark.parametrize("seed", range(5))
def test_any_moments_of_death_leave_no_trace(seed, alone, trainings, tmp_path):  # noqa: F811
    rng = random.Random(seed)
    for _ in range(6):
        training = trainings.start(devices=2)
        # A moment between its beginning and its last save.
        time.sleep(rng.uniform(0, 20))
        with contextlib.suppress(ProcessLookupError):
            training.kill(signal.SIGKILL)
        training.status()
    assert trainings.start(devices=2).status() == 0
    assert runs.examples(tmp_path / "run") == runs.examples(alone)
    runs.assert_same_state(tmp_path / "run", alone)


@pytest.mark.parametrize("seed", range(20))
def test_any_end_of_one_or_both_of_two_processes_leaves_no_trace(
    seed,
    alone,  # noqa: F811
    trainings,  # noqa: F811
    tmp_path,
):
    rng = random.Random(seed)
    workdir = tmp_path / "run"
    number = (signal.SIGTERM, signal.SIGKILL)[seed % 2]
    victims = rng.choice([[0], [1], [0, 1]])
    # From the moment they have joined, while they compile, to the last step.
    step = rng.choice([None, *range(1, 13)])
    log = begun(workdir, "examples-0.jsonl", step or 0)
    both = trainings.start_together()
    wait_until(log if step else (workdir / "config.json").exists, both)
    time.sleep(rng.uniform(0, 0.5) if step else rng.uniform(0, 8))
    for victim in victims:
        with contextlib.suppress(ProcessLookupError):
            both[victim].kill(number)
    statuses = [one.status(seconds=90) for one in both]
    said = [one.errors for one in both]
    print(f"seed {seed}: {number.name} to {victims} after {step} steps: {statuses}")
    for index, status in enumerate(statuses):
        killed = number == signal.SIGKILL and index in victims
        # It may have ended before.
        assert status in (0, -signal.SIGKILL if killed else 143), said
    if number == signal.SIGTERM and statuses == [143, 143] and runs.saved_steps(workdir):
        assert runs.saved_steps(workdir)[-1] == len(runs.examples(workdir))
    both = trainings.start_together()
    assert [one.status() for one in both] == [0, 0], [one.errors for one in both]
    assert runs.examples(workdir) == runs.examples(alone)
    runs.assert_same_state(workdir, alone)
