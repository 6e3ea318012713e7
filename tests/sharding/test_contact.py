"""When a process is gone or has ended with an error, those that train with it end soon after."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from tests import tiny

_PROGRAM = """
import os, signal, sys, time
from painting_jax.errors import UserError
from painting_jax.sharding import contact, rendezvous
address, count, index, deed = sys.argv[1:]
contact._GRACE = contact._LAST_WORDS = 0.5
others = rendezvous.meet(address, int(count), int(index), wait=60)
try:
    with contact.Contact(int(count), others).kept():
        print("met", flush=True)
        sys.stdin.readline()  # Until all have met.
        exec(deed)
except UserError:
    sys.exit(2)
"""
_WAITS = "time.sleep(60)"  # As in a collective: nothing of Python's own ends it.
_WORKS = "time.sleep(1.5)"
_KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
_MISTAKEN = "raise UserError('the disk is full')"
_FAILED = "raise RuntimeError('a mistake of ours')"


def _ended(*deeds: str) -> list[tuple[int, str]]:
    """Status and errors of processes that do these things together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, address, str(len(deeds)), str(index), deed],
            env=tiny.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, deed in enumerate(deeds)
    ]
    assert [program.stdout.readline() for program in programs] == ["met\n"] * len(deeds)
    for program in programs:
        program.stdin.write("\n")
        program.stdin.flush()
    told = time.monotonic()
    errors = [program.communicate(timeout=60)[1] for program in programs]
    assert time.monotonic() - told < 20
    return [(program.returncode, said) for program, said in zip(programs, errors, strict=True)]


@pytest.mark.parametrize("lost", [0, 2])
def test_when_one_is_gone_all_end_with_a_line_and_a_status_to_restart(lost):
    deeds = [_WAITS] * 3
    deeds[lost] = _KILLED
    line = f"process {lost} of 3 is gone: the same command resumes after the last checkpoint\n"
    expected = [(143, line)] * 3
    expected[lost] = (-signal.SIGKILL, "")
    assert _ended(*deeds) == expected


def test_when_one_ends_with_an_error_the_others_follow_with_its_status():
    line = "process 1 of 2 has ended with status 2 and says why: so does this one\n"
    assert _ended(_WAITS, _MISTAKEN) == [(2, line), (2, "")]
    [(status, said), (failed, traceback)] = _ended(_WAITS, _FAILED)
    assert (status, failed) == (1, 1)
    assert "process 1 of 2 has ended with status 1" in said
    assert "a mistake of ours" in traceback


def test_a_mistake_of_all_is_told_by_each_and_by_nobody_else():
    assert _ended(_MISTAKEN, _MISTAKEN, _MISTAKEN) == [(2, "")] * 3


def test_who_has_ended_well_is_not_missed():
    assert _ended(_WORKS, "pass") == [(0, "")] * 2
    assert _ended("pass", _WORKS) == [(0, "")] * 2


def test_who_has_done_its_work_ends_well_although_another_is_gone():
    # As JAX waits for all at the end.
    still_waits = "import atexit; atexit.register(time.sleep, 60)"
    killed_later = f"time.sleep(0.5); {_KILLED}"
    assert _ended(still_waits, killed_later) == [(0, ""), (-signal.SIGKILL, "")]
