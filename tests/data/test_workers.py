import os
import signal

import pytest

from painting_jax.data import workers
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
