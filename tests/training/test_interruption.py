"""Ctrl-C stops a training, whatever it strikes."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from painting_jax.training.interruption import held_back, remembered


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), remembered():
        _press()


def test_ctrl_c_that_was_swallowed_is_raised_again():
    with remembered() as heed:
        heed()
        with contextlib.suppress(BaseException):
            _press()
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_python_swallows_is_raised_again_and_not_reported(monkeypatch):
    class Struck:
        def __del__(self):
            _press()

    class Broken:
        def __del__(self):
            raise ValueError

    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: reported.append(error.exc_type))
    with remembered() as heed:
        Struck()
        Broken()
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert reported == [ValueError]
    Broken()
    assert reported == [ValueError, ValueError]


def test_ctrl_c_waits_for_the_end_of_what_must_not_be_cut_off():
    reached = []
    with pytest.raises(KeyboardInterrupt), remembered(), held_back():
        reached += [_press(), "the end"]
    assert reached


def test_a_job_that_was_started_deaf_to_ctrl_c_stays_so():
    code = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from painting_jax.training.interruption import held_back, remembered
with remembered() as heed:
    with held_back():
        os.kill(os.getpid(), signal.SIGINT)
    heed()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
