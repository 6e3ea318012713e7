"""Ctrl-C and SIGTERM stop a program, whatever they strike."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from painting_jax.interruption import Interrupted, guarded, held_back, recorded
from tests import tiny

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def _handlers() -> list:
    return [signal.getsignal(number) for number in _SIGNALS]


@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_is_raised_at_once(number):
    before = _handlers()
    with pytest.raises(Interrupted) as raised, guarded():
        _send(number)
    assert raised.value.number == number
    assert _handlers() == before
    assert signal.set_wakeup_fd(-1) == -1


def _struck_in_a_destructor() -> None:
    class Struck:
        def __del__(self):
            _send()

    Struck()


def _struck_in_a_callback_of_the_collector() -> None:
    def strike(phase, info):
        if phase == "start":
            gc.callbacks.remove(strike)
            _send()

    gc.callbacks.append(strike)
    gc.collect()


@pytest.mark.parametrize(
    "strike", [_struck_in_a_destructor, _struck_in_a_callback_of_the_collector]
)
def test_a_signal_that_python_swallows_is_raised_again_and_not_reported(monkeypatch, strike):
    class Broken:
        def __del__(self):
            raise ValueError

    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: reported.append(error.exc_type))
    swallowed = []

    def struck():
        with guarded():
            Broken()
            strike()
            swallowed.append(strike)
            time.sleep(10)

    begun = time.monotonic()
    with pytest.raises(Interrupted):
        struck()
    assert time.monotonic() - begun < 9, "it ends the wait"
    assert swallowed
    assert reported == [ValueError]
    Broken()
    assert reported == [ValueError, ValueError]


def test_a_signal_does_not_cut_off_the_clean_up_after_another():
    cleaned = []

    def struck():
        with guarded():
            try:
                _send(signal.SIGINT)
            finally:
                _send(signal.SIGTERM)
                _send(signal.SIGINT)  # of the same keystroke
                cleaned.append(True)

    with pytest.raises(Interrupted) as raised:
        struck()
    assert raised.value.number == signal.SIGINT
    assert cleaned


@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_waits_for_the_end_of_what_must_not_be_cut_off(number):
    reached = []
    with pytest.raises(Interrupted), guarded(), held_back():
        reached += [_send(number), "the end"]
    assert reached


def test_a_recorded_signal_waits_until_somebody_looks():
    def struck():
        with guarded(), recorded(at_once=False) as stop:
            assert not stop.came
            _send(signal.SIGTERM)
            with held_back():
                _send(signal.SIGTERM)
            assert stop.came == [signal.SIGTERM] * 2

    with pytest.raises(Interrupted) as raised:
        struck()
    assert raised.value.number == signal.SIGTERM


def test_a_recorded_signal_that_was_swallowed_is_not_lost():
    def struck():
        with recorded() as stop:
            with contextlib.suppress(BaseException):
                _send()
            assert stop.came

    with pytest.raises(KeyboardInterrupt):
        struck()


def test_work_that_may_stay_unfinished_is_cut_short():
    done = []

    def work():
        done.append("begun")
        _send()
        done.append("ended")

    def struck():
        with recorded(at_once=False) as stop:
            stop.cut_short(lambda: done.append("before"))
            stop.cut_short(work)
            stop.cut_short(lambda: done.append("after"))
            assert stop.came

    with pytest.raises(KeyboardInterrupt):
        struck()
    assert done == ["before", "begun"]


def test_a_second_ctrl_c_is_not_deferred():
    def impatient():
        with recorded(at_once=False):
            _send()
            time.sleep(0.3)
            _send()
            pytest.fail("the second one was deferred")

    with pytest.raises(KeyboardInterrupt):
        impatient()


def _program(code: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=tiny.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_job_that_was_started_deaf_to_ctrl_c_stays_so():
    code = """
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from painting_jax.interruption import end_at_once, guarded, held_back, recorded
        end_at_once()
        with guarded(), recorded() as stop, held_back():
            os.kill(os.getpid(), signal.SIGINT)
        assert not stop.came
    """
    assert _program(code).wait() == 0


def test_a_program_without_a_guard_still_dies_of_sigterm_once_its_work_is_done():
    code = """
        import os, signal
        from painting_jax.interruption import held_back
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            print("the end", flush=True)
        print("too far")
    """
    program = _program(code)
    assert program.communicate() == ("the end\n", "")
    assert program.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_while_it_imports_a_program_ends_in_one_word(number, status, word):
    code = """
        import time
        from painting_jax.interruption import end_at_once
        end_at_once()
        print(flush=True)
        time.sleep(60)
    """
    program = _program(code)
    program.stdout.readline()
    program.send_signal(number)
    assert program.communicate()[1] == f"{word}\n"
    assert program.returncode == status


def test_a_second_ctrl_c_ends_a_program_that_is_deep_in_a_library():
    code = """
        import hashlib
        from painting_jax.interruption import guarded, held_back
        with guarded(), held_back():
            print(flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    """
    program = _program(code)
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    program.send_signal(signal.SIGINT)  # as `timeout` does
    time.sleep(0.4)
    assert program.poll() is None
    program.send_signal(signal.SIGTERM)  # is no second Ctrl-C
    time.sleep(0.1)
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=10)[1] == "interrupted\n"
    assert program.returncode == 130
