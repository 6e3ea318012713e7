"""A run that was interrupted and resumed, or spread over processes, is the run left alone."""

import pathlib
import random
import signal
from collections.abc import Callable

import pytest

from tests import tiny
from tests.conftest import TINY
from tests.forks import Fork
from tests.training import runs
from tests.trainings import Trainings, wait_until

STEPS = 12
# Each start traces and compiles: the least model that has a transformer.
_CHANGES = TINY | {
    "steps": STEPS,
    "model.layers": 1,
    "model.pixel_layers": 0,
    "model.ffn_dim": 32,
    "objective.structure": 0.0,
    "sampling.steps": 1,
    "log.every": 1,
    "checkpoint.every": 4,
}


def flags(data_dir: pathlib.Path, workdir: pathlib.Path) -> list[str]:
    """Flags of the run that all these tests train."""
    config = (f"--config.{name}={value}" for name, value in _CHANGES.items())
    demo = f"--config={tiny.ROOT / 'configs' / 'demo.py'}"
    return [demo, f"--data_dir={data_dir}", f"--workdir={workdir}", *config]


@pytest.fixture(scope="module")
def alone(painted_dir, tmp_path_factory) -> pathlib.Path:
    """The workdir of a run of one process with two devices that was left alone."""
    folder = tmp_path_factory.mktemp("alone")
    training = Trainings(folder, *flags(painted_dir, folder / "run")).start(devices=2)
    assert training.status() == 0, training.errors
    return folder / "run"


@pytest.fixture
def trainings(painted_dir, tmp_path) -> Trainings:
    """Trainings of a new run in `tmp_path / "run"`."""
    return Trainings(tmp_path, *flags(painted_dir, tmp_path / "run"))


def begun(workdir: pathlib.Path, name: str, steps: int) -> Callable[[], bool]:
    """Whether the next training has begun so many steps, its first one counted from 0."""
    log = workdir / name
    before = log.stat().st_ino if log.exists() else None

    def has_begun() -> bool:
        # Each start writes the log anew.
        is_new = log.exists() and log.stat().st_ino != before
        return is_new and log.read_bytes().count(b"\n") >= steps

    return has_begun


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(alone, trainings, tmp_path):
    workdir = tmp_path / "run"

    def stopped_at(step: int, number: int) -> Fork:
        moment = begun(workdir, "examples.jsonl", step)
        training = trainings.start(devices=2)
        wait_until(moment, [training])
        training.kill(number)
        return training

    def ended(*more: str) -> str:
        training = trainings.start(*more, devices=2)
        assert training.status() == 0, training.errors
        return training.out

    # Ctrl-C before the first checkpoint is due, and a kill at a step after it that nobody chose.
    stopped = stopped_at(2, signal.SIGINT)
    assert stopped.status() == 130, stopped.errors
    assert stopped.errors.splitlines()[-1] == "interrupted"
    assert "Traceback" not in stopped.errors
    [saved] = runs.saved_steps(workdir)
    assert saved == len(runs.examples(workdir))
    said = f"stopped after step {saved} of {STEPS}, saved: the same command resumes"
    assert said in stopped.out
    assert stopped_at(random.randrange(5, 11), signal.SIGKILL).status() == -signal.SIGKILL
    saved = runs.saved_steps(workdir)[-1]
    assert f"resumed after step {saved};" in ended()
    assert runs.examples(workdir) == runs.examples(alone)
    runs.assert_same_state(workdir, alone)
    longer = STEPS + 2
    said = ended(f"--config.steps={longer}")
    assert f"resumed after step {STEPS};" in said
    assert f"lengthened from {STEPS} to {longer} steps" in said
    assert runs.saved_steps(workdir)[-1] == longer == len(runs.examples(workdir))
    assert f"trained {longer} steps" in ended(f"--config.steps={longer}"), "it is left as it is"
    assert runs.saved_steps(workdir)[-1] == longer


def kill_one_of_two(trainings: Trainings, workdir: pathlib.Path, number: int, rng) -> None:
    """Sends one of two processes a signal in some step; asserts that both end to be restarted."""
    moment = begun(workdir, "examples-0.jsonl", rng.randrange(1, 5))
    both = trainings.start_together()
    wait_until(moment, both)
    victim = rng.randrange(2)
    both[victim].kill(number)
    expected = [143, 143]
    if number == signal.SIGKILL:
        expected[victim] = -signal.SIGKILL
        line = f"process {victim} of 2 is gone: the same command resumes after the last checkpoint"
    assert [one.status(seconds=60) for one in both] == expected, [one.errors for one in both]
    if number == signal.SIGKILL:
        assert line in both[1 - victim].errors.splitlines()


def test_two_processes_of_which_one_is_stopped_or_killed_end_as_one_process_left_alone(
    alone, trainings, tmp_path
):
    workdir, rng = tmp_path / "run", random.Random(0)
    kill_one_of_two(trainings, workdir, signal.SIGTERM, rng)
    assert runs.saved_steps(workdir)[-1] == len(runs.examples(workdir))
    kill_one_of_two(trainings, workdir, signal.SIGKILL, rng)
    both = trainings.start_together()
    assert [one.status() for one in both] == [0, 0], [one.errors for one in both]
    assert runs.examples(workdir) == runs.examples(alone)
    # Two numbers have one sum, wherever they are added.
    runs.assert_same_state(workdir, alone)


def test_a_run_goes_on_with_other_devices_and_another_number_of_processes(
    alone, trainings, tmp_path
):
    workdir = tmp_path / "run"

    def stopped(training: list[Fork], moment: Callable[[], bool]) -> int:
        wait_until(moment, training)
        training[0].kill(signal.SIGTERM)
        assert {one.status() for one in training} == {143}, [one.errors for one in training]
        saved = runs.saved_steps(workdir)[-1]
        assert saved == len(runs.examples(workdir))
        return saved

    eight = ("--config.mesh.fsdp=4", "--config.mesh.data=2")
    stopped([trainings.start(*eight, devices=8)], begun(workdir, "examples.jsonl", 3))
    both = trainings.start_together("--config.mesh.fsdp=2")
    saved = stopped(both, begun(workdir, "examples-1.jsonl", 3))
    last = trainings.start(*eight, devices=8)
    assert last.status() == 0, last.errors
    assert f"resumed after step {saved};" in last.out
    assert runs.examples(workdir) == runs.examples(alone)
    assert runs.losses(workdir) == pytest.approx(runs.losses(alone), rel=1e-5)
