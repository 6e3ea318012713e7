"""Tasks of a pipeline of Beam fail alone, as those of worker processes do."""

import multiprocessing
import os
import signal
import time

import pytest

from painting_jax.data import crews
from painting_jax.errors import UserError


def _work(task: int) -> int:
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 2:
        time.sleep(600)
    if task == 9:
        raise OSError(28, "No space left on device")
    return task


def _lost(task: int, reason: str) -> list:
    return [task, reason]


def test_a_task_that_ends_its_worker_fails_alone_and_an_error_is_one_line():
    options = ["direct_num_workers=1"]
    with crews.chosen("DirectRunner", options, seconds=1, kept_dir=None, sources=[]) as crew:
        results = list(crew.in_order(_work, range(4), "working", _lost))
        assert [results[0], results[3]] == [0, 3]
        assert results[1] == [1, "its decoder crashed, or took more memory than there is"]
        assert results[2] == [2, "it took more than 1 seconds: --item_timeout gives it longer"]
        assert list(crew.in_order(_work, [], "working", _lost)) == []
        with pytest.raises(UserError, match=r"^working: .*No space") as raised:
            list(crew.in_order(_work, [9], "working", _lost))
    assert "\n" not in str(raised.value)
    assert not multiprocessing.active_children()
