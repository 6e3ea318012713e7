"""Locks in buckets: the living are left alone, the dead are taken over, the robbed are told."""

import threading
import time

import pytest

from painting_jax import bucket_lock, buckets
from painting_jax.errors import UserError
from painting_jax.locking import NAME, alone


@pytest.fixture
def folder(bucket, request, monkeypatch) -> str:
    """Address of a folder whose lock does all in a moment."""
    del bucket
    for name, seconds in (("_WRITTEN_EVERY", 0.1), ("_LOOKED_EVERY", 0.02), ("_LEFT_AFTER", 0.6)):
        monkeypatch.setattr(bucket_lock, name, seconds)
    return f"gs://bucket/{request.node.name}"


def leave_a_lock(folder: str) -> None:
    """As a training that was killed."""
    left = b'{"host": "gone", "process": 7, "since": "yesterday"}'
    buckets.write(f"{folder}/{NAME}", left)


def test_who_comes_second_is_told_who_is_there(folder, capsys):
    with (
        alone(folder, "the first"),
        pytest.raises(UserError, match=r"^busy \(by process \d+ on \S+ since 20\S+\)$"),
        alone(folder, "busy"),
    ):
        pass
    assert "waiting up to 1 seconds to see whether that one still runs" in capsys.readouterr().err
    with alone(folder, "busy"):
        assert buckets.names(folder) == [NAME]
    assert buckets.names(folder) == []


def test_a_lock_that_nobody_writes_is_taken_over(folder, capsys):
    leave_a_lock(folder)
    with alone(folder, "busy") as check:
        check()
    assert f"{folder}/{NAME} is there, by process 7 on gone since y" in capsys.readouterr().err


def test_of_many_who_want_a_left_lock_one_gets_it(folder):
    leave_a_lock(folder)
    together, got, refused = threading.Barrier(4), [], []

    def want() -> None:
        together.wait()
        try:
            with alone(folder, "busy"):
                got.append(1)
                time.sleep(0.5)
        except UserError:
            refused.append(1)

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 3)


def test_who_has_lost_the_lock_is_told_and_does_not_remove_the_other(folder):
    with alone(folder, "busy") as check:
        leave_a_lock(folder)
        time.sleep(0.5)
        with pytest.raises(UserError, match=r"busy \(it was taken over, by process 7 on gone"):
            check()
    assert buckets.names(folder) == [NAME]


def test_a_bucket_that_is_out_of_reach_for_a_while_does_not_end_the_holder(
    folder, bucket, monkeypatch
):
    with alone(folder, "busy") as check:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(bucket, "refuse", lambda method, name: 403)
            time.sleep(0.3)
        time.sleep(0.3)
        check()
        with pytest.raises(UserError, match="busy"), alone(folder, "busy"):
            pass
