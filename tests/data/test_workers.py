import multiprocessing
import os
import signal
import threading
import time

import pytest

from painting_jax.data import workers
from painting_jax.data.worker import Worker
from painting_jax.errors import UserError


def _where(task: int) -> tuple[int, int, str | None]:
    return task, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def _fail(task: int) -> int:
    if task == 20:
        raise UserError("task 20 is wrong")
    return task


def test_a_few_tasks_are_done_here_in_order():
    results = list(workers.in_order(_where, range(3), "few"))
    assert [(task, pid) for task, pid, _ in results] == [(task, os.getpid()) for task in range(3)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_many_tasks_are_done_by_single_threaded_workers_in_order():
    before = os.environ.get("OMP_NUM_THREADS")
    results = list(workers.in_order(_where, range(40), "many"))
    assert [task for task, _, _ in results] == list(range(40))
    assert os.getpid() not in {pid for _, pid, _ in results}
    assert {threads for _, _, threads in results} == {"1"}
    assert os.environ.get("OMP_NUM_THREADS") == before


def _platforms(task: int) -> str | None:
    return os.environ.get("JAX_PLATFORMS")


def test_workers_leave_accelerators_alone(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with workers.Crew(seconds=60) as crew:
        assert list(crew.in_order(_platforms, range(2), "platforms")) == ["cpu", "cpu"]
    assert os.environ["JAX_PLATFORMS"] == "cuda"


def test_no_more_workers_than_there_is_room_for_do_the_tasks():
    with workers.Crew(seconds=60) as crew:
        assert crew.workers_for(3) == min(3, len(os.sched_getaffinity(0)))
        results = list(crew.in_order(_where, range(3), "one", most=1))
    assert [task for task, _, _ in results] == [0, 1, 2]
    assert len({pid for _, pid, _ in results}) == 1
    assert workers.Crew().workers_for(3) == 0


def test_a_workers_user_error_reaches_the_caller():
    with pytest.raises(UserError, match="task 20 is wrong"):
        list(workers.in_order(_fail, range(40), "failing"))


def _die(task: int) -> int:
    if task in (7, 30):
        os.kill(os.getpid(), signal.SIGKILL)
    return task


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_task_that_ends_its_worker_costs_itself_alone():
    """As a file can that crashes its decoder or takes all memory."""
    results = list(workers.in_order(_die, range(40), "dying", lambda task, reason: -task))
    assert results == [-task if task in (7, 30) else task for task in range(40)]
    with pytest.raises(UserError, match="dying: a worker ended without a result"):
        list(workers.in_order(_die, range(40), "dying"))


def _hang(task: int) -> tuple[int, int]:
    if task == 1:
        time.sleep(600)
    return task, os.getpid()


def test_a_task_that_hangs_is_stopped_and_costs_itself_alone():
    """Even among a few, which without a limit of time would run here."""
    with workers.Crew(seconds=1) as crew:
        results = list(crew.in_order(_hang, range(4), "hanging", lambda task, why: (task, why)))
        assert [task for task, _ in results] == [0, 1, 2, 3]
        (_, why), there = results.pop(1), {pid for _, pid in results}
        assert why == "it took more than 1 seconds: --item_timeout gives it longer"
        assert os.getpid() not in there
        # The next round goes to the workers that are there.
        [(_, pid)] = crew.in_order(_hang, [2], "again")
        assert pid in {child.pid for child in multiprocessing.active_children()}
        with pytest.raises(UserError, match=r"hanging: .* took more than 1 seconds"):
            list(crew.in_order(_hang, range(4), "hanging"))
    assert not multiprocessing.active_children()


def test_a_caller_that_leaves_waits_for_no_task():
    with workers.Crew(seconds=500) as crew:
        results = crew.in_order(_hang, range(4), "left")
        assert next(results)[0] == 0
        begin = time.monotonic()
        results.close()
        assert time.monotonic() - begin < 5
        assert not multiprocessing.active_children()


def _talk(task: int) -> object:
    if task == 1:
        raise ConnectionResetError("of the task's own")
    return threading.Lock() if task == 2 else task


def test_errors_of_a_task_are_no_end_of_its_worker():
    worker = Worker()
    assert worker.do(_talk, 0) == 0
    for task, error, said in (
        (1, ConnectionResetError, "own"),
        (2, RuntimeError, "cannot be sent"),
    ):
        with pytest.raises(error, match=said):
            worker.do(_talk, task)
        [child] = multiprocessing.active_children()
    assert worker.do(_talk, 3) == 3
    assert multiprocessing.active_children() == [child]
    worker.stop()
